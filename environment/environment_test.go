package environment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
)

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

// few are counts of an org with n objects of each type, and below each parent: for a test whose
// subject is the calls and the types, not the objects.
func few(n int) map[string]int {
	counts := map[string]int{}
	for typ := range genesys.DefaultCatalogue().All() {
		if typ.Paging != genesys.PagingSingleton {
			counts[typ.Name] = n
		}
	}
	return counts
}

func recordOf(org *genesystest.Org, objects ...string) environment.Record {
	c := org.Config()
	return environment.Record{
		Name: "Test", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID,
		ClientSecret: environment.NewSecret(c.ClientSecret), Types: objects,
	}
}

func create(t *testing.T, engine *environment.Engine, r environment.Record) environment.Record {
	t.Helper()
	r, err := engine.Create(t.Context(), r)
	require.NoError(t, err)
	return r
}

// changes collects the feed of an environment as "kind type name field...".
func changes(t *testing.T, engine *environment.Engine, id int64, q history.Query) []string {
	t.Helper()
	h, err := engine.History(t.Context(), id)
	require.NoError(t, err)
	got := []string{}
	for c, err := range h.Changes(t.Context(), q) {
		require.NoError(t, err)
		line := []string{string(c.Kind), c.Type, c.Name}
		for _, f := range c.Fields {
			line = append(line, f.Path)
		}
		got = append(got, strings.Join(line, " "))
	}
	return got
}

func firstID[V any](t *testing.T, objects iter.Seq2[string, V]) string {
	t.Helper()
	for id := range objects {
		return id
	}
	t.Fatal("the org has no such object")
	return ""
}

func TestEditsAreRecordedOnceAndOnlyThose(t *testing.T) {
	org := genesystest.New(nil)
	store, err := file.Open(filepath.Join(t.TempDir(), "cxsync.db"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "Queues", "routing.skills", "users"))

	result, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.Empty(t, result.Failed)
	require.Empty(t, changes(t, engine, env.ID, history.Query{}), "first sights are not in the feed")

	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.Empty(t, changes(t, engine, env.ID, history.Query{}), "nothing was edited")

	queue, user := firstID(t, org.Objects("routing.queues")), firstID(t, org.Objects("users"))
	require.NoError(t, org.Update("routing.queues", queue, map[string]any{"name": "Billing", "description": "Invoices"}))
	require.NoError(t, org.Touch("users", user))
	_, err = org.Create("routing.skills", map[string]any{"name": "French"})
	require.NoError(t, err)
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"updated routing.queues Billing /description /name",
		"created routing.skills French",
	}, changes(t, engine, env.ID, history.Query{}))

	require.NoError(t, org.Delete("routing.queues", queue))
	_, err = engine.Poll(t.Context(), env.ID, "Queues")
	require.NoError(t, err)
	require.Equal(t, []string{"deleted routing.queues Billing"}, changes(t, engine, env.ID, history.Query{Newest: true, Limit: 1}))
}

func TestImportOfTheWholeCatalogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Latency: 50 * time.Millisecond})
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org)
		r.RateLimitMinute = 250
		env := create(t, engine, r)
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		require.Len(t, result.Types, len(engine.Selected(env)))
		for _, pass := range result.Types {
			if pass.Unavailable == "" && !pass.Complete {
				t.Errorf("%s is incomplete: %s", pass.Type, pass.Reason)
			}
		}
		seen := map[string]int{}
		for _, request := range org.Requests() {
			key := request.Method + " " + request.Path + "?" + request.Query.Encode()
			if seen[key]++; seen[key] == 2 && request.Method == http.MethodGet && !isDivisions(request.Path) {
				t.Errorf("requested twice: %s", key)
			}
		}
		stats := org.Stats()
		require.Equal(t, 1, stats.Tokens)
		require.Zero(t, stats.Throttled)
		require.LessOrEqual(t, stats.MaxPerMinute, 250)
	})
}

var modified = regexp.MustCompile(`"dateModified":"[^"]*",?`)

// A process that is killed between any two commits and started again ends
// where an undisturbed one does.
func TestKilledAtAnyCommit(t *testing.T) {
	objects := []string{"Queues", "routing.queues.members", "routing.skillgroups", "flows.latestconfiguration"}
	edit := func(org *genesystest.Org) {
		queue := firstID(t, org.Objects("routing.queues"))
		require.NoError(t, org.Update("routing.queues", queue, map[string]any{"description": "Invoices"}))
		require.NoError(t, org.Delete("routing.skillgroups", firstID(t, org.Objects("routing.skillgroups"))))
	}
	run := func(killAfter int) (heads map[string]string, feed []string, killed bool) {
		org := genesystest.New(&genesystest.Options{Counts: few(4), RateLimit: -1})
		store := &mortal{Store: memory.New(), left: -1}
		env := create(t, open(t, org, store, nil), recordOf(org, objects...))
		store.left = killAfter
		for round := range 2 {
			if round == 1 {
				edit(org)
			}
			for {
				_, err := open(t, org, store, nil).Import(t.Context(), env.ID, nil)
				if err == nil {
					break
				}
				require.ErrorIs(t, err, errKilled)
				killed = true
				store.revive()
			}
		}
		engine := open(t, org, store, nil)
		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		heads = map[string]string{}
		for pass, err := range h.Passes(t.Context()) {
			require.NoError(t, err)
			for head, err := range h.Heads(t.Context(), pass.Type) {
				require.NoError(t, err)
				body, err := h.Body(t.Context(), head.Type, head.ID)
				require.NoError(t, err)
				heads[head.Type+" "+head.ID] = string(modified.ReplaceAll(body, nil)) // runs are edited at times of their own
			}
		}
		return heads, changes(t, engine, env.ID, history.Query{}), killed
	}
	wantHeads, wantFeed, _ := run(-1)
	require.NotEmpty(t, wantFeed)
	for killAfter := 0; ; killAfter++ {
		heads, feed, killed := run(killAfter)
		if !killed {
			require.Greater(t, killAfter, 10)
			return
		}
		require.Equal(t, wantHeads, heads, "killed after %d commits", killAfter)
		require.ElementsMatch(t, wantFeed, feed, "killed after %d commits", killAfter)
	}
}

var errKilled = errors.New("killed")

// mortal is a store whose process dies after some commits. A negative count never ends.
type mortal struct {
	storage.Store
	mu    sync.Mutex
	left  int
	err   error
	lives int
}

// revive is a new process that opens the store.
func (m *mortal) revive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.err = -1, nil
	m.lives++
}

// Opening implements storage.Exclusive.
func (m *mortal) Opening() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint("life ", m.lives)
}

// dies reports whether this commit comes after the end.
func (m *mortal) dies() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil && m.left == 0 {
		m.err = errKilled
	}
	m.left--
	return m.err
}

func (m *mortal) Commit(ctx context.Context, b *storage.Batch) error {
	if err := m.dies(); err != nil {
		return err
	}
	return m.Store.Commit(ctx, b)
}

func TestRunPollsOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "routing.skills", "Queues")
		r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 * * * *"}, {Type: "routing.skills", Cron: "*/10 * * * *"}}
		env := create(t, engine, r)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		org.ClearRequests()

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 2)
		var got []string
		go func() { done <- engine.Run(ctx) }()
		go func() {
			done <- engine.Follow(ctx, env.ID, "test", func(_ context.Context, c history.Change) error {
				got = append(got, c.Name)
				return nil
			}, nil)
		}()
		_, err = org.Create("routing.skills", map[string]any{"name": "French"})
		require.NoError(t, err)
		time.Sleep(59*time.Minute + 30*time.Second)
		synctest.Wait()
		require.Equal(t, []string{"French"}, got)
		lists := map[string]int{}
		for _, request := range org.Requests() {
			lists[request.Type]++
		}
		require.GreaterOrEqual(t, lists["routing.skills"], 5)
		require.LessOrEqual(t, lists["routing.queues"], 1)

		require.NoError(t, engine.Pause(ctx, env.ID))
		synctest.Wait()
		org.ClearRequests()
		time.Sleep(3 * time.Hour)
		require.Empty(t, org.Requests(), "paused")
		stop()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	})
}

func TestDeliverAtLeastOnceInOrder(t *testing.T) {
	skills := 1000
	if *full {
		skills = 10_000
	}
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	store := memory.New()
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "routing.skills"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	for i := range skills {
		_, err := org.Create("routing.skills", map[string]any{"name": fmt.Sprint("Skill ", i)})
		require.NoError(t, err)
	}
	_, err = engine.Poll(t.Context(), env.ID, "routing.skills")
	require.NoError(t, err)

	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	var want, got []uint64
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		want = append(want, c.Seq)
	}
	require.Len(t, want, skills)
	failed := errors.New("the consumer failed")
	random := rand.New(rand.NewPCG(1, 1))
	for err := failed; err != nil; { // each round is a new process
		err = open(t, org, store, nil).Deliver(t.Context(), env.ID, "webhook", func(_ context.Context, c history.Change) error {
			if len(got) == 0 || got[len(got)-1] != c.Seq { // it may come again after a failure, and only then
				got = append(got, c.Seq)
			}
			if random.IntN(20) == 0 {
				return failed
			}
			return nil
		})
		if err != nil {
			require.ErrorIs(t, err, failed)
		}
	}
	require.Equal(t, want, got)
}

// filesIn returns what is in the files of a directory.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			files[path] = string(data)
		}
		return err
	}))
	return files
}

func debugLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Neither the client secret nor a token is in anything that is written, logged
// at debug level, printed or returned as an error, when all goes well and when it does not.
func TestSecretsStayOut(t *testing.T) { synctest.Test(t, testSecretsStayOut) }

func testSecretsStayOut(t *testing.T) {
	var log bytes.Buffer
	secrets := map[string]bool{genesystest.ClientSecret: true}
	dir := t.TempDir()
	org := genesystest.New(nil)
	store, err := file.Open(filepath.Join(dir, "cxsync.db"), nil)
	require.NoError(t, err)
	network := org.Transport()
	engine := open(t, org, store, func(o *environment.Options) {
		o.Concurrency = 1
		o.Logger = debugLog(&log)
		o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
			if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
				secrets[token] = true
			}
			return network.RoundTrip(r)
		})
	})
	r := recordOf(org, "oauth.clients", "routing.queues", "users")
	env := create(t, engine, r)
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	org.Fail("routing.queues", genesystest.Status(http.StatusInternalServerError), -1)
	org.Fail("users", genesystest.Garbage(), -1)
	org.RevokeTokens()
	result, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	require.NotEmpty(t, result.Failed)
	fmt.Fprintf(&log, "%v %+v", result, result.Failed)
	org.RevokeTokens()
	org.Fail("POST /oauth/token", genesystest.LoginRefused(http.StatusUnauthorized, "invalid_client", "authentication failed"), -1)
	_, err = engine.Import(t.Context(), env.ID, nil)
	require.ErrorIs(t, err, genesys.ErrUnauthorized)
	status, statusErr := engine.Status(t.Context(), env.ID)
	require.NoError(t, statusErr)
	fmt.Fprintf(&log, "%v %+v %#v %s %+v", err, err, err, err, status)
	fmt.Fprintf(&log, "%v %+v %#v %s %q %x %d", r, r, r, r.ClientSecret, r.ClientSecret, r.ClientSecret, r.ClientSecret)
	fmt.Fprintf(&log, "%+v %#v", struct{ hidden environment.Secret }{r.ClientSecret}, struct{ hidden environment.Secret }{r.ClientSecret})
	require.NoError(t, store.Close())
	require.GreaterOrEqual(t, len(secrets), 3, "the secret and two tokens")
	require.Contains(t, log.String(), "/api/v2/routing/queues", "requests are logged")
	written := filesIn(t, dir)
	written["the log"] = log.String()
	for where, text := range written {
		for secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s holds a secret", where)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	status := func(v environment.Validation, name string) environment.CheckStatus {
		for _, c := range v.Checks {
			if c.Name == name {
				return c.Status
			}
		}
		return ""
	}
	validate := func(t *testing.T, opts *genesystest.Options, edit func(*environment.Record)) environment.Validation {
		t.Helper()
		org := genesystest.New(opts)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "Queues", "routing.skills")
		r.RateLimitMinute = 250
		if edit != nil {
			edit(&r)
		}
		v, err := engine.Validate(t.Context(), create(t, engine, r).ID)
		require.NoError(t, err)
		return v
	}
	t.Run("all is well", func(t *testing.T) {
		v := validate(t, &genesystest.Options{Permissions: []string{"routing:queue:view", "routing:skill:view"}}, nil)
		require.True(t, v.OK())
		for _, c := range v.Checks {
			require.Equal(t, environment.StatusOK, c.Status, "%+v", c)
		}
		require.Equal(t, "Contoso Care", v.Organization)
	})
	t.Run("wrong secret", func(t *testing.T) {
		v := validate(t, nil, func(r *environment.Record) { r.ClientSecret = environment.NewSecret("guess") })
		require.False(t, v.OK())
		require.Equal(t, environment.StatusFailed, status(v, "login"))
		require.NotContains(t, v.String(), "guess")
		require.Equal(t, 1, strings.Count(v.String(), "generate a new secret"), v.String())
	})
	t.Run("wrong region", func(t *testing.T) { // where the client is unknown
		v := validate(t, nil, func(r *environment.Record) { r.ClientID = "a client of another region" })
		require.Equal(t, environment.StatusFailed, status(v, "login"))
		require.Contains(t, v.String(), "region")
	})
	t.Run("no secret", func(t *testing.T) {
		v := validate(t, nil, func(r *environment.Record) { r.ClientSecret = environment.Secret{} })
		require.False(t, v.OK())
		require.Contains(t, v.String(), "docs/oauth-client.md#the-secret")
	})
	t.Run("administrator", func(t *testing.T) {
		v := validate(t, nil, nil)
		require.True(t, v.OK())
		require.Equal(t, environment.StatusWarning, status(v, "excess"))
		require.NotContains(t, v.Excess, "routing:queue:view")
	})
	t.Run("missing permission", func(t *testing.T) {
		v := validate(t, &genesystest.Options{Permissions: []string{"routing:skill:view", "authorization:*:*"}}, nil)
		require.True(t, v.OK())
		require.Equal(t, environment.StatusWarning, status(v, "permissions"))
		require.Contains(t, v.String(), "routing:queue:view")
	})
	t.Run("one division", func(t *testing.T) {
		v := validate(t, &genesystest.Options{Divisions: []string{"Home"}}, nil)
		require.Equal(t, environment.StatusWarning, status(v, "divisions"))
	})
	t.Run("quota too small", func(t *testing.T) {
		v := validate(t, nil, func(r *environment.Record) {
			r.RateLimitDay = 10
			r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "* * * * *"}}
		})
		require.Equal(t, environment.StatusWarning, status(v, "quota"))
	})
}
