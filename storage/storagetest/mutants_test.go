package storagetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/cxsync/cxsync/storage"
)

// A toy is the simplest correct Store, with a place to break for each mutant.
type toy struct {
	mu     sync.Mutex
	data   map[string][]byte
	closed bool
	m      mutant
	stale  map[string][]byte // what was put first, for a cache that forgets to change
	kept   *storage.Batch
}

// A mutant says what is broken in a toy. The zero mutant is correct.
type mutant struct {
	get        func(t *toy, key string) ([]byte, error)
	getMany    func(ctx context.Context, t *toy, keys []string) (map[string][]byte, error)
	compare    func(a, b string) int
	contains   func(r storage.Range, key string) bool
	deletes    func(r storage.Range, key string) bool
	value      func(v []byte) []byte // on its way in
	key        func(k string) string // on its way in
	met        func(t *toy, r storage.Requirement, v []byte, ok bool) bool
	conflict   func(r storage.Requirement) error
	commit     func(t *toy, b *storage.Batch) error // instead of the whole
	ops        func(b *storage.Batch) []storage.Op
	scan       func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error]
	close      func(t *toy) error
	reopen     func(t *toy)
	share      bool // give out what is stored
	anyContext bool // ignore the context
	anyKey     bool // do not check
	pages      int  // lose an entry after so many
}

func (t *toy) begin(ctx context.Context) error {
	switch {
	case !t.m.anyContext && ctx.Err() != nil:
		return ctx.Err()
	case t.closed:
		return storage.ErrClosed
	}
	return nil
}

func (t *toy) Get(ctx context.Context, key string) ([]byte, error) {
	if err := storage.CheckKey(key); err != nil && !t.m.anyKey {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	if t.m.get != nil {
		return t.m.get(t, key)
	}
	v, ok := t.data[key]
	if !ok {
		return nil, &storage.KeyError{Key: key, Err: storage.ErrNotFound}
	}
	return t.out(v), nil
}

func (t *toy) GetMany(ctx context.Context, keys []string) (map[string][]byte, error) {
	if t.m.getMany != nil {
		return t.m.getMany(ctx, t, keys)
	}
	values := map[string][]byte{}
	for _, key := range keys {
		v, err := t.Get(ctx, key)
		if err == nil {
			values[key] = v
		} else if !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return values, t.begin(ctx)
}

func (t *toy) out(v []byte) []byte {
	if t.m.share {
		return v
	}
	return bytes.Clone(v)
}

// snapshot returns what a Scan of r yields.
func (t *toy) snapshot(ctx context.Context, r storage.Range) ([]storage.Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	contains, compare := storage.Range.Contains, strings.Compare
	if t.m.contains != nil {
		contains = t.m.contains
	}
	if t.m.compare != nil {
		compare = t.m.compare
	}
	var all []storage.Entry
	for _, k := range slices.SortedFunc(maps.Keys(t.data), compare) {
		if contains(r, k) {
			all = append(all, storage.Entry{Key: k, Value: t.out(t.data[k])})
		}
	}
	if r.Reverse {
		slices.Reverse(all)
	}
	if n := t.m.pages; n > 0 && len(all) > n {
		all = slices.Delete(all, n, n+1)
	}
	return all, nil
}

func (t *toy) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	if t.m.scan != nil {
		return t.m.scan(ctx, t, r)
	}
	return t.correctScan(ctx, r)
}

func (t *toy) correctScan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		all, err := t.snapshot(ctx, r)
		for _, e := range all {
			t.mu.Lock()
			err = t.begin(ctx)
			t.mu.Unlock()
			if err != nil {
				break
			}
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(storage.Entry{}, err)
		}
	}
}

func (t *toy) Commit(ctx context.Context, b *storage.Batch) error {
	if err := b.Check(); err != nil && !t.m.anyKey {
		return err
	}
	if t.m.commit != nil {
		if err := t.begin(ctx); err != nil {
			return err
		}
		return t.m.commit(t, b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(ctx); err != nil {
		return err
	}
	if err := t.require(b); err != nil {
		return err
	}
	t.applyAll(b)
	return nil
}

func (t *toy) require(b *storage.Batch) error {
	for r := range b.Requirements() {
		v, ok := t.data[r.Key]
		met := r.Met(v, ok)
		if t.m.met != nil {
			met = t.m.met(t, r, v, ok)
		}
		if met {
			continue
		}
		if t.m.conflict != nil {
			return t.m.conflict(r)
		}
		return r.Conflict()
	}
	return nil
}

func (t *toy) applyAll(b *storage.Batch) {
	ops := slices.Collect(b.Ops())
	if t.m.ops != nil {
		ops = t.m.ops(b)
	}
	for _, op := range ops {
		t.apply(op)
	}
}

func (t *toy) apply(op storage.Op) {
	deletes := storage.Range.Contains
	if t.m.deletes != nil {
		deletes = t.m.deletes
	}
	if t.m.key != nil {
		op.Key = t.m.key(op.Key)
	}
	switch op.Kind {
	case storage.OpPut:
		v := op.Value
		if t.m.value != nil {
			v = t.m.value(v)
		}
		t.data[op.Key] = v
		if _, ok := t.stale[op.Key]; !ok {
			t.stale[op.Key] = v
		}
	case storage.OpDelete:
		delete(t.data, op.Key)
	case storage.OpDeleteRange:
		maps.DeleteFunc(t.data, func(k string, _ []byte) bool { return deletes(op.Range, k) })
	}
}

func (t *toy) Close() error {
	if t.m.close != nil {
		return t.m.close(t)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return nil
}

// harness makes toys with a mutant.
func (m mutant) harness() Harness {
	again := func(_ testing.TB, s storage.Store) storage.Store {
		old := s.(*toy)
		old.mu.Lock()
		defer old.mu.Unlock()
		n := &toy{data: maps.Clone(old.data), stale: map[string][]byte{}, m: m}
		if m.reopen != nil {
			m.reopen(n)
		}
		return n
	}
	return Harness{
		Open: func(testing.TB) storage.Store {
			return &toy{data: map[string][]byte{}, stale: map[string][]byte{}, m: m}
		},
		Reopen: again, Crash: again, Seed: 1, Patience: 200 * time.Millisecond,
	}
}

func TestCorrectStorePasses(t *testing.T) {
	h := mutant{}.harness()
	h.Patience = time.Minute
	Run(t, h)
}

// TestSuiteFindsBrokenStores runs the clause that each mutant breaks: it must
// fail, and with the message that the mutant deserves.
func TestSuiteFindsBrokenStores(t *testing.T) {
	t.Parallel()
	tests := map[string]clause{}
	for _, c := range clauses() {
		tests[c.name] = c
	}
	killed := map[string]bool{}
	for _, b := range broken {
		killed[b.clause] = true
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			c, ok := tests[b.clause]
			if !ok {
				t.Fatalf("no clause %q", b.clause)
			}
			r := record(t, c, b.mutant.harness())
			if len(r.failures) == 0 || r.skipped {
				t.Fatalf("clause %s does not see that the store %s", b.clause, b.name)
			}
			if !strings.Contains(r.failures[0], b.says) {
				t.Fatalf("clause %s says %q, want %q in it", b.clause, r.failures[0], b.says)
			}
		})
	}
	for name := range tests {
		if !killed[name] {
			t.Errorf("no mutant proves the clause %s", name)
		}
	}
}

// broken lists stores that break one rule each, the clause that must say so, and
// part of what it says.
var broken = []struct {
	name, clause, says string
	mutant             mutant
}{
	{"returns nothing for a missing key", "Get/MissingKey", "want not found", mutant{
		get: func(t *toy, key string) ([]byte, error) { return t.data[key], nil },
	}},
	{"names no key", "Get/MissingKey", "KeyError", mutant{
		get: func(t *toy, key string) ([]byte, error) { return nil, storage.ErrNotFound },
	}},
	{"finds by prefix", "Get/MissingKey", `Get("a/")`, mutant{get: func(t *toy, key string) ([]byte, error) {
		for k, v := range t.data {
			if strings.HasPrefix(k, key) && key != "a" {
				return v, nil
			}
		}
		return nil, &storage.KeyError{Key: key, Err: storage.ErrNotFound}
	}}},
	{"takes any key", "Get/InvalidKey", "want ErrInvalid", mutant{anyKey: true}},
	{"reads only some of many keys", "Get/Many", "GetMany of 3006 keys finds", mutant{getMany: func(ctx context.Context, t *toy, keys []string) (map[string][]byte, error) {
		return storage.GetMany(ctx, struct{ storage.Store }{t}, keys[:min(len(keys), 1000)])
	}}},
	{"returns missing keys of many", "Get/Many", "GetMany of 3006 keys finds", mutant{getMany: func(_ context.Context, t *toy, keys []string) (map[string][]byte, error) {
		values := map[string][]byte{}
		for _, key := range keys {
			values[key] = bytes.Clone(t.data[key])
		}
		return values, nil
	}}},
	{"does not check many keys", "Get/Many", "want ErrInvalid", mutant{getMany: func(_ context.Context, t *toy, keys []string) (map[string][]byte, error) {
		values := map[string][]byte{}
		for _, key := range keys {
			if v, ok := t.data[key]; ok {
				values[key] = bytes.Clone(v)
			}
		}
		return values, nil
	}}},
	{"stores invalid keys", "Commit/InvalidStoresNothing", "want ErrInvalid", mutant{anyKey: true}},
	{"stores the valid part of a batch", "Commit/InvalidStoresNothing", "before=", mutant{anyKey: true, commit: func(t *toy, b *storage.Batch) error {
		for op := range b.Ops() {
			if storage.CheckKey(op.Key) == nil {
				t.apply(op)
			}
		}
		return b.Check()
	}}},
	{"trims values", "Values/Exact", "Get(", mutant{value: bytes.TrimSpace}},
	{"drops empty values", "Commit/EmptyIsNotAbsent", `Get("empty")`, mutant{commit: func(t *toy, b *storage.Batch) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.applyAll(b)
		maps.DeleteFunc(t.data, func(_ string, v []byte) bool { return len(v) == 0 })
		return nil
	}}},
	{"cuts values at a megabyte", "Values/Large", `Get("large")`, mutant{value: func(v []byte) []byte { return v[:min(len(v), 1<<20)] }}},
	{"trims keys", "Keys/Exact", `Get("a`, mutant{key: func(k string) string { return strings.TrimRight(k, " ") }}},
	{"folds the case of keys", "Keys/Exact", "Get(", mutant{key: strings.ToLower}},
	{"orders letters without case", "Scan/Order", "Scan yields", mutant{compare: func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	}}},
	{"orders as UTF-16", "Scan/Order", "Scan yields", mutant{compare: func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	}}},
	{"includes the end of a range", "Scan/Bounds", "Scan({", mutant{contains: func(r storage.Range, k string) bool {
		return r.Contains(k) || k == r.End
	}}},
	{"excludes the start of a range", "Scan/Bounds", "Scan({", mutant{contains: func(r storage.Range, k string) bool {
		return r.Contains(k) && k != r.Start
	}}},
	{"scans forward only", "Scan/Bounds", "Reverse:true", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return t.correctScan(ctx, storage.Range{Start: r.Start, End: r.End})
	}}},
	{"loses an entry between pages", "Scan/Complete", "2999 entries", mutant{pages: 1000}},
	{"goes on after a break", "Scan/StopsEarly", "range function continued iteration", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return func(yield func(storage.Entry, error) bool) {
			all, _ := t.snapshot(ctx, r)
			for _, e := range all {
				yield(e, nil)
			}
		}
	}}},
	{"takes the snapshot when Scan is called", "Scan/StartsWhenIterated", "iteration 2", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		all, _ := t.snapshot(ctx, r)
		return func(yield func(storage.Entry, error) bool) {
			for _, e := range all {
				if !yield(e, nil) {
					return
				}
			}
		}
	}}},
	{"scans what is there now", "Scan/Snapshot", "not as when it started", mutant{scan: scanLive}},
	{"scans what is there now, beside commits", "Scan/SnapshotOfRace", "values of two commits", mutant{scan: scanLive}},
	{"locks during a scan", "Scan/HoldsNoLock", "blocked", mutant{scan: scanLocked}},
	{"locks while a scan waits", "Scan/Abandoned", "blocked", mutant{scan: scanLocked}},
	{"reads a cache", "Commit/Visible", `Get("a")`, mutant{get: func(t *toy, key string) ([]byte, error) {
		if v, ok := t.stale[key]; ok {
			return bytes.Clone(v), nil
		}
		return nil, storage.ErrNotFound
	}}},
	{"puts after it deletes", "Commit/OperationOrder", "Scan({", mutant{ops: func(b *storage.Batch) []storage.Op {
		return slices.SortedStableFunc(b.Ops(), func(a, b storage.Op) int {
			return cmp.Compare(min(b.Kind, storage.OpDelete), min(a.Kind, storage.OpDelete))
		})
	}}},
	{"deletes the end of a range", "Commit/DeleteRange", "Scan({", mutant{deletes: func(r storage.Range, k string) bool {
		return r.Contains(k) || k == r.End
	}}},
	{"deletes nothing without an end", "Commit/DeleteRange", "Scan({", mutant{deletes: func(r storage.Range, k string) bool {
		return k >= r.Start && k < r.End
	}}},
	{"deletes no range backwards", "Commit/DeleteRange", "Scan({", mutant{deletes: func(r storage.Range, k string) bool {
		return r.Contains(k) && !r.Reverse
	}}},
	{"ignores requirements", "Commit/Requirements", "error <nil>, want conflict", mutant{
		met: func(*toy, storage.Requirement, []byte, bool) bool { return true },
	}},
	{"requires a prefix only", "Commit/Requirements", "want conflict", mutant{met: func(_ *toy, r storage.Requirement, v []byte, ok bool) bool {
		return r.Met(v, ok) || !r.Absent && ok && bytes.HasPrefix(r.Value, v)
	}}},
	{"names no key in a conflict", "Commit/Requirements", "KeyError", mutant{
		conflict: func(storage.Requirement) error { return storage.ErrConflict },
	}},
	{"requires the state after", "Commit/RequiresStateBefore", "Commit: ", mutant{commit: func(t *toy, b *storage.Batch) error {
		old := maps.Clone(t.data)
		t.applyAll(b)
		err := t.require(b)
		if err != nil {
			t.data = old
		}
		return err
	}}},
	{"takes empty for absent", "Commit/EmptyIsNotAbsent", "requires absence", mutant{
		met: func(_ *toy, r storage.Requirement, v []byte, _ bool) bool { return bytes.Equal(r.Value, v) },
	}},
	{"stores half of a conflict", "Commit/ConflictStoresNothing", "Scan({", mutant{commit: func(t *toy, b *storage.Batch) error {
		err := t.require(b)
		t.applyAll(b)
		return err
	}}},
	{"refuses an empty batch", "Commit/EmptyBatch", "Commit: ", mutant{commit: func(t *toy, b *storage.Batch) error {
		if b.Len() == 0 {
			return errors.New("nothing to do")
		}
		t.applyAll(b)
		return nil
	}}},
	{"takes a batch once", "Commit/Again", "the same Batch again", mutant{commit: func(t *toy, b *storage.Batch) error {
		if t.kept == b {
			return errors.New("seen before")
		}
		t.kept = b
		t.applyAll(b)
		return nil
	}}},
	{"empties the batch", "Commit/KeepsBatch", "Scan({", mutant{commit: func(t *toy, b *storage.Batch) error {
		t.applyAll(b)
		b.Reset()
		return nil
	}}},
	{"shows half of a commit", "Commit/Atomic", "while commits run", mutant{commit: func(t *toy, b *storage.Batch) error {
		for op := range b.Ops() {
			t.mu.Lock()
			t.apply(op)
			t.mu.Unlock()
			time.Sleep(20 * time.Microsecond) // half of it for long enough to be seen
		}
		return nil
	}}},
	{"checks and writes apart", "Commit/Serializable", "", mutant{commit: checkThenAct}},
	{"checks and writes apart, with other keys", "Commit/NoWriteSkew", "two commits that exclude each other", mutant{commit: checkThenAct}},
	{"ignores the context", "Context/EndedBefore", "context.Canceled", mutant{anyContext: true}},
	{"scans on when the context has ended", "Context/EndsScan", "Scan whose context ends", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return t.correctScan(context.WithoutCancel(ctx), r)
	}}},
	{"goes on after an error", "Context/EndsScan", "goes on after an error", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return func(yield func(storage.Entry, error) bool) {
			for e, err := range t.correctScan(context.WithoutCancel(ctx), r) {
				if ctx.Err() != nil && !yield(storage.Entry{}, ctx.Err()) || !yield(e, err) {
					return
				}
			}
		}
	}}},
	{"gives out its memory", "Aliasing/Get", "Get(", mutant{share: true}},
	{"gives out its memory in a scan", "Aliasing/Scan", "Scan({", mutant{share: true}},
	{"gives out one buffer", "Aliasing/Scan", "values kept", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return func(yield func(storage.Entry, error) bool) {
			var buf [4096]byte
			for e, err := range t.correctScan(ctx, r) {
				e.Value = append(buf[:0], e.Value...)
				if !yield(e, err) {
					return
				}
			}
		}
	}}},
	{"keeps the batch and writes later", "Aliasing/Batch", "Scan({", mutant{commit: func(t *toy, b *storage.Batch) error {
		t.kept = b
		return nil
	}, scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		t.applyAll(t.kept)
		return t.correctScan(ctx, r)
	}}},
	{"works on when closed", "Close/RefusesEverything", "want ErrClosed", mutant{close: func(*toy) error { return nil }}},
	{"cannot be closed twice", "Close/Twice", "Close: ", mutant{close: func(t *toy) error {
		if t.closed {
			return errors.New("closed already")
		}
		t.closed = true
		return nil
	}}},
	{"scans on when closed", "Close/EndsScan", "want ErrClosed", mutant{scan: func(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
		return func(yield func(storage.Entry, error) bool) {
			all, _ := t.snapshot(ctx, r)
			for _, e := range all {
				if !yield(e, nil) {
					return
				}
			}
		}
	}}},
	{"loses commits at the end", "Close/FinishesCommits", "Get(", mutant{reopen: func(t *toy) { clear(t.data) }}},
	{"forgets the newest when reopened", "Reopen/KeepsEverything", "Scan({", mutant{reopen: forgetLast}},
	{"forgets the newest in a crash", "Crash/KeepsCommits", "Scan({", mutant{reopen: forgetLast}},
	{"forgets long values", "Model", "", mutant{value: func(v []byte) []byte { return v[:min(len(v), 2500)] }}},
	{"scans what is there now, in the model", "Model", "with commits in its body", mutant{scan: scanLive}},
}

// scanLive reads one entry after the other, each as it is by then.
func scanLive(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		for {
			all, err := t.snapshot(ctx, r)
			if err != nil || len(all) == 0 {
				return
			}
			if !yield(all[0], nil) {
				return
			}
			if r.Reverse {
				r.End = all[0].Key
			} else {
				r.Start = storage.After(all[0].Key)
			}
		}
	}
}

// scanLocked holds the lock of the store while the body runs.
func scanLocked(ctx context.Context, t *toy, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		all, _ := t.snapshot(ctx, r)
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// checkThenAct lets another commit in between its requirements and its writes.
func checkThenAct(t *toy, b *storage.Batch) error {
	t.mu.Lock()
	err := t.require(b)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applyAll(b)
	return nil
}

// forgetLast drops what was put under the last key.
func forgetLast(t *toy) { delete(t.data, slices.Max(slices.Collect(maps.Keys(t.data)))) }
