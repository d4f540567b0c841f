package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/cxsync/cxsync/history/diff"
)

// detectionRows compares ways to find that a body has not changed, apart from
// what is ignored.
func detectionRows(r *run) (rows []row, err error) {
	c, err := diff.Compile(corpusRules)
	if err != nil {
		return nil, err
	}
	for _, size := range []int{2_000, 20_000, 500_000} {
		before, after := flow(size, 0, false), flow(size, 1, false)
		ours, err := digestLoop(c, before, after, flow(size, 1, true))
		if err != nil {
			return nil, err
		}
		more, err := r.timed("is it unchanged? "+kilobytes(size),
			contender{"cxsync", ours},
			contender{"Unmarshal + DeepEqual (encoding/json)", deepEqualLoop(before, after)},
			contender{"Unmarshal + Marshal + SHA-256 (encoding/json)", marshalLoop(before, after)},
			contender{"SHA-256 of the bytes, which ignores nothing", sumLoop(after)},
		)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func digestLoop(c *diff.Comparer, before, after, changed []byte) (func(*testing.B), error) {
	secret := new([32]byte)
	want, err := c.Digest(secret, before)
	if err != nil {
		return nil, err
	}
	if got, err := c.Digest(secret, changed); err != nil || got == want {
		return nil, errors.Join(err, errors.New("the digest hides a change"))
	}
	return func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if got, err := c.Digest(secret, after); err != nil || got != want {
				b.Fatal(got, err)
			}
		}
	}, nil
}

// decoded returns a flow without what is ignored, and with its set in order.
func decoded(b *testing.B, body []byte) map[string]any {
	b.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		b.Fatal(err)
	}
	delete(v, "version")
	delete(v, "dateModified")
	for _, step := range v["steps"].([]any) {
		delete(step.(map[string]any), "ui")
	}
	set := map[string]any{}
	for _, skill := range v["skills"].([]any) {
		set[skill.(map[string]any)["id"].(string)] = skill
	}
	v["skills"] = set
	return v
}

func deepEqualLoop(before, after []byte) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if !reflect.DeepEqual(decoded(b, before), decoded(b, after)) {
				b.Fatal("they differ")
			}
		}
	}
}

func marshalLoop(before, after []byte) func(*testing.B) {
	sum := func(b *testing.B, body []byte) [32]byte {
		b.Helper()
		text, err := json.Marshal(decoded(b, body))
		if err != nil {
			b.Fatal(err)
		}
		return sha256.Sum256(text)
	}
	return func(b *testing.B) {
		b.Helper()
		want := sum(b, before)
		for b.Loop() {
			if sum(b, after) != want {
				b.Fatal("they differ")
			}
		}
	}
}

func sumLoop(body []byte) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		want := sha256.Sum256(body)
		for b.Loop() {
			if sha256.Sum256(body) != want {
				b.Fatal("they differ")
			}
		}
	}
}
