package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
)

// settings are some that a server, database, role or DSN may have, and that give
// statements another meaning or another outcome.
var settings = []string{
	"default_transaction_isolation=serializable",
	`default_transaction_isolation=repeatable\ read`,
	"standard_conforming_strings=off",
	"backslash_quote=off",
	"bytea_output=escape",
	"DateStyle=German,DMY",
	"TimeZone=Asia/Kathmandu",
	"search_path=nowhere",
	"array_nulls=off",
	"transform_null_equals=on",
	"plpgsql.variable_conflict=use_column",
	"plpgsql.extra_errors=all",
	"max_stack_depth=100kB",
	"default_transaction_deferrable=on",
	"lock_timeout=1",
}

// TestSettingsOfTheSession creates a store under each of these settings and uses it:
// commits, reads and views do what they do without.
func TestSettingsOfTheSession(t *testing.T) {
	want := ""
	for _, setting := range append([]string{""}, settings...) {
		with := dsn(t)
		if setting != "" {
			with += " options=" + quoteDSN("-c "+setting)
		}
		name := schema(t)
		s := open(t, with, name)
		h, err := history.Open(t.Context(), s, 1, nil)
		require.NoError(t, err)
		pass(t, h, "users/é", diff.Rules{}, map[string]string{"a/b%\x00é": `{"v":"\u0000 \\u0000 \ud800"}`, "b": `{"v":1e200000}`})
		pass(t, h, "users/é", diff.Rules{}, map[string]string{"a/b%\x00é": `{"v":"\u0000\u0000","x":null}`, "b": `{"v":1}`})
		var b storage.Batch
		b.RequireAbsent("a")
		b.Put("a", []byte("\x00\\ \xff'"))
		require.NoError(t, s.Commit(t.Context(), &b), setting)
		require.ErrorIs(t, s.Commit(t.Context(), &b), storage.ErrConflict, setting)
		value, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "\x00\\ \xff'", string(value), setting)

		conn, err := pgx.Connect(t.Context(), with)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "SET jit = off") // to compile takes longer than to run
		require.NoError(t, err)
		in := pgx.Identifier{name}.Sanitize()
		result, err := conn.Query(t.Context(), "SELECT to_json(ARRAY[v.type, v.id, v.name, v.kind])::text FROM "+in+".changes v"+
			" UNION ALL SELECT to_json(ARRAY[v.path, v.op, v.old::text, v.new::text])::text FROM "+in+".field_changes v"+
			" UNION ALL SELECT to_json(ARRAY[v.type, v.id, v.body::text])::text FROM "+in+`.objects v ORDER BY 1`)
		require.NoError(t, err)
		all, err := pgx.CollectRows(result, pgx.RowTo[string])
		require.NoError(t, err, setting)
		require.NoError(t, conn.Close(t.Context()))
		shown := strings.Join(all, "\n")
		if setting == "" {
			require.Len(t, all, 4+3+2, shown)
			want = shown
		}
		require.Equal(t, want, shown, setting)
	}
}

// TestEncodingOfTheClient: a store writes UTF-8 whatever encoding the DSN names. A pool
// of another encoding would write keys that other processes read as other keys, so it
// is refused.
func TestEncodingOfTheClient(t *testing.T) {
	latin := dsn(t) + " client_encoding=LATIN1"
	name := schema(t)
	s := open(t, latin, name)
	var b storage.Batch
	b.Put("é", nil)
	require.NoError(t, s.Commit(t.Context(), &b))
	require.Equal(t, []string{"é"}, rows(t, "SELECT key FROM "+pgx.Identifier{name}.Sanitize()+".entries"))

	pool, err := pgxpool.New(t.Context(), latin)
	require.NoError(t, err)
	defer pool.Close()
	_, err = postgres.New(t.Context(), pool, &postgres.Options{Schema: name})
	require.ErrorContains(t, err, "the connections of the pool have the client_encoding LATIN1: set it to UTF8")
}

// TestViewsOfHostileValues records values that jsonb cannot hold beside others, which
// all show.
func TestViewsOfHostileValues(t *testing.T) {
	digits := strings.Repeat("7", 140_000)
	same := strings.Repeat("the same ", 40_000) // beside it a change of two fields is not one of the whole body
	deep := func(open, end string) string { return strings.Repeat(open, 900) + "1" + strings.Repeat(end, 900) }
	for what, c := range map[string]struct{ value, shown string }{
		"large exponent":          {`1e200000`, `"1e+200000"`},
		"large negative exponent": {`-1.5E+200000`, `"-1.5e+200000"`},
		"many digits":             {digits, ""},
		"many decimals":           {"0." + digits, ""},
		"small exponent":          {`1e-200000`, ""},
		"NUL":                     {`"a\u0000b\\u0000"`, `"a` + "\ufffd" + `b\\u0000"`},
		"half a pair":             {`"\ud83d \ude00 \ud83d\ude00"`, `"` + "\ufffd \ufffd \U0001f600" + `"`},
		"text like a number":      {`["1e200000", "\"1e200000,\"", 1e200000]`, `["1e200000", "\"1e200000,\"", "1e+200000"]`},
		"quotes":                  {`["\\", "\"", "\\\"", "\\\\\u0000", 1e200000]`, `["\\", "\"", "\\\"", "\\\\` + "\ufffd" + `", "1e+200000"]`},
		"deep arrays":             {deep("[", "]"), ""},
		"deep objects":            {deep(`{"a":`, "}"), ""},
		"a bomb of digits":        {"[" + strings.Repeat("1e131071,", 10_000) + "1]", ""},
		"text with exponents":     {`"` + strings.Repeat("12e3456, ", 4000) + `"`, ""},
	} {
		t.Run(what, func(t *testing.T) {
			name := schema(t)
			s := open(t, dsn(t), name)
			in := pgx.Identifier{name}.Sanitize()
			h, err := history.Open(t.Context(), s, 1, nil)
			require.NoError(t, err)
			bodies := func(first, middle string) map[string]string {
				return map[string]string{"a": `{"v":` + first + `}`, "b": `{"v":` + middle + `,"w":"` + first + `","same":"` + same + `"}`, "c": `{"v":` + first + `}`}
			}
			pass(t, h, "users", diff.Rules{}, bodies("1", "1"))
			pass(t, h, "users", diff.Rules{}, bodies("2", c.value))
			pass(t, h, "users", diff.Rules{}, bodies("3", "3"))

			require.Equal(t, []string{"imported 3", "updated 6"},
				rows(t, "SELECT kind || ' ' || count(*) FROM "+in+".changes GROUP BY kind ORDER BY kind"))
			require.Equal(t, []string{"/v 6", "/w 2"}, rows(t, "SELECT path || ' ' || count(new) FROM "+in+".field_changes GROUP BY path ORDER BY path"))
			if c.shown != "" {
				require.Equal(t, []string{c.shown}, rows(t, "SELECT new::text FROM "+in+".field_changes WHERE path = '/v' AND seq = 5"))
			}
			pass(t, h, "users", diff.Rules{}, bodies("3", c.value))
			require.Equal(t, []string{"3", "3", "3"}, rows(t, "SELECT coalesce(body ->> 'v', body ->> 'w') FROM "+in+".objects WHERE id <> 'b' UNION ALL SELECT body ->> 'w' FROM "+in+".objects WHERE id = 'b'"))
		})
	}
}
