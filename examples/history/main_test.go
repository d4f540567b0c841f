package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/ask"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/file"
)

// A store is read by itself, and by -url while the process that has it runs.
func TestWhereItReads(t *testing.T) {
	folder := t.TempDir()
	store, err := file.Open(filepath.Join(folder, "cxsync.db"), nil)
	require.NoError(t, err)
	org := genesystest.New(nil)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	require.NoError(t, err)
	server := httptest.NewServer(ask.Handler(engine))
	defer server.Close()
	history := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(t.Context(), args, &out)
		return out.String(), err
	}
	_, err = history("-url", server.URL)
	require.ErrorContains(t, err, "there is none yet")
	env, err := engine.Create(t.Context(), environment.Record{
		Name: "Test", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID,
		ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: []string{"ACD skills"},
	})
	require.NoError(t, err)
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	_, err = org.Create("routing.skills", map[string]any{"name": "French"})
	require.NoError(t, err)
	_, err = engine.Poll(t.Context(), env.ID)
	require.NoError(t, err)

	_, err = history("-data", folder)
	require.ErrorContains(t, err, "ask it with -url")
	running, err := history("-url", server.URL+"/", "-type", "ACD skills", "-since", "1h")
	require.NoError(t, err)
	require.Contains(t, running, `created  routing.skills "French"`)
	_, err = history("-url", server.URL, "-data", folder)
	require.ErrorContains(t, err, "do not go together")
	require.NoError(t, engine.Close(t.Context()))
	require.NoError(t, store.Close())

	stopped, err := history("-data", folder, "-type", "ACD skills", "-since", "1h")
	require.NoError(t, err)
	require.Equal(t, running, stopped)
	_, err = history("-data", filepath.Join(folder, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, filepath.Join(folder, "nowhere"))
	_, err = history("-data", folder, "Queues")
	require.ErrorContains(t, err, `unexpected argument "Queues"`)
}
