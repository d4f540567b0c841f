package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

// Whatever an org calls its objects and says in its errors, nothing that an example prints moves a terminal or begins a line.
func TestHostileTexts(t *testing.T) {
	bin, data := t.TempDir(), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-w", "-o", bin, "../../sync", "../../history", "../../gittree")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	org := genesystest.New(&genesystest.Options{HostileTexts: true, Size: 5, RateLimit: -1})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server, err := org.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	for _, typ := range []string{"groups", "/api/v2/flows*"} { // errors, retried and not
		org.Fail(typ, genesystest.Status(http.StatusBadRequest), -1)
	}
	org.Fail("routing.wrapupcodes", genesystest.Status(http.StatusForbidden), -1)
	config := filepath.Join(data, "org.json")
	record := map[string]any{
		"name": "Contoso", "base_url": server.URL, "client_id": genesystest.ClientID, "client_secret": genesystest.ClientSecret,
		"types": []string{"routing.queues", "routing.skills", "users", "groups", "flows", "routing.wrapupcodes", "teams", "routing.queues.members"},
	}
	text, err := json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	forged := 0
	run := func(program string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, filepath.Join(bin, program), args...).CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
			t.Fatal(err)
		}
		requireTame(t, fmt.Sprint(program, args), string(out))
		forged += strings.Count(string(out), "forged")
	}
	run("sync", "-config", config, "-data", data, "-once", "-v")
	id := ""
	for id = range org.Objects("routing.queues") {
		break
	}
	require.NoError(t, org.Update("routing.queues", id, map[string]any{"name": "Other\x1b[2J", "description": "x\ny"}))
	require.NoError(t, org.Delete("routing.skills", firstOf(org, "routing.skills")))
	run("sync", "-config", config, "-data", data, "-once")
	run("sync", "-config", config, "-data", data, "-once", "-json")
	run("sync", "-config", config, "-role")
	for _, args := range [][]string{
		{},
		{"-json"},
		{"-type", "Queues", "-id", id},
		{"-type", "Queues", "-id", id, "-json"},
		{"-type", "Queues", "-at", "1m"},
		{"-type", "Queues", "-id", id, "-at", "1m"},
		{"-type", "Queues", "-id", id, "-used"},
		{"-search", "forged"},
		{"-search", "forged", "-json"},
		{"-undo", lastChange(t, data)},
		{"-since", "1h"},
		{"-type", "Que\x1b[2Jues"},
		{"-type", "Queues", "-id", "\x1b[2J\n"},
		{"-name", "\x1b[2J\n"},
		{"-since", "\x1b[2J\n"},
	} {
		run("history", append([]string{"-data", data}, args...)...)
	}
	if _, err := exec.LookPath("git"); err == nil {
		tree := filepath.Join(data, "tree")
		run("gittree", "-data", data, "-out", tree)
		log := exec.CommandContext(t.Context(), "git", "-C", tree, "-c", "core.quotePath=false", "log", "--name-status")
		out, err := log.CombinedOutput()
		require.NoError(t, err)
		requireTame(t, "git log", string(out))
	}
	record["name"] = "Fabrikam"
	text, err = json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	require.NoError(t, org.Update("routing.queues", id, map[string]any{"description": "y\x1b[2J\nz"}))
	run("sync", "-config", config, "-data", data, "-once")
	run("history", "-data", data, "-name", "Contoso", "-compare", "Fabrikam")
	run("history", "-data", data, "-name", "Contoso", "-compare", "Fabrikam", "-json")
	require.Greater(t, forged, 30, "the texts did not get through")
}

// requireTame fails if a text holds what a terminal acts on, or a line that is the org's.
func requireTame(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
			t.Errorf("%s: %q in %q", what, r, text[max(0, i-60):min(len(text), i+20)])
			break
		}
	}
	require.True(t, utf8.ValidString(text), what)
	require.NotRegexp(t, `(?m)^\s*forged`, text, what)
	for line := range strings.Lines(text) {
		if json.Valid([]byte(line)) {
			continue // it may have a whole body
		}
		require.Less(t, len(line), 40_000, "%s: %.600s", what, line) // a body may be printed whole
	}
}

func firstOf(org *genesystest.Org, typ string) string {
	for id := range org.Objects(typ) {
		return id
	}
	return ""
}

func lastChange(t *testing.T, data string) string {
	t.Helper()
	store, err := file.Open(filepath.Join(data, "cxsync.db"), nil)
	require.NoError(t, err)
	defer store.Close()
	engine, err := environment.Open(store, nil)
	require.NoError(t, err)
	for r, err := range engine.All(t.Context()) {
		require.NoError(t, err)
		h, err := engine.History(t.Context(), r.ID)
		require.NoError(t, err)
		for c, err := range h.Changes(t.Context(), history.Query{Kinds: []history.Kind{history.KindUpdated}, Newest: true}) {
			require.NoError(t, err)
			return strconv.FormatUint(c.Seq, 10)
		}
	}
	t.Fatal("nothing changed")
	return ""
}
