package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/hostile"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

func TestMain(m *testing.M) { hostile.Main(m, main) }

func TestHostileTexts(t *testing.T) {
	data := t.TempDir()
	queue := hostile.Record(t, data)
	forged := 0
	for _, args := range [][]string{
		{},
		{"-json"},
		{"-type", "Queues", "-id", queue},
		{"-type", "Queues", "-id", queue, "-json"},
		{"-type", "Queues", "-at", "1m"},
		{"-type", "Queues", "-id", queue, "-at", "1m"},
		{"-type", "Queues", "-id", queue, "-used"},
		{"-search", "forged"},
		{"-search", "forged", "-json"},
		{"-undo", lastChange(t, data)},
		{"-since", "1h"},
		{"-type", "Que\x1b[2Jues"},
		{"-type", "Queues", "-id", "\x1b[2J\n"},
		{"-name", "\x1b[2J\n"},
		{"-since", "\x1b[2J\n"},
		{"-compare", "Fabrikam"},
		{"-compare", "Fabrikam", "-json"},
	} {
		out := hostile.Run(t, append([]string{"-data", data, "-name", "Contoso"}, args...)...)
		forged += strings.Count(out, "forged")
	}
	require.Greater(t, forged, 300, "the texts did not get through")
}

// lastChange returns the number of the newest update of Contoso.
func lastChange(t *testing.T, data string) string {
	t.Helper()
	store, err := file.Open(filepath.Join(data, "cxsync.db"), nil)
	require.NoError(t, err)
	defer store.Close()
	engine, err := environment.Open(store, nil)
	require.NoError(t, err)
	r, err := engine.Find(t.Context(), "Contoso")
	require.NoError(t, err)
	h, err := engine.History(t.Context(), r.ID)
	require.NoError(t, err)
	for c, err := range h.Changes(t.Context(), history.Query{Kinds: []history.Kind{history.KindUpdated}, Newest: true}) {
		require.NoError(t, err)
		return strconv.FormatUint(c.Seq, 10)
	}
	t.Fatal("nothing changed")
	return ""
}
