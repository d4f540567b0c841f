package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// Update commits what f puts into an empty Batch, and does so again, with f
// called anew, for as long as the Commit ends in ErrConflict. So f reads with
// the Store's methods, requires in the Batch what it has read, and adds what
// follows from it. An error of f ends Update with that error. Any other error
// of the Commit is returned at once, and its outcome may be unknown. Do not
// require in it what f does not read anew each time, such as a Lease that may be
// lost: Update would try for as long as ctx lasts.
func Update(ctx context.Context, s Store, f func(b *Batch) error) error {
	var b Batch
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		b.Reset()
		if err := f(&b); err != nil {
			return err
		}
		if err := s.Commit(ctx, &b); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := sleep(ctx, rand.N(wait)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Sequence takes the next n numbers of the sequence stored under key and
// returns the first of them. A new sequence starts at 1. It adds to b what
// takes them, so the numbers are stored together with what they number, without
// gaps and never twice; a Commit of b that ends in ErrConflict took none. Take
// from a sequence once for each Batch.
func Sequence(ctx context.Context, s Store, b *Batch, key string, n int) (first uint64, err error) {
	if n < 1 {
		return 0, invalid(key, "%d numbers of a sequence, want at least 1", n)
	}
	data, err := s.Get(ctx, key)
	var last uint64
	switch {
	case errors.Is(err, ErrNotFound):
		b.RequireAbsent(key)
	case err != nil:
		return 0, err
	default:
		if last, err = strconv.ParseUint(string(data), 10, 64); err != nil {
			return 0, &KeyError{Key: key, Err: err}
		}
		b.Require(key, data)
	}
	b.Put(key, strconv.AppendUint(nil, last+uint64(n), 10))
	return last + 1, nil
}
