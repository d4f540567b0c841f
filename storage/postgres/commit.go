package postgres

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cxsync/cxsync/storage"
)

// Commit implements storage.Store. It is one statement, hence one transaction
// and one round trip; three where the server's default is another isolation.
func (s *Store) Commit(ctx context.Context, b *storage.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if b.Len() == 0 {
		return nil
	}
	args := s.plan(b)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		isolates := s.isolates.Load()
		err := s.tryCommit(ctx, args, isolates)
		if code(err) == invalidTransactionState && !isolates {
			s.isolates.Store(true)
			continue
		}
		if !storedNothing(err) {
			return err
		}
		select {
		case <-time.After(rand.N(wait)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) tryCommit(ctx context.Context, args []any, isolates bool) error {
	var conflict *string
	var err error
	if isolates {
		err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, s.sql.commit, args...).Scan(&conflict)
		})
	} else {
		err = s.pool.QueryRow(ctx, s.sql.commit, args...).Scan(&conflict)
	}
	if err != nil {
		return s.failed(ctx, "", err)
	}
	if conflict != nil {
		return storage.Requirement{Key: *conflict}.Conflict()
	}
	return nil
}

// plan returns the arguments of commit_batch: what b comes to in the end. All
// ranges are deleted first, and each key has one operation left.
func (s *Store) plan(b *storage.Batch) []any {
	l := locks{schema: s.opts.Schema, prefixes: map[string]bool{}}
	var requireKeys, starts, deletes, puts []string
	var requireValues, values [][]byte
	var ends []*string
	for r := range b.Requirements() {
		l.key(r.Key, false)
		requireKeys = append(requireKeys, r.Key)
		requireValues = append(requireValues, required(r))
	}
	last := map[string][]byte{} // nil: deleted
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			last[op.Key] = present(op.Value)
		case storage.OpDelete:
			last[op.Key] = nil
		case storage.OpDeleteRange:
			if op.Range.Empty() {
				continue
			}
			maps.DeleteFunc(last, func(key string, _ []byte) bool { return op.Range.Contains(key) })
			l.deleted(op.Range)
			starts = append(starts, op.Range.Start)
			ends = append(ends, upper(op.Range))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(last)) {
		l.key(key, true)
		if value := last[key]; value == nil {
			deletes = append(deletes, key)
		} else {
			puts = append(puts, key)
			values = append(values, value)
		}
	}
	numbers, exclusive := l.arrays()
	return []any{
		mode, numbers, exclusive,
		list(requireKeys), list(requireValues), list(starts), list(ends), list(deletes), list(puts), list(values),
	}
}

// present returns value, which is there even if it is empty: not NULL.
func present(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

func required(r storage.Requirement) []byte {
	if r.Absent {
		return nil
	}
	return present(r.Value)
}

func upper(r storage.Range) *string {
	if r.End == "" {
		return nil
	}
	return new(r.End)
}

// list makes of nil an empty array, not NULL.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
