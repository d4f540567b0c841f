package environment_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func TestParseRecordReportsEverythingAtOnce(t *testing.T) {
	_, err := environment.ParseRecord([]byte(`{
		"name": "", "base_url": "http://api.example.com", "client_id": 7, "client_secret": ["hush"], "is_production": "yes",
		"rate_limit_minute": -1, "rate_limit_hour": 1.5, "retention_days": -3, "colour": "blue", "id": 9,
		"polling": [{"type": "All objects", "cron": "61 * * * *"}, {"type": "Queue", "cron": "* * * * *"}],
		"ignore": [{"type": "queues", "field": ""}], "types": ["Queues", "nonsense"]}`))
	invalid, ok := errors.AsType[*environment.InvalidError](err)
	require.True(t, ok, "%v", err)
	var fields []string
	for _, p := range invalid.Problems {
		require.NotEmpty(t, p.Problem)
		fields = append(fields, p.Field)
	}
	require.Equal(t, []string{
		"base_url", "client_id", "client_secret", "colour", "id", "ignore[0].field", "is_production", "name",
		"polling[0].cron", "polling[1].type", "rate_limit_hour", "rate_limit_minute", "retention_days", "types[1]",
	}, fields)
	require.Contains(t, err.Error(), `polling[1].type: "Queue": there is no such type; did you mean routing.queues (Queues)?`)
	require.NotContains(t, err.Error(), "hush")
}

func TestParseRecord(t *testing.T) {
	r, err := environment.ParseRecord([]byte(`{"name": "Contoso", "is_production": true, "base_url": "mypurecloud.ie",
		"client_id": "id", "client_secret": "hush", "rate_limit_minute": 250, "retention_days": 90,
		"polling": [{"type": "All objects", "cron": "0 * * * *"}, {"type": "Queues", "cron": "*/5 * * * *"}],
		"ignore": [{"type": "Queues", "field": "description"}], "types": ["Queues"]}`))
	require.NoError(t, err)
	require.Equal(t, "hush", r.ClientSecret.Reveal())
	require.Equal(t, "Queues", r.Polling[1].Type)
	out, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotContains(t, string(out), "hush")

	for _, text := range []string{``, `[]`, `{"name":`, `null`, `"x"`} {
		_, err := environment.ParseRecord([]byte(text))
		require.Error(t, err, text)
	}
}

// What a person may write otherwise than it is read, one member at a time.
func TestParseRecordMembers(t *testing.T) {
	for member, problem := range map[string]string{
		`"objects": ["Queues"]`:                                    "objects: unknown field; did you mean types?",
		`"polling": [{"object": "Queues", "cron": "0 * * * *"}]`:   "polling[0].object: unknown field; did you mean type?",
		`"ignore": [{"object": "Queues", "field": "description"}]`: "ignore[0].object: unknown field; did you mean type?",
		`"RateLimitMinute": 250`:                                   "RateLimitMinute: unknown field; did you mean rate_limit_minute?",
		`"retention_day": 3`:                                       "retention_day: unknown field; did you mean retention_days?",
		`"colour": "blue"`:                                         "colour: unknown field",
		`"paused": true`:                                           "paused: is set by the engine; leave it out",
		`"name": "Fabrikam"`:                                       "name: is there more than once",
		`"polling": [{"type": "Queues", "type": "Users", "cron": "0 * * * *"}]`: "polling[0].type: is there more than once",
		`"polling": {"type": "Queues"}`:                                         "polling: a list is wanted, not an object",
		`"rate_limit_hour": 2.5`:                                                "rate_limit_hour: a whole number is wanted, not a fraction",
		`"rate_limit_hour": "2"`:                                                "rate_limit_hour: a whole number is wanted, not a string",
		`"rate_limit_hour": 1e400`:                                              "rate_limit_hour: the number is too large",
		`"rate_limit_hour": 250.0`:                                              "",
		`"rate_limit_hour": 2.5e2`:                                              "",
		`"types": null`:                                                         "",
	} {
		_, err := environment.ParseRecord([]byte(`{"name": "Contoso", "base_url": "mypurecloud.ie", "client_id": "id", ` + member + `}`))
		if problem == "" {
			require.NoError(t, err, member)
			continue
		}
		require.EqualError(t, err, "environment: invalid record: "+problem, member)
	}
	_, err := environment.ParseRecord([]byte("\xef\xbb\xbf" + `{"name": "Contoso", "base_url": "mypurecloud.ie", "client_id": "id"}`))
	require.NoError(t, err, "a byte order mark")
	_, err = environment.ParseRecord([]byte("\xff\xfe{\x00}\x00"))
	require.ErrorContains(t, err, "UTF-16")
	_, err = environment.ParseRecord([]byte("{\n  \"name\": \"a\",\n  \"base_url\" \"b\"\n}"))
	require.ErrorContains(t, err, "line 3, column 14")
}

// A store may hold records of a time when types were called objects.
func TestRecordStoredUnderFormerNames(t *testing.T) {
	ctx := t.Context()
	store := memory.New()
	engine := open(t, genesystest.New(nil), store, nil)
	r := recordOf(genesystest.New(nil), "Queues")
	r.Polling = []poller.Entry{{Type: poller.AllObjects, Cron: "0 * * * *"}, {Type: "Queues", Cron: "*/5 * * * *"}}
	r.Ignore = []environment.IgnoreRule{{Type: "Queues", Field: "description"}}
	want := create(t, engine, r)

	key, stored := "environments/0000000001", strings.NewReplacer(`"types":`, `"objects":`, `"type":`, `"object":`)
	raw, err := store.Get(ctx, key)
	require.NoError(t, err)
	var b storage.Batch
	b.Put(key, []byte(stored.Replace(string(raw))))
	require.NoError(t, store.Commit(ctx, &b))
	got, err := engine.Get(ctx, want.ID)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for all, err := range engine.All(ctx) {
		require.NoError(t, err)
		require.Equal(t, want, all)
	}
	_, err = engine.Update(ctx, got, nil)
	require.NoError(t, err)
	raw, err = store.Get(ctx, key)
	require.NoError(t, err)
	require.NotContains(t, string(raw), `"object`)
}

func TestRecordsAreKept(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	first := create(t, engine, recordOf(org))
	require.EqualValues(t, 1, first.ID)
	require.True(t, first.ClientSecret.IsZero(), "a record that is read has no secret")

	_, err := engine.Create(ctx, recordOf(org))
	require.ErrorIs(t, err, environment.ErrNameTaken)

	change := first
	change.Name, change.RateLimitHour = "Renamed", 1000
	updated, err := engine.Update(ctx, change, nil)
	require.NoError(t, err)
	_, err = engine.Update(ctx, change, nil)
	require.ErrorIs(t, err, environment.ErrStale)
	found, err := engine.Find(ctx, " renamed ")
	require.NoError(t, err)
	require.Equal(t, updated, found)
	_, err = engine.Find(ctx, "Test")
	require.ErrorIs(t, err, environment.ErrNotFound)

	require.NoError(t, engine.Pause(ctx, first.ID))
	paused, err := engine.Get(ctx, first.ID)
	require.NoError(t, err)
	paused.Paused = false
	paused, err = engine.Update(ctx, paused, nil)
	require.NoError(t, err)
	require.True(t, paused.Paused, "only Resume takes up polling again")

	second := create(t, engine, recordOf(org))
	require.EqualValues(t, 2, second.ID)
	require.NoError(t, engine.Delete(ctx, second.ID, ""))
	require.EqualValues(t, 3, create(t, engine, recordOf(org)).ID, "IDs are not used again")
}

func TestDeleteLeavesNothing(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	r := recordOf(org, "Queues", "flows.latestconfiguration")
	r.IsProduction, r.RateLimitMinute = true, 250
	env := create(t, engine, r)
	_, err := engine.Import(ctx, env.ID, nil)
	require.NoError(t, err)

	require.ErrorIs(t, engine.Delete(ctx, env.ID, "test"), environment.ErrUnconfirmed)
	require.NoError(t, engine.Delete(ctx, env.ID, "Test"))
	_, err = engine.Get(ctx, env.ID)
	require.ErrorIs(t, err, environment.ErrNotFound)
	for entry, err := range store.Scan(ctx, storage.Range{}) {
		require.NoError(t, err)
		if strings.Contains(entry.Key, "000001") || strings.HasPrefix(entry.Key, "history/1/") {
			t.Errorf("left behind: %s", entry.Key)
		}
	}
}

// A Delete that was interrupted can only be finished.
func TestDeleteCannotBeUndone(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := &mortal{Store: memory.New(), left: -1}
	env := create(t, open(t, org, store, nil), recordOf(org, "Queues"))
	store.left = 1
	require.ErrorIs(t, open(t, org, store, nil).Delete(ctx, env.ID, ""), errKilled)
	store.revive()
	engine := open(t, org, store, nil)
	half, err := engine.Get(ctx, env.ID)
	require.NoError(t, err)
	require.False(t, half.Deleting.IsZero())
	half.Deleting = time.Time{}
	_, err = engine.Update(ctx, half, nil)
	require.ErrorIs(t, err, environment.ErrNotFound)
	_, err = engine.Put(ctx, recordOf(org, "Queues"), nil) // says what is stored
	require.ErrorIs(t, err, environment.ErrNotFound)
	_, err = engine.Import(ctx, env.ID, nil)
	require.ErrorIs(t, err, environment.ErrNotFound)
	require.NoError(t, engine.Delete(ctx, env.ID, ""))
	create(t, engine, recordOf(org, "Queues"))
}

func TestKeysAreRotated(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	env := create(t, open(t, org, store, nil), recordOf(org, "Queues"))
	fresh := environment.NewKey()
	both, err := environment.NewKeyVault(fresh, testKey)
	require.NoError(t, err)
	require.NoError(t, open(t, org, store, func(o *environment.Options) { o.Vault = both }).Reseal(ctx))

	only, err := environment.NewKeyVault(fresh)
	require.NoError(t, err)
	_, err = open(t, org, store, func(o *environment.Options) { o.Vault = only }).Import(ctx, env.ID, nil)
	require.NoError(t, err)
	_, err = open(t, org, store, nil).Import(ctx, env.ID, nil)
	require.ErrorIs(t, err, environment.ErrSealed)
}

// A process with another key than the others says so at each tick, and nothing else; they make the passes.
func TestProcessWithAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, store := genesystest.New(nil), memory.New()
		var log strings.Builder
		passes := 0
		right := open(t, org, store, func(o *environment.Options) {
			o.Concurrency, o.Observer = 1, func(e environment.PassEvent) {
				require.NoError(t, e.Err)
				passes++
			}
		})
		vault, err := environment.NewKeyVault(environment.NewKey())
		require.NoError(t, err)
		wrong := open(t, org, store, func(o *environment.Options) { o.Vault, o.Logger = vault, slog.New(slog.NewTextHandler(&log, nil)) })
		env := create(t, right, recordOf(org, "routing.queues"))
		_, err = right.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		run := func(d time.Duration, engines ...*environment.Engine) {
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			ended := make(chan error, len(engines))
			for _, engine := range engines {
				go func() { ended <- engine.Run(ctx) }()
			}
			for range engines {
				require.NoError(t, <-ended)
			}
		}
		run(3*time.Hour+time.Minute, right, wrong)
		require.Equal(t, 1+3, passes)
		require.Equal(t, 3, strings.Count(log.String(), "level="), "%s", log.String())
		require.Equal(t, 3, strings.Count(log.String(), `msg="run failed"`))
		require.Contains(t, log.String(), "no key of the vault fits")
		health, err := right.Health(t.Context(), env.ID)
		require.NoError(t, err)
		require.Equal(t, environment.VerdictGood, health.Verdict)
		_, err = wrong.Poll(t.Context(), env.ID)
		require.ErrorIs(t, err, environment.ErrSealed)

		// What it could not do alone, the next process makes up for at once.
		run(time.Hour, wrong)
		require.Equal(t, 1+3, passes)
		run(time.Minute, right)
		require.Equal(t, 1+3+1, passes)
	})
}

// A secret that no key opens, or a record that cannot be read, keeps no other from being sealed anew.
func TestResealDoesAllItCan(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	named := func(key []byte, name string) {
		vault, err := environment.NewKeyVault(key)
		require.NoError(t, err)
		r := recordOf(org, "Queues")
		r.Name = name
		create(t, open(t, org, store, func(o *environment.Options) { o.Vault = vault }), r)
	}
	lost, fresh := environment.NewKey(), environment.NewKey()
	named(lost, "One")
	named(testKey, "Two")
	named(lost, "Three")
	named(testKey, "Four")
	var b storage.Batch
	b.Put("environments/0000000003", []byte(`{"name":7}`))
	require.NoError(t, store.Commit(ctx, &b))
	both, err := environment.NewKeyVault(fresh, testKey)
	require.NoError(t, err)
	err = open(t, org, store, func(o *environment.Options) { o.Vault = both }).Reseal(ctx)
	require.ErrorIs(t, err, environment.ErrSealed)
	require.ErrorContains(t, err, `"One"`)
	require.ErrorContains(t, err, "record 3 cannot be read")

	only, err := environment.NewKeyVault(fresh)
	require.NoError(t, err)
	engine := open(t, org, store, func(o *environment.Options) { o.Vault = only })
	polled := map[string]bool{}
	for r, err := range engine.All(ctx) {
		if err == nil {
			_, err = engine.Poll(ctx, r.ID)
		}
		polled[r.Name] = err == nil
	}
	require.Equal(t, map[string]bool{"One": false, "Two": true, "": false, "Four": true}, polled)
}

// Put creates, updates, or leaves alone what says the same already, the secret
// included.
func TestPut(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(nil)
	store := memory.New()
	engine := open(t, org, store, nil)
	r := recordOf(org, "Queues")
	first, err := engine.Put(ctx, r, nil)
	require.NoError(t, err)
	require.NoError(t, engine.Pause(ctx, first.ID))
	for _, again := range []environment.Record{r, first} {
		same, err := engine.Put(ctx, again, nil)
		require.NoError(t, err)
		require.EqualValues(t, 2, same.Revision, "only the pause")
	}
	r.Name = "TEST"
	r.RateLimitDay = 1000
	changed, err := engine.Put(ctx, r, nil)
	require.NoError(t, err)
	require.Equal(t, first.ID, changed.ID)
	require.Equal(t, "TEST", changed.Name)
	require.True(t, changed.Paused)
	r.ClientSecret = environment.NewSecret("another")
	rotated, err := engine.Put(ctx, r, nil)
	require.NoError(t, err)
	require.Equal(t, changed.Revision+1, rotated.Revision)

	var putting sync.WaitGroup
	for range 8 { // processes that start at once
		other := open(t, org, store, nil)
		putting.Go(func() {
			both := recordOf(org)
			both.Name = "Both"
			if _, err := other.Put(ctx, both, nil); err != nil {
				t.Error(err)
			}
		})
	}
	putting.Wait()
	both, err := engine.Find(ctx, "Both")
	require.NoError(t, err)
	require.EqualValues(t, 1, both.Revision)
}

// What sends nothing needs no secret.
func TestReadWithoutTheSecret(t *testing.T) {
	org := genesystest.New(nil)
	store := memory.New()
	env := create(t, open(t, org, store, nil), recordOf(org, "Queues"))
	reader, err := environment.Open(store, nil)
	require.NoError(t, err)
	_, err = reader.Status(t.Context(), env.ID)
	require.NoError(t, err)
	_, err = reader.Forecast(t.Context(), env.ID)
	require.NoError(t, err)
	_, err = reader.Poll(t.Context(), env.ID, "Queues")
	require.ErrorContains(t, err, "Options.Vault")
}
