package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/wI2L/jsondiff"

	"github.com/cxsync/cxsync/history/diff"
)

var (
	jsonDiff   = named("jsondiff", "github.com/wI2L/jsondiff")
	mergePatch = named("json-patch", "github.com/evanphx/json-patch/v5") + ", merge patch"
)

func diffRows(r *run) (rows []row, err error) {
	for _, size := range []int{20_000, 500_000} {
		p, err := newPair(size)
		if err != nil {
			return nil, err
		}
		more, err := r.timed("difference of two bodies of "+kilobytes(size),
			contender{"cxsync", p.loop(func() error {
				_, err := p.comparer.Diff(p.old, p.new)
				return err
			})},
			contender{jsonDiff, p.loop(func() error {
				_, err := jsondiff.CompareJSON(p.old, p.new)
				return err
			})},
			contender{jsonDiff + ", LCS", p.loop(func() error {
				_, err := jsondiff.CompareJSON(p.old, p.new, jsondiff.LCS())
				return err
			})},
			contender{mergePatch, p.loop(func() error {
				_, err := jsonpatch.CreateMergePatch(p.old, p.new)
				return err
			})},
		)
		if err != nil {
			return nil, err
		}
		sizes, err := p.patchRows()
		if err != nil {
			return nil, err
		}
		rows = append(rows, append(more, sizes...)...)
	}
	return rows, nil
}

// A pair is a flow before and after a change, in canonical form, so that every peer sees the same.
type pair struct {
	size     int // about
	comparer *diff.Comparer
	old, new []byte
}

func newPair(size int) (*pair, error) {
	c, err := diff.Compile(diff.Rules{})
	if err != nil {
		return nil, err
	}
	old, errOld := c.Canonical(nil, flow(size, 0, false))
	new, errNew := c.Canonical(nil, flow(size, 0, true))
	return &pair{size, c, old, new}, errors.Join(errOld, errNew)
}

func (p *pair) loop(diff func() error) func(*testing.B) {
	return func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if err := diff(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// patchRows compares the sizes of patches, ours as the RFC 6902 patch that it
// holds. Another library has to make the new body of ours.
func (p *pair) patchRows() (rows []row, err error) {
	changes, err := p.comparer.Diff(p.old, p.new)
	if err != nil {
		return nil, err
	}
	ours, err := patchText(changes)
	if err != nil {
		return nil, err
	}
	if err := p.check(ours); err != nil {
		return nil, err
	}
	add := func(name string, text []byte, note string) {
		rows = append(rows, row{
			what: "patch of a body of " + kilobytes(p.size), ours: figure{float64(len(ours)), "B"}, peer: name,
			theirs: figure{float64(len(text)), "B"}, note: note,
		})
	}
	for _, peer := range []struct {
		name string
		opts []jsondiff.Option
	}{{jsonDiff, nil}, {jsonDiff + ", LCS", []jsondiff.Option{jsondiff.LCS()}}} {
		patch, err := jsondiff.CompareJSON(p.old, p.new, peer.opts...)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(patch)
		if err != nil {
			return nil, err
		}
		add(peer.name, text, fmt.Sprintf("%d operations, theirs %d", len(changes), len(patch)))
	}
	merge, err := jsonpatch.CreateMergePatch(p.old, p.new)
	add(mergePatch, merge, "which replaces lists as a whole")
	return rows, err
}

// check has another library apply our patch.
func (p *pair) check(text []byte) error {
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return err
	}
	applied, err := patch.Apply(p.old)
	if err != nil {
		return fmt.Errorf("json-patch cannot apply our patch: %w", err)
	}
	if got, err := p.comparer.Canonical(nil, applied); err != nil || !bytes.Equal(got, p.new) {
		return errors.Join(err, errors.New("json-patch makes something else of our patch"))
	}
	return nil
}

// patchText returns our changes as the RFC 6902 patch that they hold.
func patchText(changes []diff.FieldChange) ([]byte, error) {
	type operation struct {
		Op    diff.Op         `json:"op"`
		Path  string          `json:"path"`
		From  string          `json:"from,omitempty"`
		Value json.RawMessage `json:"value,omitempty"`
	}
	patch := []operation{}
	for _, c := range changes {
		patch = append(patch, operation{c.Op, c.Path, c.From, c.New})
	}
	return json.Marshal(patch)
}
