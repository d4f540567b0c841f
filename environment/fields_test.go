package environment_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
)

// Of every type, what the table calls noise is no change wherever it stands, a
// set may be in any order, and what stands beside it is compared.
func TestFieldsOfEveryType(t *testing.T) {
	secret := new([32]byte{1})
	for typ := range genesys.DefaultCatalogue().All() {
		rules := rulesOf(t, typ)
		same := func(path, a, b string) bool {
			one, err := rules.Digest(secret, nested(path, a))
			require.NoError(t, err)
			other, err := rules.Digest(secret, nested(path, b))
			require.NoError(t, err)
			return one == other
		}
		for _, f := range typ.Uncompared() {
			if f.Class == genesys.FieldBorrowed {
				holder, name := splitPath(f.Path)
				require.True(t, same(holder, `{"id":"x","`+name+`":"a"}`, `{"id":"x","`+name+`":"b"}`), "%s %s", typ.Name, f.Path)
				require.False(t, same(holder, `{"`+name+`":"a"}`, `{"`+name+`":"b"}`), "%s %s", typ.Name, f.Path)
				require.False(t, same(holder, `{"id":"x","`+name+`":"a"}`, `{"id":"y","`+name+`":"a"}`), "%s %s", typ.Name, f.Path)
				continue
			}
			ignored := f.Settles == nil && !f.Query && f.Class != genesys.FieldSecret
			require.Equal(t, ignored, same(f.Path, `"2026-01-01"`, `7`), "%s %s", typ.Name, f.Path)
			require.False(t, same(f.Path+"Else", `1`, `2`), "%s %s", typ.Name, f.Path)
		}
		for _, path := range typ.Sets {
			require.True(t, same(path, `["a",{"id":"b","n":1},"c"]`, `["c","a",{"n":1,"id":"b"}]`), "%s %s", typ.Name, path)
			require.False(t, same(path, `["a","b"]`, `["a","c"]`), "%s %s", typ.Name, path)
		}
	}
}

// rulesOf returns how bodies of a type compare.
func rulesOf(t *testing.T, typ genesys.ObjectType) *diff.Comparer {
	t.Helper()
	rules, err := diff.Compile(diff.Rules{Ignore: typ.Ignored(), Sets: typ.Sets, Borrowed: typ.Borrowed})
	require.NoError(t, err, typ.Name)
	return rules
}

// splitPath returns the path of what holds a member, and a name for the member; ** is no level, * any name.
func splitPath(path string) (holder, name string) {
	path = strings.ReplaceAll(path, "**.", "")
	holder, name = "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		holder, name = path[:i], path[i+1:]
	}
	return holder, strings.ReplaceAll(name, "*", "any")
}

// nested returns a body with a value at a path of rules.
func nested(path, value string) []byte {
	if path == "" {
		return []byte(value)
	}
	names := strings.Split(path, ".")
	for _, name := range slices.Backward(names) {

		if name == "*" || strings.HasPrefix(name, "**") {
			name = "any" + strings.TrimLeft(name, "*")
		}
		value = fmt.Sprintf(`{%q:%s}`, name, value)
	}
	return []byte(value)
}

// Orders of people stay orders, and what tells of an edit counts.
func TestFieldsThatCount(t *testing.T) {
	for _, test := range []struct{ typ, a, b string }{
		{"outbound.contactlists", `{"phoneColumns":[{"columnName":"home"},{"columnName":"cell"}]}`, `{"phoneColumns":[{"columnName":"cell"},{"columnName":"home"}]}`},
		{"outbound.campaigns", `{"phoneColumns":[{"columnName":"home"},{"columnName":"cell"}]}`, `{"phoneColumns":[{"columnName":"cell"},{"columnName":"home"}]}`},
		{"outbound.campaigns", `{"contactSorts":[{"fieldName":"a"},{"fieldName":"b"}]}`, `{"contactSorts":[{"fieldName":"b"},{"fieldName":"a"}]}`},
		{"outbound.sequences", `{"campaigns":[{"id":"a"},{"id":"b"}]}`, `{"campaigns":[{"id":"b"},{"id":"a"}]}`},
		{"telephony.sites", `{"mediaRegions":["us-east-1","eu-west-1"]}`, `{"mediaRegions":["eu-west-1","us-east-1"]}`},
		{"telephony.sites.numberplans", `{"priority":1}`, `{"priority":2}`},
		{"telephony.outboundroutes", `{"externalTrunkBases":[{"id":"a"},{"id":"b"}]}`, `{"externalTrunkBases":[{"id":"b"},{"id":"a"}]}`},
		{"quality.forms.evaluations", `{"questionGroups":[{"id":"a"},{"id":"b"}]}`, `{"questionGroups":[{"id":"b"},{"id":"a"}]}`},
		{"architect.grammars.languages", `{"voiceFileMetadata":{"dateUploaded":"1"}}`, `{"voiceFileMetadata":{"dateUploaded":"2"}}`},
		{"integrations.credentials", `{"modifiedDate":"1"}`, `{"modifiedDate":"2"}`},
		{"oauth.clients", `{"dateModified":"1"}`, `{"dateModified":"2"}`},
		{"greetings", `{"modifiedDate":"1"}`, `{"modifiedDate":"2"}`},
		{"architect.prompts.resources", `{"mediaUri":"https://h/a.wav"}`, `{"mediaUri":"https://h/b.wav"}`},
		{"webdeployments.deployments", `{"configuration":{"version":"1"}}`, `{"configuration":{"version":"2"}}`},
		{"users", `{"station":{"defaultStation":{"id":"a"}}}`, `{"station":{"defaultStation":{"id":"b"}}}`},
		{"flows.datatables.rows", `{"key":"1","dateModified":"a"}`, `{"key":"1","dateModified":"b"}`},
		{"flows.datatables.rows", `{"key":"1","selfUri":"a"}`, `{"key":"1","selfUri":"b"}`},
	} {
		typ, ok := genesys.DefaultCatalogue().Lookup(test.typ)
		require.True(t, ok, test.typ)
		rules := rulesOf(t, typ)
		secret := new([32]byte{1})
		one, err := rules.Digest(secret, []byte(test.a))
		require.NoError(t, err)
		other, err := rules.Digest(secret, []byte(test.b))
		require.NoError(t, err)
		require.NotEqual(t, one, other, "%s: %s is not %s", test.typ, test.a, test.b)
	}
}

// What must not pass the border is in no store, no change and no log, wherever
// it stands; and a new signature or a state that settles is no change.
func TestBorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		dir := t.TempDir()
		store, err := file.Open(filepath.Join(dir, "cxsync.db"), nil)
		require.NoError(t, err)
		var log strings.Builder
		types := []string{"routing.queues", "flows.datatables", "flows.datatables.rows", "webdeployments.deployments"}
		engine := open(t, org, store, func(o *environment.Options) { o.Logger = debugLog(&log) })
		env := create(t, engine, recordOf(org, types...))
		_, err = engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)

		var planted []string
		plant := func(what string) string {
			planted = append(planted, fmt.Sprintf("%s-planted-%d", what, len(planted)))
			return planted[len(planted)-1]
		}
		signed := func(query string) string { return "https://files.invalid/logo.png?v=1&" + query + plant("signature") }
		update := func(typ string, patch any) {
			require.NoError(t, org.Update(typ, firstID(t, org.Objects(typ)), patch))
		}
		poll := func() (updated int) {
			time.Sleep(time.Hour)
			results, err := engine.Poll(t.Context(), env.ID, types...)
			require.NoError(t, err)
			for _, r := range results {
				updated += r.Updated
			}
			return updated
		}
		masked := func(typ string) bool {
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			for _, s := range status.Types {
				if s.Type == typ {
					return s.Masked
				}
			}
			return false
		}
		update("routing.queues", map[string]any{"x": map[string]any{
			"dbPassword": plant("string"), "token": map[string]any{"value": map[string]any{"instance": plant("below")}, "list": []string{plant("list")}},
			"properties": []any{map[string]any{"value": plant("value"), "key": "API-Key"}, map[string]any{"name": "client secret", "value": []string{plant("values")}}},
			"logo":       signed("Signature="), "text": "see " + signed("X-Amz-Signature=") + " today", "hook": "https://hooks.invalid/a?access_token=" + plant("token") + "&b=1",
		}})
		update("webdeployments.deployments", map[string]any{"status": "Active"})
		require.False(t, masked("flows.datatables.rows"))
		update("flows.datatables.rows", map[string]any{"Door Token": plant("column"), "colour": "red"})
		require.NotZero(t, poll())
		require.True(t, masked("flows.datatables.rows"), "something is not compared")
		require.False(t, masked("webdeployments.deployments"))

		update("routing.queues", map[string]any{"x": map[string]any{
			"dbPassword": plant("string"), "token": map[string]any{"value": map[string]any{"instance": plant("below")}, "list": []string{plant("list")}},
			"properties": []any{map[string]any{"value": plant("value"), "key": "API-Key"}, map[string]any{"name": "client secret", "value": []string{plant("values")}}},
			"logo":       signed("Signature="), "text": "see " + signed("X-Amz-Signature=") + " today", "hook": "https://hooks.invalid/a?access_token=" + plant("token") + "&b=1",
		}})
		update("webdeployments.deployments", map[string]any{"status": "Pending"})
		update("flows.datatables.rows", map[string]any{"Door Token": plant("column")})
		require.Zero(t, poll(), "nothing that is compared has changed")
		update("webdeployments.deployments", map[string]any{"status": "Inactive"})
		update("flows.datatables.rows", map[string]any{"colour": "blue"})
		require.Equal(t, 2, poll())

		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		var told strings.Builder
		for c, err := range h.Changes(t.Context(), history.Query{}) {
			require.NoError(t, err)
			text, err := json.Marshal(c)
			require.NoError(t, err)
			told.Write(text)
		}
		require.Contains(t, told.String(), genesys.SecretMark)
		require.Contains(t, told.String(), "https://files.invalid/logo.png")
		require.NoError(t, store.Close())
		written := filesIn(t, dir)
		written["the changes"], written["the log"] = told.String(), log.String()
		for where, text := range written {
			for _, what := range planted {
				require.NotContains(t, text, what, where)
			}
		}
	})
}

// States that move by themselves, in every answer of the service, are no change of any type.
func TestStatesThatMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{MoveStates: true})
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		ignored := 0
		for _, p := range pollAll(t, engine, env.ID) {
			require.True(t, p.Complete, "%s: %s %s", p.Type, p.Unavailable, p.Reason)
			ignored += p.Ignored
		}
		require.Empty(t, changes(t, engine, env.ID, history.Query{}))
		require.Greater(t, ignored, 100, "objects whose states moved")
	})
}
