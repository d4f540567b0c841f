package file

import (
	"context"
	"iter"

	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// Sizes of the chunks that a scan reads at once: the first one is small for
// scans that stop early, then they grow.
const (
	minChunk = 4 << 10
	maxChunk = 64 << 10
)

// A scan reads a snapshot in chunks, each in a short transaction of its own: one
// that stayed open while the caller's code runs would keep bbolt from growing
// its map, and a commit in that code would wait for ever. What commits change
// between two chunks the scan gets as undo records beforehand, and prefers to
// what the file holds by then. So the memory of a scan depends on what changes
// meanwhile, not on what it reads.
//
// The invariant: for each key of rest, old holds what the snapshot had, nil if it was
// absent, or the file still does.
type scan struct {
	rest storage.Range            // what is still to be read
	old  btree.Map[string, entry] // of the snapshot that have changed since
	all  bool                     // keep the records of what has been read too: Compact asks what changed
}

// keep takes over what a commit changes, unless an earlier one changed it first.
// The caller holds Store.mu.
func (sc *scan) keep(changed undo, coder *coder) {
	for key, raw := range changed {
		if !sc.all && !sc.rest.Contains(key) {
			continue
		}
		if _, ok := sc.old.Get(key); !ok {
			sc.old.Set(key, entry{key, raw, coder})
		}
	}
}

// An entry is a key and what the file holds for it, or held: the coder is the one
// of that time.
type entry struct {
	key   string
	raw   []byte
	coder *coder
}

// Scan implements storage.Store.
func (s *Store) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		sc := s.openScan(r, false)
		defer s.closeScan(sc)
		for e, err := range s.rawEntries(ctx, sc) {
			var value []byte
			if err == nil {
				value, err = e.coder.decode(e.key, e.raw)
			}
			if err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if !yield(storage.Entry{Key: e.key, Value: value}, nil) {
				return
			}
		}
	}
}

// openScan begins a snapshot. A commit that is being written is not in it, so the
// scan takes over its undo records.
func (s *Store) openScan(r storage.Range, all bool) *scan {
	sc := &scan{rest: r, all: all}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scans[sc] = struct{}{}
	sc.keep(s.undo, s.codec.coder.Load())
	return sc
}

func (s *Store) closeScan(sc *scan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.scans, sc)
}

// rawEntries iterates over the snapshot of sc. The caller owns the memory of the
// entries. No lock is held while the caller's code runs, which may commit.
func (s *Store) rawEntries(ctx context.Context, sc *scan) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for size := minChunk; !sc.rest.Empty(); size = min(4*size, maxChunk) {
			chunk, err := s.readChunk(ctx, sc, size)
			if err != nil {
				yield(entry{}, err)
				return
			}
			for _, e := range chunk {
				if err := s.ready(ctx); err != nil {
					yield(entry{}, err)
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			if len(chunk) == 0 {
				return
			}
		}
	}
}

// readChunk returns about size bytes of what sc has still to read, and nothing
// at the end.
func (s *Store) readChunk(ctx context.Context, sc *scan, size int) (chunk []entry, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	err = guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			chunk = sc.read(tx.Bucket(dataBucket).Cursor(), s.codec.coder.Load(), size)
			return nil
		})
	})
	if len(chunk) > 0 {
		sc.skip(chunk[len(chunk)-1].key)
	}
	return chunk, err
}

// skip makes key the last one that has been read.
func (sc *scan) skip(key string) {
	if sc.rest.Reverse {
		sc.rest.End = key
	} else {
		sc.rest.Start = storage.After(key)
	}
}

// read merges what the file holds with sc.old, which has precedence: a key of both is
// taken from there, and one that the snapshot did not have is left out. The values are
// copied, because those of the file are valid within the transaction only.
func (sc *scan) read(c *bbolt.Cursor, coder *coder, size int) (chunk []entry) {
	now := fileCursor{cursor: c, entry: entry{coder: coder}}
	now.first(sc.rest)
	old := oldCursor{iter: sc.old.Iter()}
	old.first(sc.rest)
	arena := make([]byte, 0, size)
	for used := 0; used < size && (now.ok || old.ok); {
		e := now.entry
		if old.ok && (!now.ok || old.key == now.key || (old.key < now.key) != sc.rest.Reverse) {
			e = old.entry
			old.next(sc.rest)
		}
		if now.ok && now.key == e.key {
			now.next(sc.rest)
		}
		if e.raw == nil {
			continue // absent in the snapshot
		}
		start := len(arena)
		arena = append(arena, e.raw...)
		e.raw = arena[start:len(arena):len(arena)]
		chunk = append(chunk, e)
		used += len(e.key) + len(e.raw)
	}
	return chunk
}
