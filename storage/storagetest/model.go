//nolint:thelper // the clauses are tests: a failure names the line in them
package storagetest

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

// modelSteps is how many operations the model test compares.
const modelSteps = 400

// A model is what a Store should be: a map, sorted when needed.
type model map[string]string

// commit applies b as the contract says, and returns the key of a requirement
// that is not met.
func (m model) commit(b *storage.Batch) (conflict string) {
	for r := range b.Requirements() {
		if v, ok := m[r.Key]; !r.Met([]byte(v), ok) {
			return r.Key
		}
	}
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			m[op.Key] = string(op.Value)
		case storage.OpDelete:
			delete(m, op.Key)
		case storage.OpDeleteRange:
			maps.DeleteFunc(m, func(k, _ string) bool { return op.Range.Contains(k) })
		}
	}
	return ""
}

// scan returns what a Scan of r yields.
func (m model) scan(r storage.Range) (all []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if r.Contains(k) {
			all = append(all, k+"="+m[k])
		}
	}
	if r.Reverse {
		slices.Reverse(all)
	}
	return all
}

// A play is a random walk over a store and its model.
type play struct {
	tb    testing.TB
	h     Harness
	rng   *rand.Rand
	store storage.Store
	model model
}

func testModel(tb testing.TB, h Harness) {
	tb.Logf("seed %d", h.Seed)
	p := play{tb, h, rand.New(rand.NewPCG(h.Seed, 0)), open(tb, h), model{}}
	for range modelSteps {
		switch n := p.rng.IntN(100); {
		case n < 45:
			p.commit()
		case n < 70:
			p.get()
		case n < 85:
			p.scan()
		case n < 98:
			p.scanAndCommit()
		case h.Reopen != nil:
			p.store = reopen(tb, h, p.store)
		}
	}
	p.compare(storage.Range{}, p.model.scan(storage.Range{}))
}

// key returns one of few keys, so that operations meet.
func (p *play) key() string {
	parts := []string{"a", "b", "a/b", "é", "ab", "a b", "\U0001d11e", "B"}
	return parts[p.rng.IntN(len(parts))] + strconv.Itoa(p.rng.IntN(12))
}

func (p *play) bounds() storage.Range {
	r := storage.Range{Reverse: p.rng.IntN(2) == 0}
	if p.rng.IntN(3) > 0 {
		r.Start = p.key()
	}
	if p.rng.IntN(3) > 0 {
		r.End = p.key()
	}
	return r
}

func (p *play) value() []byte {
	n := p.rng.IntN(4)
	if p.rng.IntN(10) == 0 {
		n = p.rng.IntN(3000)
	}
	return bytes.Repeat([]byte{byte('a' + p.rng.IntN(3))}, n)
}

func (p *play) batch() *storage.Batch {
	var b storage.Batch
	for range p.rng.IntN(12) {
		switch n := p.rng.IntN(20); {
		case n < 12:
			b.Put(p.key(), p.value())
		case n < 16:
			b.Delete(p.key())
		case n < 17:
			b.DeleteRange(p.bounds())
		case n < 18:
			b.RequireAbsent(p.key())
		default:
			key := p.key()
			if v, ok := p.model[key]; ok && p.rng.IntN(4) > 0 {
				b.Require(key, []byte(v))
			} else {
				b.Require(key, p.value())
			}
		}
	}
	return &b
}

func (p *play) commit() {
	b := p.batch()
	err := p.store.Commit(p.tb.Context(), b)
	if key := p.model.commit(b); key != "" {
		// Of several requirements that are not met, any may be named.
		if !errors.Is(err, storage.ErrConflict) {
			p.tb.Fatalf("Commit: error %v, want a conflict at %q", err, key)
		}
	} else if err != nil {
		p.tb.Fatalf("Commit: %v", err)
	}
}

func (p *play) get() {
	key := p.key()
	if v, ok := p.model[key]; ok {
		wantValue(p.tb, p.store, key, v)
	} else {
		wantMissing(p.tb, p.store, key)
	}
}

func (p *play) scan() {
	r := p.bounds()
	p.compare(r, p.model.scan(r))
}

func (p *play) compare(r storage.Range, want []string) {
	got, err := dump(p.tb.Context(), p.store, r)
	if err != nil || !slices.Equal(got, want) {
		p.tb.Fatalf("Scan(%+v) yields %s, %v, want %s", r, list(got), err, list(want))
	}
}

// scanAndCommit commits while it iterates, and sometimes stops early.
func (p *play) scanAndCommit() {
	r := p.bounds()
	want := p.model.scan(r)
	var got []string
	for e, err := range p.store.Scan(p.tb.Context(), r) {
		if err != nil {
			p.tb.Fatalf("Scan(%+v): %v", r, err)
		}
		got = append(got, e.Key+"="+string(e.Value))
		if n := p.rng.IntN(20); n == 0 {
			p.commit()
		} else if n == 1 {
			want = want[:min(len(got), len(want))]
			break
		}
	}
	if !slices.Equal(got, want) {
		p.tb.Fatalf("Scan(%+v) with commits in its body yields %s, want %s", r, list(got), strings.Join(want, " "))
	}
}
