package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func open(t *testing.T, s storage.Store, opts *Options) *History {
	t.Helper()
	h, err := Open(t.Context(), s, 1, opts)
	require.NoError(t, err)
	return h
}

// newHistory returns a history in memory.
func newHistory(t *testing.T) *History {
	t.Helper()
	return open(t, memory.New(), nil)
}

// obj returns an object whose body is id and the members of a format.
func obj(id, format string, args ...any) Object {
	return Object{ID: id, Name: "name of " + id, Body: fmt.Appendf(nil, `{"id":%q,`+format+`}`, append([]any{id}, args...)...)}
}

// pass runs a complete pass that sees objects and removes what is confirmed.
func pass(t *testing.T, h *History, s diff.Rules, objects ...Object) Summary {
	t.Helper()
	return passOver(t, h, "queues", s, Walk{Complete: true}, objects...)
}

func passOver(t *testing.T, h *History, typeName string, s diff.Rules, w Walk, objects ...Object) Summary {
	t.Helper()
	p, err := h.Begin(t.Context(), typeName, s)
	require.NoError(t, err)
	for _, o := range objects {
		require.NoError(t, p.Observe(t.Context(), o))
	}
	absences, err := p.Settle(t.Context(), w)
	require.NoError(t, err)
	for _, a := range absences {
		if a.Confirmed {
			require.NoError(t, p.Remove(t.Context(), a.ID))
		}
	}
	sum, err := p.End(t.Context())
	require.NoError(t, err)
	return sum
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}

// kinds returns all changes in short: "updated a".
func kinds(t *testing.T, h *History) []string {
	t.Helper()
	var all []string
	for _, c := range collect(t, h.Changes(t.Context(), Query{Imported: true})) {
		all = append(all, string(c.Kind)+" "+c.ID)
	}
	return all
}

var errStore = errors.New("the store failed")

// A faultyStore calls before for each commit. If that returns an error, the
// commit returns it as well; if after is set, only once it was made.
type faultyStore struct {
	storage.Store
	mu     sync.Mutex
	before func() (err error, made bool)
}

func (s *faultyStore) Commit(ctx context.Context, b *storage.Batch) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before == nil {
		return s.Store.Commit(ctx, b)
	}
	fault, made := before()
	if fault != nil && !made {
		return fault
	}
	if err := s.Store.Commit(ctx, b); err != nil {
		return err
	}
	return fault
}

func (s *faultyStore) set(before func() (error, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// tick lets virtual time pass, so that the next commit has a time of its own.
func tick() time.Time {
	time.Sleep(time.Second)
	return time.Now().UTC()
}
