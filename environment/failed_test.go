package environment_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// breakable is a store that can end up in a state that only opening it again ends.
type breakable struct {
	storage.Store
	broken atomic.Bool
}

func (s *breakable) fault() error {
	if s.broken.Load() {
		return fmt.Errorf("test: %w: %w", storage.ErrFailed, syscall.ENOSPC)
	}
	return nil
}

func (s *breakable) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *breakable) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	if err := s.fault(); err != nil {
		return func(yield func(storage.Entry, error) bool) { yield(storage.Entry{}, err) }
	}
	return s.Store.Scan(ctx, r)
}

func (s *breakable) Commit(ctx context.Context, b *storage.Batch) error {
	if err := s.fault(); err != nil {
		return err
	}
	return s.Store.Commit(ctx, b)
}

// What runs until its context ends does not go on over a store that is over:
// nobody would notice.
func TestStoreThatIsOver(t *testing.T) {
	for name, end := range map[string]func(*breakable) error{
		"failed": func(s *breakable) error { s.broken.Store(true); return storage.ErrFailed },
		"closed": func(s *breakable) error { _ = s.Close(); return storage.ErrClosed },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := genesystest.New(nil)
				store := &breakable{Store: memory.New()}
				engine := open(t, org, store, func(o *environment.Options) { o.Lease = 30 * time.Second })
				r := recordOf(org, "routing.skills", "groups")
				r.Polling = every("*/5")
				env := create(t, engine, r)
				ended := make(chan error, 3)
				go func() { ended <- engine.Run(t.Context()) }()
				for _, name := range []string{"one", "two"} {
					go func() {
						ended <- engine.Follow(t.Context(), env.ID, name, func(context.Context, history.Change) error { return nil }, nil)
					}()
				}
				time.Sleep(time.Hour)
				require.Empty(t, ended)
				want := end(store)
				over := time.Now()
				for range 3 {
					require.ErrorIs(t, <-ended, want)
				}
				require.LessOrEqual(t, time.Since(over), 30*time.Second/6)
			})
		})
	}
}
