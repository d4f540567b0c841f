package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

// Each question has an answer for people, which no name can tear apart, and one of JSON lines.
func TestQuestions(t *testing.T) {
	folder := t.TempDir()
	org := genesystest.New(nil)
	store, err := file.Open(filepath.Join(folder, "cxsync.db"), nil)
	require.NoError(t, err)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	require.NoError(t, err)
	skill, err := org.Create("routing.skills", map[string]any{"name": "evil\x1b[2J\nname"})
	require.NoError(t, err)
	var ids []int64
	for _, name := range []string{"Test", "Production"} {
		r, err := engine.Create(t.Context(), environment.Record{
			Name: name, BaseURL: org.BaseURL(), ClientID: genesystest.ClientID,
			ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: []string{"ACD skills", "Queues"},
		})
		require.NoError(t, err)
		_, err = engine.Import(t.Context(), r.ID, nil)
		require.NoError(t, err)
		ids = append(ids, r.ID)
	}
	require.NoError(t, org.Update("routing.skills", skill, map[string]any{"name": "renamed\x1b[2J"}))
	_, err = engine.Poll(t.Context(), ids[0], "ACD skills")
	require.NoError(t, err)
	h, err := engine.History(t.Context(), ids[0])
	require.NoError(t, err)
	seq := uint64(0)
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		seq = c.Seq
	}
	require.NoError(t, engine.Close(t.Context()))
	require.NoError(t, store.Close())

	for name, test := range map[string]struct {
		o    options
		want string
	}{
		"timeline":     {options{}, "updated"},
		"search":       {options{questions: questions{search: "renamed"}}, "at /name"},
		"none":         {options{questions: questions{search: "not there"}}, "no hits"},
		"used nowhere": {options{objectType: "ACD skills", id: skill, questions: questions{used: true}}, "no references"},
		"compare":      {options{questions: questions{compare: "Production"}}, "is on the first side only"},
		"types":        {options{questions: questions{types: true}}, "routing.skills  good"},
		"undo":         {options{questions: questions{undo: seq}}, "update routing.skills"},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.data, test.o.name = folder, "Test"
			var out strings.Builder
			require.NoError(t, show(t.Context(), test.o, &out))
			require.Contains(t, out.String(), test.want)
			require.NotContains(t, out.String(), "\x1b")
			out.Reset()
			test.o.json = true
			require.NoError(t, show(t.Context(), test.o, &out))
			for line := range strings.Lines(out.String()) {
				var event struct{ Event string }
				require.NoError(t, json.Unmarshal([]byte(line), &event))
				require.NotEmpty(t, event.Event)
			}
		})
	}
	require.ErrorContains(t, show(t.Context(), options{data: folder, name: "Test", questions: questions{used: true}}, &strings.Builder{}), "-used needs")
}
