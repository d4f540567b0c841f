package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
)

// pass makes a complete pass that sees these bodies, by id.
func pass(t *testing.T, h *history.History, typ string, shape diff.Rules, bodies map[string]string) {
	t.Helper()
	p, err := h.Begin(t.Context(), typ, shape)
	require.NoError(t, err)
	for _, id := range slices.Sorted(maps.Keys(bodies)) {
		o := history.Object{ID: id, Name: "name of " + id, Parent: "p/" + id, Body: []byte(bodies[id])}
		require.NoError(t, p.Observe(t.Context(), o))
	}
	absences, err := p.Settle(t.Context(), history.Walk{Complete: true})
	require.NoError(t, err)
	for _, a := range absences {
		require.NoError(t, p.Remove(t.Context(), a.ID))
	}
	_, err = p.End(t.Context())
	require.NoError(t, err)
}

// fill makes a history with every kind of change. Ids and bodies have what keys
// escape and what jsonb does not take.
func fill(t *testing.T, s storage.Store, env int64) *history.History {
	t.Helper()
	users := history.Model{AuditService: "Directory"}
	h, err := history.Open(t.Context(), s, env, &history.Options{Models: map[string]history.Model{"users": users}})
	require.NoError(t, err)
	span := map[string]history.Span{"": {Until: time.Now()}}
	require.NoError(t, h.Attribute(t.Context(), history.AuditsRead{Read: span}, nil))
	const odd = "a/b%\x00é"
	plain, ignoring := diff.Rules{}, diff.Rules{Ignore: []string{"v"}}
	see := func(shape diff.Rules, bodies map[string]string) { t.Helper(); pass(t, h, "users", shape, bodies) }
	see(plain, map[string]string{"ann": `{"v":1,"tags":["a","b"]}`, "bob": `{"v":1}`, odd: `{"v":"\u0000 \\u0000 \ud800 \ud83d\ude00"}`, "e/%": `{"v":1}`})
	see(plain, map[string]string{"ann": `{"v":2,"tags":["b","a"]}`, "cid": `{"v":9007199254740993}`, odd: `{"v":"\u0000\u0000","x":null}`, "e/%": `{"v":1}`})
	see(plain, map[string]string{"ann": `{"v":3,"tags":["b"]}`, "bob": `{"v":1}`, "cid": `{"v":1e3}`, odd: `{"v":"\udc00"}`, "e/%": `{"v":2}`})
	see(ignoring, map[string]string{"ann": `{"v":4,"tags":[]}`, "bob": `{"v":2}`, "cid": `{"v":2}`, odd: `{}`, "e/%": `{"v":2}`}) // rebases all
	see(ignoring, map[string]string{"ann": `{"v":4,"tags":["z"]}`, "cid": `{"v":2}`, odd: `{}`, "e/%": `{"v":2}`})
	pass(t, h, "flows/é", plain, map[string]string{"f": `{"n":1}`, "g": `{"n":1}`})
	pass(t, h, "flows/é", plain, map[string]string{"f": `{"n":2}`, "g": `{"n":1}`})
	var records []history.Evidence
	for c, err := range h.Changes(t.Context(), history.Query{Types: []string{"users"}, ID: "ann"}) {
		require.NoError(t, err)
		records = append(records, history.Evidence{ID: strconv.FormatUint(c.Seq, 10), At: c.At, Targets: []history.Target{{Type: "users", ID: "ann"}}, Action: "Update", Actor: history.Actor{ID: "u1", Name: "Zoë", Client: "c1"}})
	}
	require.NoError(t, h.Attribute(t.Context(), history.AuditsRead{Records: records, Read: span}, nil))
	require.NoError(t, h.Forget(t.Context(), "flows/é", "g"))
	trimmed, err := h.Trim(t.Context(), history.Retention{MaxChanges: 2}, nil)
	require.NoError(t, err)
	require.Positive(t, trimmed.Changes)
	return h
}

// rows returns what a query yields, one JSON document a row.
func rows(t *testing.T, sql string) (all []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	result, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)
	all, err = pgx.CollectRows(result, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

// document returns v as the database writes it: keys in order, and text that it
// cannot hold replaced.
func document(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	var tree any
	d := json.NewDecoder(strings.NewReader(strings.ReplaceAll(string(data), `\u0000`, `\ufffd`)))
	d.UseNumber()
	require.NoError(t, d.Decode(&tree))
	data, err = json.Marshal(tree)
	require.NoError(t, err)
	return string(data)
}

func documents(t *testing.T, all []string) []string {
	t.Helper()
	for i, doc := range all {
		all[i] = document(t, json.RawMessage(doc))
	}
	return all
}

// A clock gives times as the database has them, which rounds to microseconds in
// its own way.
type clock struct{ conn *pgx.Conn }

func newClock(t *testing.T) clock {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn(t))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return clock{conn}
}

func (c clock) micros(t *testing.T, at time.Time) any {
	t.Helper()
	if at.IsZero() {
		return nil
	}
	var n int64
	require.NoError(t, c.conn.QueryRow(t.Context(), "SELECT "+microseconds("$1::text::timestamptz"), at.Format(time.RFC3339Nano)).Scan(&n))
	return n
}

func microseconds(column string) string {
	return fmt.Sprintf("(extract(epoch from %s) * 1000000)::bigint", column)
}

func TestViewsOfHistory(t *testing.T) {
	name := schema(t)
	s := open(t, dsn(t), name)
	in := pgx.Identifier{name}.Sanitize()
	histories := []*history.History{fill(t, s, 1), fill(t, s, 10), fill(t, s, 2)}

	var b storage.Batch // what is no history, or not readable, spoils nothing
	for _, key := range []string{"history/x/log/1/2/3", "history/2/shape", "history", "history/2/head/users/broken", "environments/x", "~"} {
		b.Put(key, []byte("\x00{"))
	}
	require.NoError(t, s.Commit(t.Context(), &b))
	b.Reset()
	b.Delete("history/2/head/users/broken")
	require.NotEmpty(t, rows(t, "SELECT id FROM "+in+".objects WHERE name = '' AND id = 'broken'"))
	require.NoError(t, s.Commit(t.Context(), &b))

	c := newClock(t)
	micros := func(at time.Time) any { return c.micros(t, at) }
	kinds, attributed := map[history.Kind]bool{}, false
	var changes, fields, objects, passes []string
	for i, env := range []int64{1, 10, 2} {
		h := histories[i]
		for c, err := range h.Changes(t.Context(), history.Query{Imported: true}) {
			require.NoError(t, err)
			kinds[c.Kind] = true
			var who history.WhoStatus
			var actors []history.Actor
			if c.Who != nil && c.Type == "users" { // there are audits of users alone
				who, actors = c.Who.Status, c.Who.Actors
			}
			attributed = attributed || len(actors) > 0
			changes = append(changes, document(t, []any{env, c.Seq, c.Type, shown(c.ID), shown(c.Name), c.Kind, micros(c.At), micros(c.After), who, actors}))
			for n, f := range c.Fields {
				fields = append(fields, document(t, []any{env, c.Seq, n + 1, f.Path, f.Op, f.From, value(f.Old), value(f.New)}))
			}
		}
		for _, typ := range []string{"flows/é", "users"} {
			for hd, err := range h.Heads(t.Context(), typ) {
				require.NoError(t, err)
				body, err := h.Body(t.Context(), typ, hd.ID)
				require.NoError(t, err)
				objects = append(objects, document(t, []any{env, typ, escaped(hd.ID), shown(hd.Name), shown(hd.Parent), micros(hd.FirstSeen), micros(hd.Changed), value(body)}))
			}
		}
		for p, err := range h.Passes(t.Context()) {
			require.NoError(t, err)
			passes = append(passes, document(t, []any{env, p.Type, p.Number, micros(p.Started), micros(p.Ended), p.Complete, p.Reason, p.Objects, p.Imported, p.Created, p.Updated, p.Deleted, p.Restored, p.Unchanged, p.Withheld}))
		}
	}
	require.True(t, attributed)
	require.Len(t, kinds, 6, "kinds of changes that are left: %v", kinds)
	at := microseconds
	order := " ORDER BY environment::text, "
	require.Equal(t, changes, documents(t, rows(t, "SELECT jsonb_build_array(environment, seq, type, id, name, kind, "+at("at")+", "+at("after")+
		", coalesce(who, ''), actors) FROM "+in+".changes"+order+"seq")))
	require.Equal(t, fields, documents(t, rows(t, "SELECT jsonb_build_array(environment, seq, ordinal, path, op, coalesce(moved_from, ''), old, new) FROM "+
		in+".field_changes"+order+"seq, ordinal")))
	require.ElementsMatch(t, objects, documents(t, rows(t, "SELECT jsonb_build_array(environment, type, id, name, parent, "+at("first_seen")+", "+at("changed")+", body) FROM "+
		in+".objects WHERE live")))
	require.Equal(t, passes, documents(t, rows(t, "SELECT jsonb_build_array(environment, type, number, "+at("started")+", "+at("ended")+
		", complete, reason, objects, imported, created, updated, deleted, restored, unchanged, withheld) FROM "+in+`.passes`+order+`type COLLATE "C"`)))
	require.Equal(t, []string{"bob", "bob", "bob"}, rows(t, "SELECT id FROM "+in+".objects WHERE NOT live"))
}

// shown is what the views show for a text with a NUL or bytes that are not
// UTF-8, which JSON replaces before it is stored.
func shown(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// escaped is what they show for an id: as the key has it if it is no text.
func escaped(id string) string {
	if strings.ContainsRune(id, 0) {
		return storage.Key(id)
	}
	return id
}

// value is what they show for JSON. Half a surrogate pair has no place in it.
func value(raw []byte) any {
	if raw == nil {
		return nil
	}
	var v any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	if f, ok := v.(json.Number); ok && f == "1e3" {
		return json.Number("1000")
	}
	return v
}

func TestViewOfEnvironments(t *testing.T) {
	name := schema(t)
	s := open(t, dsn(t), name)
	in := pgx.Identifier{name}.Sanitize()
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	engine, err := environment.Open(s, &environment.Options{Vault: vault})
	require.NoError(t, err)
	for _, n := range []string{"Contoso", "Fabrikam \x00"} {
		_, err = engine.Create(t.Context(), environment.Record{
			Name: n, IsProduction: true, BaseURL: "mypurecloud.ie", ClientID: "client", ClientSecret: environment.NewSecret("wonderland"),
			RateLimitMinute: 250, RateLimitDay: 5_000_000_000, RetentionDays: 30, Types: []string{"Queues"},
		})
		if err != nil {
			require.ErrorContains(t, err, "ame") // a record may refuse such a name
		}
	}
	require.Equal(t, []string{`[1, "Contoso", true, "mypurecloud.ie", "client", 250, 0, 5000000000, [{"cron": "0 * * * *", "type": "All objects"}], 30, ["Queues"], false]`},
		rows(t, "SELECT jsonb_build_array(id, name, is_production, base_url, client_id, rate_limit_minute, rate_limit_hour, rate_limit_day, polling, retention_days, types, paused)::text FROM "+
			in+".environments WHERE id = 1"))
	require.NotContains(t, strings.Join(rows(t, "SELECT e::text FROM "+in+".environments e"), ""), "secret")

	var b storage.Batch // as records were stored when types were called objects
	b.Put("environments/0000000009", []byte(`{"id": 9, "name": "Former", "objects": ["Users"]}`))
	require.NoError(t, s.Commit(t.Context(), &b))
	require.Equal(t, []string{`["Users"]`}, rows(t, "SELECT types::text FROM "+in+".environments WHERE id = 9"))
}

// TestReadOnlyRole grants what the documentation says, and nothing else may be
// read.
func TestReadOnlyRole(t *testing.T) {
	name := schema(t)
	s := open(t, dsn(t), name)
	fill(t, s, 1)
	in := pgx.Identifier{name}.Sanitize()
	role := pgx.Identifier{"reports " + name}.Sanitize()
	run(t, "CREATE ROLE "+role)
	t.Cleanup(func() { run(t, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	views := []string{"environments", "objects", "changes", "field_changes", "passes"}
	run(t, "GRANT USAGE ON SCHEMA "+in+" TO "+role+"; GRANT SELECT ON "+in+"."+strings.Join(views, ", "+in+".")+" TO "+role)
	conn, err := pgx.Connect(t.Context(), dsn(t))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	_, err = conn.Exec(t.Context(), "SET ROLE "+role)
	require.NoError(t, err)
	for _, view := range views {
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(v) FROM "+in+"."+view+" v").Scan(&n), view)
	}
	for _, sql := range []string{
		"SELECT key FROM " + in + ".entries", "SELECT * FROM " + in + ".log", "SELECT * FROM " + in + ".histories",
		"SELECT " + in + ".commit_batch('{}', '{}', '{a}', '{NULL}', '{}', '{}', '{}', '{}', '{}')",
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
	// The store of a role without rights says which are missing.
	_, err = postgres.Open(t.Context(), dsn(t)+" role="+quoteDSN("reports "+name), &postgres.Options{Schema: name})
	require.ErrorContains(t, err, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+in+".entries")
}

func quoteDSN(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
