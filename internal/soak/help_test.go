package soak_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// synced is an environment with its engine and its org.
type synced struct {
	*environment.Engine
	org *genesystest.Org
	id  int64
}

func (s *synced) changes(t *testing.T) (all []history.Change) {
	t.Helper()
	h, err := s.History(t.Context(), s.id)
	require.NoError(t, err)
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// runInBackground runs the engine until stop is called, which returns when it has ended.
func runInBackground(t *testing.T, engine *environment.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { require.NoError(t, engine.Run(ctx)) })
	return func() {
		cancel()
		wg.Wait()
	}
}

var testKey = bytes.Repeat([]byte{7}, 32)

func open(t *testing.T, org *genesystest.Org, store storage.Store, edit func(*environment.Options)) *environment.Engine {
	t.Helper()
	vault, err := environment.NewKeyVault(testKey)
	require.NoError(t, err)
	opts := &environment.Options{Vault: vault, Transport: org.Transport()}
	if edit != nil {
		edit(opts)
	}
	engine, err := environment.Open(store, opts)
	require.NoError(t, err)
	return engine
}

func recordOf(org *genesystest.Org, types ...string) environment.Record {
	c := org.Config()
	return environment.Record{
		Name: "Test", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID,
		ClientSecret: environment.NewSecret(c.ClientSecret), Types: types,
	}
}

func create(t *testing.T, engine *environment.Engine, r environment.Record) environment.Record {
	t.Helper()
	r, err := engine.Create(t.Context(), r)
	require.NoError(t, err)
	return r
}

// errKilled is what a process that has been killed gets from its store and its network.
var errKilled = errors.New("killed")

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
