package environment_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// What an org says never moves a terminal, begins a line of ours or takes much room: in the status, the log, the result of an
// import and of a validation, whatever half of the types answer.
func TestHostileTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{HostileTexts: true, Name: "Contoso" + genesystest.HostileText, Size: 3, LogSize: 1, RateLimit: -1, Permissions: []string{"routing:*:*", "directory:*:*"}})
		var log bytes.Buffer
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		r := recordOf(org)
		for typ := range genesys.DefaultCatalogue().All() {
			if len(r.Types) < 60 && typ.Parent == "" {
				r.Types = append(r.Types, typ.Name)
				switch len(r.Types) % 4 {
				case 0:
					org.Fail(typ.Name, genesystest.Status(http.StatusBadRequest), -1)
				case 1:
					org.Fail(typ.Name, genesystest.Status(http.StatusUnprocessableEntity), -1)
				}
			}
		}
		env := create(t, engine, r)
		v, err := engine.Validate(t.Context(), env.ID)
		require.NoError(t, err)
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.NotEmpty(t, result.Failed)
		status, err := engine.Status(t.Context(), env.ID)
		require.NoError(t, err)
		text, err := json.Marshal(status)
		require.NoError(t, err)
		require.Less(t, len(text), 1<<20)
		said := []string{v.String(), log.String()}
		for _, f := range result.Failed {
			said = append(said, f.Error())
		}
		for _, s := range status.Types {
			said = append(said, s.Unavailable, s.Reason)
		}
		var decoded any
		require.NoError(t, json.Unmarshal(text, &decoded))
		said = append(said, texts(decoded)...)
		forged := 0
		for _, s := range said {
			require.False(t, strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }), "%.300q", s)
			require.NotRegexp(t, `(?m)^\s*forged`, s)
			forged += strings.Count(s, "forged")
		}
		require.Greater(t, forged, 30, "the texts did not get through")
		for line := range strings.Lines(log.String()) {
			require.Less(t, len(line), 10_000, "%.500s", line)
		}
	})
}

// texts are all strings in a decoded JSON value, the names of members as well.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	case map[string]any:
		for name, e := range v {
			all = append(append(all, name), texts(e)...)
		}
	}
	return all
}
