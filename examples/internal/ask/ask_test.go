package ask_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/ask"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A world has two environments of one org, one of which was edited since.
type world struct {
	engine *environment.Engine
	skill  string
	seq    uint64 // of the edit
}

func newWorld(t *testing.T) *world {
	t.Helper()
	org := genesystest.New(nil)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	w := &world{}
	w.engine, err = environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})
	require.NoError(t, err)
	w.skill, err = org.Create("routing.skills", map[string]any{"name": "evil\x1b[2J\nname"})
	require.NoError(t, err)
	var ids []int64
	for _, name := range []string{"Test", "Production", "New"} {
		r, err := w.engine.Create(t.Context(), environment.Record{
			Name: name, BaseURL: org.BaseURL(), ClientID: genesystest.ClientID,
			ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: []string{"ACD skills", "Queues"},
		})
		require.NoError(t, err)
		ids = append(ids, r.ID)
		if name != "New" {
			_, err = w.engine.Import(t.Context(), r.ID, nil)
			require.NoError(t, err)
		}
	}
	require.NoError(t, org.Update("routing.skills", w.skill, map[string]any{"name": "renamed\x1b[2J"}))
	_, err = w.engine.Poll(t.Context(), ids[0], "ACD skills")
	require.NoError(t, err)
	h, err := w.engine.History(t.Context(), ids[0])
	require.NoError(t, err)
	w.seq, err = h.Cursor(t.Context())
	require.NoError(t, err)
	return w
}

// questions returns how a question is asked here, and how through a Handler.
func (w *world) questions(t *testing.T) map[string]func(args ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(ask.Handler(w.engine))
	t.Cleanup(server.Close)
	parse := func(args []string) (ask.Question, *flag.FlagSet) {
		var q ask.Question
		flags := flag.NewFlagSet("", flag.PanicOnError)
		q.Flags(flags)
		require.NoError(t, flags.Parse(args))
		return q, flags
	}
	return map[string]func(args ...string) (string, error){
		"here": func(args ...string) (string, error) {
			q, _ := parse(args)
			var out strings.Builder
			err := q.Answer(t.Context(), w.engine, &out)
			return out.String(), err
		},
		"remote": func(args ...string) (string, error) {
			_, flags := parse(args)
			parameters := url.Values{}
			flags.Visit(func(f *flag.Flag) { parameters.Set(f.Name, f.Value.String()) })
			var out strings.Builder
			err := ask.Remote(t.Context(), server.URL, parameters, &out)
			return out.String(), err
		},
	}
}

// Each question has the same answer here and from another process: one for people, which no name
// can tear apart, and one of JSON lines.
func TestQuestions(t *testing.T) {
	w := newWorld(t)
	for way, answer := range w.questions(t) {
		for name, test := range map[string]struct{ question, want string }{
			"timeline":     {"", "updated"},
			"since":        {"-since=1h", "updated"},
			"the newest":   {"-n=1", "updated"},
			"nothing yet":  {"-type=Queues", "no changes since 20"},
			"nothing of":   {"-by=Nobody", `no changes by "Nobody" since 20`},
			"versions":     {"-type=ACD skills|-id=" + w.skill, "imported"},
			"as of":        {"-type=ACD skills|-at=2100-01-01", `"name":"renamed`},
			"one as of":    {"-type=ACD skills|-at=2100-01-01|-id=" + w.skill, `"name":"renamed`},
			"search":       {"-search=renamed", "at /name"},
			"none":         {"-search=not there", "no hits"},
			"used nowhere": {"-type=ACD skills|-used|-id=" + w.skill, "no references"},
			"compare":      {"-compare=Production", "is on the first side only"},
			"types":        {"-types", "routing.skills  good"},
			"undo":         {fmt.Sprintf("-undo=%d", w.seq), "update routing.skills"},
		} {
			t.Run(way+"/"+name, func(t *testing.T) {
				args := strings.Split("-name=Test|"+test.question, "|")
				if test.question == "" {
					args = args[:1]
				}
				out, err := answer(args...)
				require.NoError(t, err)
				require.Contains(t, out, test.want)
				require.NotContains(t, out, "\x1b")
				out, err = answer(append(args, "-json")...)
				require.NoError(t, err)
				for line := range strings.Lines(out) {
					var event struct{ Event string }
					require.NoError(t, json.Unmarshal([]byte(line), &event))
					require.NotEmpty(t, event.Event)
				}
			})
		}
		for question, want := range map[string]string{
			"-name=Test|-used":                 "-used needs -type and -id",
			"-name=Test|-id=x":                 "-id needs -type",
			"-name=Test|-n=-1":                 "want a number",
			"-name=Test|-type=Quues":           "did you mean routing.queues",
			"-name=Test|-since=yesterday":      `-since: "yesterday" is no time; write 7d`,
			"-name=Test|-at=2001-01-01":        "first seen at 20",
			"-name=New":                        "no pass has recorded anything",
			"-name=Other":                      `no such environment`,
			"":                                 `choose an environment with -name, of ["Test" "Production" "New"]`,
			"-name=Test|-compare=Other":        "no such environment",
			"-name=Test|-type=Queues|-id=x":    "nothing is on record",
			"-name=Test|-undo=9999":            "9999",
			"-name=Test|-undo=1":               "change 1, imported: nothing to undo",
			"-name=Test|-type=Queues|-at=soon": "no time",
		} {
			t.Run(way+"/"+question, func(t *testing.T) {
				_, err := answer(strings.FieldsFunc(question, func(r rune) bool { return r == '|' })...)
				require.ErrorContains(t, err, want)
			})
		}
	}
}

// What asks a Handler is told what is wrong, and by a status whose fault it is.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]int{
		"name=Test": 200, "": 400, "name=Test&colour=red": 400, "name=Test&n=x": 400, "name=Test&type=Quues": 400, "name=Other": 404, "name=Test&type=Queues&id=x": 404,
	} {
		answer := httptest.NewRecorder()
		ask.Handler(w.engine).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/history?"+query, nil))
		require.Equal(t, want, answer.Code, "%s: %s", query, answer.Body)
		require.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"))
		require.Contains(t, answer.Header().Get("Content-Type"), "text/plain")
	}
}

// Whoever answers at an address, what is printed is whole or an error, and moves no terminal.
func TestStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		answer    http.HandlerFunc
		want, err string
	}{
		"another program": {http.NotFound, "", "want the address of a running embed or console"},
		"hostile":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a\x1b[2J\nb\xff")) }, "a\\u001b[2J\nb\\ufffd", ""},
		"hostile error":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", http.StatusInternalServerError) }, "", `\x1b[2J`},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half\n"))
		}, "half\n", "unexpected EOF"},
		"failed later": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Cxsync-Error")
			_, _ = w.Write([]byte("half\n"))
			w.Header().Set("Cxsync-Error", "the disk is full")
		}, "half\n", "the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.answer)
			defer server.Close()
			var out strings.Builder
			err := ask.Remote(t.Context(), server.URL, nil, &out)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
			require.Equal(t, test.want, out.String())
		})
	}
	for _, address := range []string{"", "127.0.0.1:8088", "localhost", "file:///etc", "http://"} {
		require.ErrorContains(t, ask.Remote(t.Context(), address, nil, &strings.Builder{}), "want one such as http://127.0.0.1:8088", address)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	require.ErrorIs(t, ask.Remote(ctx, "http://127.0.0.1:8088", nil, &strings.Builder{}), context.DeadlineExceeded)
}

// A change says who made it, in words, if something is known of that.
func TestWho(t *testing.T) {
	ann := []history.Actor{{ID: "1", Name: "Ann\x1b"}}
	for want, a := range map[string]*history.Attribution{
		"": {Status: history.WhoNone}, `Ann\x1b`: {Status: history.WhoAttributed, Actors: ann, Settled: true}, `one or more of Ann\x1b (provisional)`: {Status: history.WhoSeveral, Actors: ann},
		"the service itself": {Status: history.WhoSystem}, "somebody: audits, which come late, will tell who": {Status: history.WhoPending},
	} {
		require.Equal(t, want, ask.Who(a))
	}
	require.Empty(t, ask.Who(nil))
}
