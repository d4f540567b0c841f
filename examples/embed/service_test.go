package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// full is a store whose disk is full, so that it has to be opened again.
type full struct {
	storage.Store
	is atomic.Bool
}

func (s *full) Get(ctx context.Context, key string) ([]byte, error) {
	if s.is.Load() {
		return nil, fmt.Errorf("%w: %w", storage.ErrFailed, syscall.ENOSPC)
	}
	return s.Store.Get(ctx, key)
}

// Whoever looks after the process sees that it does not poll any more.
func TestServeEndsWithTheStore(t *testing.T) {
	store := &full{Store: memory.New()}
	s := testService(t, genesystest.New(nil), store, genesystest.ClientSecret)
	listener, err := cli.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	store.is.Store(true)
	require.ErrorIs(t, s.serve(t.Context(), listener), storage.ErrFailed)
	send(t, s.handler(t.Context()), "GET /healthz", http.StatusServiceUnavailable, nil)
}
