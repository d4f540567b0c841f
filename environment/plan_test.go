package environment_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
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
	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage/memory"
)

// A plan has no hole that nobody dug: what it leaves out is polled hourly, and seen
// to be; what is off is said to be, when it is stored and when it is validated.
func TestPlanHasNoHole(t *testing.T) {
	hourly, queues := poller.Entry{Type: poller.AllObjects, Cron: "0 * * * *"}, poller.Entry{Type: "Queues", Cron: "*/5 * * * *"}
	off := func(named string) poller.Entry { return poller.Entry{Type: named, Cron: "off"} }
	for name, test := range map[string]struct {
		types             []string
		polling, readBack []poller.Entry
		unpolled          []string
	}{
		"no plan":          {[]string{"Queues", "users"}, nil, []poller.Entry{hourly}, []string{}},
		"no default":       {[]string{"Queues", "users"}, []poller.Entry{queues}, []poller.Entry{hourly, queues}, []string{}},
		"default":          {[]string{"Queues", "users"}, []poller.Entry{queues, hourly}, []poller.Entry{queues, hourly}, []string{}},
		"default, labels":  {[]string{"Queues", "users"}, []poller.Entry{{Type: " all objects", Cron: "@daily"}}, []poller.Entry{{Type: " all objects", Cron: "@daily"}}, []string{}},
		"one is off":       {[]string{"Queues", "users"}, []poller.Entry{off("users")}, []poller.Entry{hourly, off("users")}, []string{"users"}},
		"the rest is off":  {[]string{"Queues", "users"}, []poller.Entry{off(poller.AllObjects), queues}, []poller.Entry{off(poller.AllObjects), queues}, []string{"users"}},
		"all is off":       {[]string{"Queues", "users"}, []poller.Entry{off(poller.AllObjects)}, []poller.Entry{off(poller.AllObjects)}, []string{"routing.queues", "users"}},
		"one type, no one": {nil, []poller.Entry{off("users")}, []poller.Entry{hourly, off("users")}, []string{}}, // not selected
	} {
		t.Run(name, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
			var log bytes.Buffer
			engine := open(t, org, memory.New(), func(o *environment.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			r := recordOf(org, test.types...)
			r.Polling = test.polling
			env := create(t, engine, r)
			require.Equal(t, test.readBack, env.Polling)
			known, err := engine.Get(t.Context(), env.ID)
			require.NoError(t, err)
			require.Equal(t, test.readBack, known.Polling)
			same, err := engine.Put(t.Context(), r, nil)
			require.NoError(t, err)
			require.EqualValues(t, 1, same.Revision, "it says what is stored")

			forecast, err := engine.Forecast(t.Context(), env.ID)
			require.NoError(t, err)
			require.Equal(t, test.unpolled, forecast.Unpolled)
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			for _, ts := range status.Types {
				require.Equal(t, slices.Contains(test.unpolled, ts.Type), ts.Cron == "off", ts.Type)
				require.Equal(t, ts.Cron == "off", ts.Next.IsZero(), ts.Type)
			}
			for _, tf := range forecast.Types {
				require.NotEmpty(t, tf.Cron)
			}
			validation, err := engine.Validate(t.Context(), env.ID)
			require.NoError(t, err)
			if len(test.unpolled) == 0 {
				require.NotContains(t, validation.String()+log.String(), "no schedule polls")
				return
			}
			for _, text := range []string{validation.String(), log.String()} {
				require.Contains(t, text, strings.Join(test.unpolled, ", "))
				require.Contains(t, text, "no schedule polls")
			}
		})
	}
}

// What a record says that cannot be meant is refused, what may not be is a warning.
func TestWhatTheRecordCannotSay(t *testing.T) {
	engine := open(t, genesystest.New(nil), memory.New(), nil)
	entry := func(named, cron string) []poller.Entry { return []poller.Entry{{Type: named, Cron: cron}} }
	ignore := func(field string) []environment.IgnoreRule {
		return []environment.IgnoreRule{{Type: "Queues", Field: field}}
	}
	for problem, edit := range map[string]func(*environment.Record){
		`types[0]: "routing.queus" is no type; did you mean routing.queues (Queues)?`: func(r *environment.Record) { r.Types = []string{"routing.queus"} },
		`types[0]: "All objects" is no type; leave types out to select all`:           func(r *environment.Record) { r.Types = []string{"All objects"} },
		`types[1]: "Queues" is types[0] already`:                                      func(r *environment.Record) { r.Types = []string{"routing.queues", "Queues"} },
		`polling[0].type: "Queus": there is no such type; did you mean`:               func(r *environment.Record) { r.Polling = entry("Queus", "@daily") },
		`polling[1].type: "queues": the type has entries[0] already`:                  func(r *environment.Record) { r.Polling = append(entry("Queues", "@daily"), entry("queues", "off")...) },
		`ignore[0].type: "Queus" is no type; did you mean`:                            func(r *environment.Record) { r.Ignore = []environment.IgnoreRule{{Type: "Queus", Field: "name"}} },
		`ignore[1]: is ignore[0] already`: func(r *environment.Record) {
			r.Ignore = append(ignore("name"), environment.IgnoreRule{Type: "routing.queues", Field: "name"})
		},
		`ignore[0].field: ignored path "/name": it is no dotted path, and would match nothing; did you mean name?`: func(r *environment.Record) { r.Ignore = ignore("/name") },
		`did you mean members.name?`:       func(r *environment.Record) { r.Ignore = ignore("members[0].name") },
		`did you mean members.ringNumber?`: func(r *environment.Record) { r.Ignore = ignore("$.members[*].ringNumber") },
		`did you mean a.b\.c?`:             func(r *environment.Record) { r.Ignore = ignore("$['a']['b.c']") },
		`did you mean a~b.x/y?`:            func(r *environment.Record) { r.Ignore = ignore("/a~0b/0/x~1y") },
		`did you mean **.name?`:            func(r *environment.Record) { r.Ignore = ignore("$..name") },
		`did you mean description?`:        func(r *environment.Record) { r.Ignore = ignore(" description ") },
		`time_zone: "Vienna" is no IANA time zone, such as Europe/Vienna`: func(r *environment.Record) { r.TimeZone = "Vienna" },
		`time_zone: "Local" differs from machine to machine`:              func(r *environment.Record) { r.TimeZone = "Local" },
		`name: "a\x1b[31m" has characters that cannot be printed`:         func(r *environment.Record) { r.Name = "a\x1b[31m" },
	} {
		r := contoso()
		edit(&r)
		_, err := engine.Create(t.Context(), r)
		require.ErrorContains(t, err, problem)
		_, err = engine.Put(t.Context(), r, nil)
		require.ErrorContains(t, err, problem)
		_, ok := errors.AsType[*environment.InvalidError](err)
		require.True(t, ok)
	}

	var log bytes.Buffer
	engine = open(t, genesystest.New(nil), memory.New(), func(o *environment.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	users, _ := genesys.DefaultCatalogue().Lookup("users")
	r := contoso()
	r.Polling = append(entry("Users", "@daily"), poller.Entry{Type: "Queues", Cron: " */5 * * * *\n"})
	r.Ignore = []environment.IgnoreRule{{Type: "users", Field: "name"}, {Type: "users", Field: users.Ignored()[0]}}
	create(t, engine, r)
	for _, doubt := range []string{
		`field=polling[1].type problem="\"Users\" is not among the types that are selected`, `field=ignore[0].type`, `field=ignore[1] problem="is a default rule already"`,
	} {
		require.Contains(t, log.String(), doubt)
	}
}

// What a record ignores is ignored beside the default, which stays.
func TestDefaultIgnoreStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "Queues")
		r.Ignore = []environment.IgnoreRule{{Type: "Queues", Field: "description"}}
		env := create(t, engine, r)
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		id := firstID(t, org.Objects("routing.queues"))
		updated := func(patch map[string]any) int {
			t.Helper()
			time.Sleep(time.Minute)
			require.NoError(t, org.Update("routing.queues", id, patch))
			result, err := engine.Poll(t.Context(), env.ID)
			require.NoError(t, err)
			return result[0].Updated
		}
		require.Zero(t, updated(map[string]any{"description": "x", "selfUri": "/elsewhere"}))
		require.Equal(t, 1, updated(map[string]any{"name": "Other", "description": "y"}))
	})
}

// Every spelling of a path that is refused ignores nothing as it stands, and what it
// is said to mean is accepted.
func FuzzIgnoreField(f *testing.F) {
	for _, field := range []string{"/name", "$.name", "members[0].name", "a.b", "**.selfUri", "$['a.b']", "/a~1b/-/c", "[", "$", "/", "x[]", `a\.b`} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		defer bounded.Start(t)()
		r := contoso()
		r.Ignore = []environment.IgnoreRule{{Type: "Queues", Field: field}}
		err := r.Check(nil)
		if err == nil {
			return
		}
		_, meant, ok := strings.Cut(err.Error(), "did you mean ")
		if !ok {
			return
		}
		r.Ignore[0].Field = strings.TrimSuffix(meant, "?")
		if err := r.Check(nil); err != nil {
			require.NotContains(t, err.Error(), "did you mean "+r.Ignore[0].Field+"?")
		}
	})
}

// A plan follows the clock of its zone over a change of it: what fires, and what the
// forecast says of the week.
func TestPlanInVienna(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	require.NoError(t, err)
	for _, sunday := range []time.Time{time.Date(2000, 3, 26, 0, 0, 0, 0, vienna), time.Date(2000, 10, 29, 0, 0, 0, 0, vienna)} {
		synctest.Test(t, func(t *testing.T) {
			org := genesystest.New(&genesystest.Options{Counts: few(2), LogSize: 1})
			passes := map[string][]string{}
			engine := open(t, org, memory.New(), func(o *environment.Options) {
				o.Concurrency = 1
				o.Observer = func(e environment.PassEvent) {
					passes[e.Result.Type] = append(passes[e.Result.Type], time.Now().Truncate(time.Minute).UTC().Format(time.DateTime))
				}
			})
			r := recordOf(org, "Queues", "routing.skills", "groups")
			r.TimeZone = "Europe/Vienna"
			r.Polling = []poller.Entry{
				{Type: poller.AllObjects, Cron: "0 * * * *"}, {Type: "routing.skills", Cron: "30 2 * * *"}, {Type: "groups", Cron: "15,45 1-3 * * *"},
			}
			env := create(t, engine, r)
			from := sunday.Add(-2*24*time.Hour + 30*time.Second)
			time.Sleep(time.Until(from))
			_, err := engine.Import(t.Context(), env.ID, nil)
			require.NoError(t, err)
			status, err := engine.Status(t.Context(), env.ID)
			require.NoError(t, err)
			require.Equal(t, 2, status.Types[slices.IndexFunc(status.Types, func(ts environment.TypeStatus) bool { return ts.Type == "routing.skills" })].Next.Hour())
			forecast, err := engine.Forecast(t.Context(), env.ID)
			require.NoError(t, err)
			clear(passes)
			time.Sleep(time.Until(sunday.Add(-24*time.Hour - 5*time.Minute)))
			before := org.Stats().Requests
			ctx, stop := context.WithTimeout(t.Context(), 3*24*time.Hour)
			defer stop()
			start, end := time.Now(), time.Now().Add(3*24*time.Hour)
			require.NoError(t, engine.Run(ctx))
			for name, fires := range map[string]func(wall time.Time) bool{
				"routing.queues": func(wall time.Time) bool { return wall.Minute() == 0 },
				"routing.skills": func(wall time.Time) bool { return wall.Hour() == 2 && wall.Minute() == 30 },
				"groups":         func(wall time.Time) bool { return wall.Hour() >= 1 && wall.Hour() <= 3 && wall.Minute()%30 == 15 },
			} {
				require.Equal(t, oracle(start, end, vienna, name == "routing.queues", fires), passes[name], name)
			}
			counted := float64(org.Stats().Requests - before)
			require.Less(t, math.Abs(3*forecast.PerDay-counted)/counted, 0.05, "forecast %.0f, counted %.0f", 3*forecast.PerDay, counted)
		})
	}
}

// oracle lists the minutes in which a schedule fires, by looking at each. Walls that
// the clock jumps over fire together at its end, and those that it repeats fire the
// first time, or both times if the schedule is for every hour.
func oracle(from, to time.Time, loc *time.Location, everyHour bool, fires func(wall time.Time) bool) (ticks []string) {
	wallOf := func(t time.Time) time.Time {
		_, offset := t.In(loc).Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	seen := map[time.Time]bool{}
	for t := from.Truncate(time.Minute); t.Before(to); t = t.Add(time.Minute) {
		due := false
		for wall := wallOf(t.Add(-time.Minute)).Add(time.Minute); !wall.After(wallOf(t)); wall = wall.Add(time.Minute) {
			due = due || fires(wall) && !seen[wall] // the walls up to now, jumped over ones too
			seen[wall] = true
		}
		if everyHour {
			due = fires(wallOf(t))
		}
		if due && !t.Before(from) {
			ticks = append(ticks, t.UTC().Format(time.DateTime))
		}
	}
	return ticks
}

// Poll without types reads what is selected; the client of an environment spends
// the environment's quota.
func TestPollOfAllAndClient(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
	engine := open(t, org, memory.New(), nil)
	r := recordOf(org, "Queues", "users")
	r.RateLimitMinute = 250
	env := create(t, engine, r)
	results, err := engine.Poll(t.Context(), env.ID)
	require.NoError(t, err)
	require.Len(t, results, 2)

	client, err := engine.Client(t.Context(), env.ID)
	require.NoError(t, err)
	status, err := engine.Status(t.Context(), env.ID)
	require.NoError(t, err)
	before := status.Quota.Used
	_, err = client.Organization(ratelimit.WithPriority(t.Context(), ratelimit.Interactive))
	require.NoError(t, err)
	status, err = engine.Status(t.Context(), env.ID)
	require.NoError(t, err)
	require.Equal(t, before+1, status.Quota.Used)
}

// Validate says which limit rules, and what the service allows.
func TestLimitsAreExplained(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
	for says, edit := range map[string]func(*environment.Record){
		"rate_limit_day (60000) rules, without effect: rate_limit_hour (9), rate_limit_minute (250); the service itself allows 300": func(r *environment.Record) {
			r.RateLimitDay, r.RateLimitHour, r.RateLimitMinute = 60_000, 9, 250
		},
		"rate_limit_minute (250) rules; the service": func(r *environment.Record) { r.RateLimitMinute = 250 },
		"Lower rate_limit_minute to 250 or less":     func(r *environment.Record) { r.RateLimitMinute = 301 },
		"no rate limit is set":                       func(*environment.Record) {},
	} {
		engine := open(t, org, memory.New(), nil)
		r := recordOf(org, "Queues")
		edit(&r)
		validation, err := engine.Validate(t.Context(), create(t, engine, r).ID)
		require.NoError(t, err)
		require.Contains(t, validation.String(), says)
	}
}

// Types are named by name or label wherever history is asked, and what is neither is
// refused with what may have been meant.
func TestHistoryKnowsLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		org := genesystest.New(&genesystest.Options{Size: 5, LogSize: 1})
		engine := open(t, org, memory.New(), nil)
		env := create(t, engine, recordOf(org, "Queues"))
		_, err := engine.Import(ctx, env.ID, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute) // by the bounds of the org's clock, what was just recorded is ahead of time.Now
		imported := time.Now()
		id := firstID(t, org.Objects("routing.queues"))
		require.NoError(t, org.Update("routing.queues", id, map[string]any{"description": "x"}))
		_, err = engine.Poll(ctx, env.ID)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		h, err := engine.History(ctx, env.ID)
		require.NoError(t, err)
		count := func(seq func(named string) error) {
			t.Helper()
			for _, named := range []string{"routing.queues", "Queues", " queues"} {
				require.EqualError(t, seq(named), "found", named)
			}
			require.ErrorContains(t, seq("queue"), `"queue" is no type; did you mean routing.queues (Queues)?`)
		}
		found := errors.New("found")
		count(func(named string) error {
			for _, err := range h.Changes(ctx, history.Query{Types: []string{named}}) {
				return cmp.Or(err, found)
			}
			return nil
		})
		count(func(named string) error {
			for _, err := range h.Between(ctx, imported, time.Now(), history.Query{Types: []string{named}}) {
				return cmp.Or(err, found)
			}
			return nil
		})
		count(func(named string) error {
			for _, err := range h.AsOf(ctx, named, time.Now()) {
				return cmp.Or(err, found)
			}
			return nil
		})
		count(func(named string) error {
			for _, err := range h.Versions(ctx, named, id) {
				return cmp.Or(err, found)
			}
			return nil
		})
		count(func(named string) error {
			_, err := h.ObjectAsOf(ctx, named, id, time.Now())
			return cmp.Or(err, found)
		})
	})
}
