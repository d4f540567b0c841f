package environment_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
)

// contents returns all that a store holds.
func contents(t *testing.T, store storage.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for entry, err := range store.Scan(t.Context(), storage.Range{}) {
		require.NoError(t, err)
		all[entry.Key] = string(entry.Value)
	}
	return all
}

// Create, delete and key rotation that are killed between any two commits and
// repeated end where undisturbed ones do.
func TestOperationsKilledAtAnyCommit(t *testing.T) {
	org := genesystest.New(nil)
	fresh, err := environment.NewKeyVault(environment.NewKey(), testKey)
	require.NoError(t, err)
	run := func(killAfter int) (names []string, killed bool) {
		store := &mortal{Store: memory.New(), left: killAfter}
		engine := func() *environment.Engine {
			return open(t, org, store, func(o *environment.Options) { o.Vault = fresh })
		}
		repeat := func(op func(*environment.Engine) error) {
			for {
				err := op(engine())
				if !errors.Is(err, errKilled) {
					require.NoError(t, err)
					return
				}
				killed = true
				store.revive()
			}
		}
		for _, name := range []string{"One", "Two"} {
			repeat(func(e *environment.Engine) error {
				r := recordOf(org, "Queues")
				r.Name = name
				_, err := e.Create(t.Context(), r)
				return err
			})
		}
		repeat(func(e *environment.Engine) error { _, err := e.Import(t.Context(), 1, nil); return err })
		repeat(func(e *environment.Engine) error { return e.Reseal(t.Context()) })
		repeat(func(e *environment.Engine) error {
			err := e.Delete(t.Context(), 1, "")
			if killed && errors.Is(err, environment.ErrNotFound) {
				return nil // the last commit had done it
			}
			return err
		})
		for key, value := range contents(t, store.Store) {
			require.NotContains(t, value, genesystest.ClientSecret, key)
		}
		for r, err := range engine().All(t.Context()) {
			require.NoError(t, err)
			names = append(names, r.Name)
		}
		return names, killed
	}
	for killAfter := 0; ; killAfter++ {
		names, killed := run(killAfter)
		require.Equal(t, []string{"Two"}, names, "killed after %d commits", killAfter)
		if !killed {
			require.Greater(t, killAfter, 8)
			return
		}
	}
}

func TestAuthorizeGuardsEveryOperation(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	env := create(t, open(t, org, store, nil), recordOf(org, "Queues"))
	denied := errors.New("not today")
	nobody := func(context.Context, history.Change) error { t.Error("a change was shown"); return denied }
	asked, mayRead := map[environment.Operation]bool{}, false
	e := open(t, org, store, func(o *environment.Options) {
		o.Vault = environment.SecretFunc(func(context.Context, environment.Record) (environment.Secret, error) {
			t.Error("a secret was opened")
			return environment.Secret{}, nil
		})
		o.Authorize = func(_ context.Context, op environment.Operation, before, after environment.Record) error {
			require.True(t, before.ClientSecret.IsZero() && after.ClientSecret.IsZero())
			require.Equal(t, op == environment.OpCreate, before.ID == 0, op)
			require.Equal(t, op == environment.OpCreate || op == environment.OpDelete, after.ID == 0, op)
			asked[op] = true
			if mayRead && op == environment.OpRead {
				return nil
			}
			return denied
		}
	})
	before := contents(t, store)
	ctx := t.Context()
	operations := map[string]func() error{
		"Create": func() error { r := recordOf(org); r.Name = "Other"; _, err := e.Create(ctx, r); return err },
		"Update": func() error {
			r := recordOf(org)
			r.ID, r.Revision = env.ID, 1
			_, err := e.Update(ctx, r, nil)
			return err
		},
		"Put":      func() error { _, err := e.Put(ctx, recordOf(org, "Queues"), nil); return err },
		"Get":      func() error { r, err := e.Get(ctx, env.ID); require.Equal(t, mayRead, r.ID == env.ID); return err },
		"Find":     func() error { _, err := e.Find(ctx, "Test"); return err },
		"Validate": func() error { _, err := e.Validate(ctx, env.ID); return err },
		"Forecast": func() error { _, err := e.Forecast(ctx, env.ID); return err },
		"Status":   func() error { _, err := e.Status(ctx, env.ID); return err },
		"Health":   func() error { _, err := e.Health(ctx, env.ID); return err },
		"Traffic":  func() error { _, err := e.Traffic(ctx, env.ID); return err },
		"Role":     func() error { _, err := e.Role(ctx, env.ID); return err },
		"Client":   func() error { _, err := e.Client(ctx, env.ID); return err },
		"Import":   func() error { _, err := e.Import(ctx, env.ID, nil); return err },
		"Poll":     func() error { _, err := e.Poll(ctx, env.ID, "Queues"); return err },
		"Hint":     func() error { return e.Hint(ctx, env.ID, genesys.AuditTarget{Type: "routing.queues"}) },
		"History":  func() error { _, err := e.History(ctx, env.ID); return err },
		"Compare": func() error {
			for _, err := range e.Compare(ctx, environment.Side{Environment: env.ID}, environment.Side{Environment: env.ID}, nil) {
				return err
			}
			return nil
		},
		"Deliver": func() error { return e.Deliver(ctx, env.ID, "x", nobody) },
		"Follow": func() error {
			ctx, stop := context.WithTimeout(ctx, time.Second) // should it be allowed
			defer stop()
			return e.Follow(ctx, env.ID, "x", nobody, nil)
		},
		"Consumers":      func() error { _, err := e.Consumers(ctx, env.ID); return err },
		"ResetConsumer":  func() error { return e.ResetConsumer(ctx, env.ID, "x", 0) },
		"DeleteConsumer": func() error { return e.DeleteConsumer(ctx, env.ID, "x") },
		"Reseal":         func() error { return e.Reseal(ctx) },
		"Thaw":           func() error { return e.Thaw(ctx, env.ID) },
		"AcceptRemovals": func() error { return e.AcceptRemovals(ctx, env.ID, "routing.queues", "x") },
		"AcceptOrg":      func() error { return e.AcceptOrg(ctx, env.ID, "x", "") },
		"Forget":         func() error { return e.Forget(ctx, env.ID, "routing.queues", "x", "") },
		"Pause":          func() error { return e.Pause(ctx, env.ID) },
		"Resume":         func() error { return e.Resume(ctx, env.ID) },
		"Delete":         func() error { return e.Delete(ctx, env.ID, "") },
	}
	// All and FollowAll leave out what is denied; the others are about no environment of a caller.
	unguarded := []string{"All", "FollowAll", "Run", "Close", "Selected"}
	for method := range reflect.TypeFor[*environment.Engine]().Methods() {
		op, ok := operations[method.Name]
		if !ok {
			require.Contains(t, unguarded, method.Name, "a method that does not ask")
			continue
		}
		require.ErrorIs(t, op(), denied, method.Name)
	}
	for _, err := range e.All(ctx) {
		require.NoError(t, err)
		t.Error("a record was shown")
	}
	require.Len(t, asked, 11, "every operation")
	mayRead = true // and nothing else
	for name, op := range operations {
		if err := op(); err != nil && !errors.Is(err, history.ErrUnknown) {
			require.ErrorIs(t, err, denied, name)
		}
	}
	require.Equal(t, before, contents(t, store), "nothing was done")
	require.Zero(t, org.Stats().Requests)
}

// What can be written is written through the Engine, which asks.
func TestHistoryIsReadOnly(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	env := create(t, engine, recordOf(org, "routing.skills"))
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	before := contents(t, store)
	h, err := engine.History(t.Context(), env.ID)
	require.NoError(t, err)
	require.ErrorIs(t, h.Forget(t.Context(), "routing.skills", firstID(t, org.Objects("routing.skills"))), history.ErrReadOnly)
	require.ErrorIs(t, h.Delete(t.Context()), history.ErrReadOnly)
	_, err = h.Trim(t.Context(), history.Retention{MaxChanges: 1}, nil)
	require.ErrorIs(t, err, history.ErrReadOnly)
	_, err = h.Begin(t.Context(), "routing.skills", diff.Rules{})
	require.ErrorIs(t, err, history.ErrReadOnly)
	require.ErrorIs(t, h.AcceptRemovals(t.Context(), "routing.skills"), history.ErrReadOnly)
	require.Equal(t, before, contents(t, store))
}

// Without retention nothing is written to see whether something has expired.
func TestNothingIsTrimmedWithoutRetention(t *testing.T) {
	for _, days := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(nil)
			store := memory.New()
			engine := open(t, org, store, nil)
			r := recordOf(org, "routing.skills")
			r.RetentionDays = days
			env := create(t, engine, r)
			_, err := engine.Poll(t.Context(), env.ID, "routing.skills") // an answer tells the time
			require.NoError(t, err)
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			require.NoError(t, engine.Run(ctx))
			trimmed := false
			for key := range contents(t, store) {
				trimmed = trimmed || strings.Contains(key, "/lease/trim")
			}
			require.Equal(t, days > 0, trimmed)
		})
	}
}

// What the comments of Observer and OnProgress allow does not wait for itself.
func TestCallsBackIntoTheEngine(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	var engine *environment.Engine
	look := func(id int64) error {
		_, err1 := engine.Status(t.Context(), id)
		_, err2 := engine.Forecast(t.Context(), id)
		_, err3 := engine.History(t.Context(), id)
		err4 := engine.Deliver(t.Context(), id, "x", func(context.Context, history.Change) error { return nil })
		if errors.Is(err4, storage.ErrLocked) { // by the Observer of another type
			err4 = nil
		}
		return errors.Join(err1, err2, err3, err4)
	}
	var observed atomic.Int64
	engine = open(t, org, memory.New(), func(o *environment.Options) {
		o.Observer = func(e environment.PassEvent) {
			observed.Add(1)
			if err := errors.Join(e.Err, look(e.Environment)); err != nil {
				t.Error(err)
			}
		}
	})
	env := create(t, engine, recordOf(org, "routing.skills", "groups", "teams", "routing.queues.members"))
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	result, err := engine.Import(ctx, env.ID, &environment.ImportOptions{OnProgress: func(p environment.Progress) {
		_, err := engine.Poll(ctx, env.ID, "teams", p.Last.Type)
		if err := errors.Join(err, look(env.ID)); err != nil {
			t.Error(err)
		}
	}})
	require.NoError(t, err)
	require.Len(t, result.Types, 5)
	require.EqualValues(t, 3*5, observed.Load())
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestValidateEndsWithoutANetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), func(o *environment.Options) {
			o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done() // a network that swallows everything
				return nil, r.Context().Err()
			})
		})
		env := create(t, engine, recordOf(org, "Queues"))
		start := time.Now()
		v, err := engine.Validate(t.Context(), env.ID)
		require.NoError(t, err)
		require.False(t, v.OK())
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
}

// The local org deletes no clients, so the answer is written over.
func TestValidateWarnsOfAClientThatGoes(t *testing.T) {
	org := genesystest.New(nil)
	engine := open(t, org, memory.New(), func(o *environment.Options) {
		o.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := org.Transport().RoundTrip(r)
			if err == nil && r.URL.Path == "/api/v2/tokens/me" {
				resp.Body = io.NopCloser(strings.NewReader(`{"OAuthClient": {"id": "x", "dateToDelete": "2027-03-04T05:06:07Z"}}`))
				resp.ContentLength = -1
				resp.Header.Del("Content-Encoding")
			}
			return resp, err
		})
	})
	env := create(t, engine, recordOf(org, "Queues"))
	v, err := engine.Validate(t.Context(), env.ID)
	require.NoError(t, err)
	require.True(t, v.OK())
	require.Regexp(t, `(?m)^warning +client +the OAuth client is deleted on 2027-03-04$`, v.String())
}

// A quota that is used up says nothing about the login.
func TestValidateWithoutQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "Queues")
		r.RateLimitDay = 1
		env := create(t, engine, r)
		for range 2 { // the first one uses it up
			v, err := engine.Validate(t.Context(), env.ID)
			require.NoError(t, err)
			require.True(t, v.OK(), v.String())
			require.Contains(t, v.String(), "limit of 1 a day: all slots are taken")
		}
	})
}

// What goes wrong on the first day ends in an error, and is mended by trying again.
func TestFirstDay(t *testing.T) {
	org := genesystest.New(nil)
	t.Run("a second process", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cxsync.db")
		first, err := file.Open(path, nil)
		require.NoError(t, err)
		defer first.Close()
		_, err = file.Open(path, nil)
		require.ErrorIs(t, err, storage.ErrLocked)
	})
	t.Run("a full disk", func(t *testing.T) {
		store := &fullDisk{Store: memory.New()}
		engine := open(t, org, store, nil)
		env := create(t, engine, recordOf(org, "Queues", "users", "groups", "teams", "locations", "flows", "scripts", "stations", "telephony.phones", "telephony.sites", "routing.skills", "routing.languages"))
		before := org.Stats().Requests
		_, err := engine.Import(t.Context(), env.ID, &environment.ImportOptions{OnProgress: func(environment.Progress) { store.full.Store(true) }})
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Less(t, org.Stats().Requests-before, 15, "it did not go on")
		store.full.Store(false)
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
	})
	t.Run("a missing permission", func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Permissions: []string{"routing:queue:view"}})
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "Queues", "Data tables"))
		result, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		for _, pass := range result.Types {
			require.Equal(t, pass.Type != "routing.queues", pass.Unavailable != "", "%s: %s", pass.Type, pass.Unavailable)
		}
	})
	t.Run("a wrong secret", func(t *testing.T) {
		r := recordOf(org, "Queues", "users")
		r.ClientSecret = environment.NewSecret("guess")
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, r)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.ErrorContains(t, err, "secret")
		require.NotContains(t, err.Error(), "guess")
	})
}

// fullDisk is a store without space for another byte.
type fullDisk struct {
	storage.Store
	full atomic.Bool
}

func (d *fullDisk) Commit(ctx context.Context, b *storage.Batch) error {
	if d.full.Load() {
		return syscall.ENOSPC
	}
	return d.Store.Commit(ctx, b)
}

func TestProductionIsGuarded(t *testing.T) {
	org := genesystest.New(nil)
	r := recordOf(org, "routing.skills")
	r.IsProduction = true
	engine := open(t, org, memory.New(), nil)
	env := create(t, engine, r)
	_, err := engine.Import(t.Context(), env.ID, nil)
	require.NoError(t, err)
	id := firstID(t, org.Objects("routing.skills"))
	require.ErrorIs(t, engine.Forget(t.Context(), env.ID, "routing.skills", id, ""), environment.ErrUnconfirmed)
	require.NoError(t, engine.Forget(t.Context(), env.ID, "routing.skills", id, "Test"))
	require.ErrorIs(t, engine.Delete(t.Context(), env.ID, ""), environment.ErrUnconfirmed)
}
