package environment_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// However much a record or a caller writes, it is refused at once and in few words.
func TestWhatIsTooLong(t *testing.T) {
	defer bounded.Start(t)()
	org := genesystest.New(nil)
	engine := open(t, org, memory.New(), nil)
	id := create(t, engine, recordOf(org, "routing.queues")).ID
	long, many := strings.Repeat("x", 1<<20), strings.Split(strings.Repeat("quues,", 100_000), ",")
	var rules []environment.IgnoreRule
	var plan []poller.Entry
	for i := range 100_000 {
		rules = append(rules, environment.IgnoreRule{Type: "routing.queues", Field: fmt.Sprint("a", i)})
		plan = append(plan, poller.Entry{Type: fmt.Sprint("quues", i), Cron: "* * * * *"})
	}
	r := environment.Record{Name: "A", ClientID: "c"}
	record := func(edit func(*environment.Record)) func() error {
		return func() error { c := r; edit(&c); return c.Check(nil) }
	}
	none := func(context.Context, history.Change) error { return nil }
	for name, tt := range map[string]struct {
		ask  func() error
		says string
	}{
		"base_url":      {record(func(r *environment.Record) { r.BaseURL = "https://h/" + long }), "base_url: is longer than 1,000 bytes"},
		"login_url":     {record(func(r *environment.Record) { r.LoginURL = "https://h/" + long }), "login_url: is longer than 1,000 bytes"},
		"client_secret": {record(func(r *environment.Record) { r.ClientSecret = environment.NewSecret(long) }), "client_secret: is longer than 1,000 bytes"},
		"time_zone":     {record(func(r *environment.Record) { r.TimeZone = long }), "time_zone: is longer than 1,000 bytes"},
		"type":          {record(func(r *environment.Record) { r.Types = []string{long} }), "types[0]: is longer than 1,000 bytes"},
		"types":         {record(func(r *environment.Record) { r.Types = many }), "types: has 100001 entries, more than 1,000"},
		"cron": {record(func(r *environment.Record) {
			r.Polling = []poller.Entry{{Type: "All objects", Cron: strings.Repeat("1,", 1<<19) + "1 * * * *"}}
		}), "polling[0].cron: is longer than 1,000 bytes"},
		"polling type": {record(func(r *environment.Record) { r.Polling = []poller.Entry{{Type: long, Cron: "* * * * *"}} }), "polling[0].type: is longer than 1,000 bytes"},
		"polling":      {record(func(r *environment.Record) { r.Polling = plan }), "polling: has 100000 entries, more than 1,000"},
		"ignore":       {record(func(r *environment.Record) { r.Ignore = rules }), "ignore: has 100000 entries, more than 1,000"},
		"ignore field": {record(func(r *environment.Record) { r.Ignore = []environment.IgnoreRule{{Type: "Queues", Field: long}} }), "ignore[0].field: is longer than 1,000 bytes"},
		"ignore type":  {record(func(r *environment.Record) { r.Ignore = []environment.IgnoreRule{{Type: long, Field: "a"}} }), "ignore[0].type: is longer than 1,000 bytes"},
		"Poll":         {func() error { _, err := engine.Poll(t.Context(), id, long); return err }, "is no type"},
		"Find":         {func() error { _, err := engine.Find(t.Context(), long); return err }, "no such environment"},
		"AcceptOrg":    {func() error { return engine.AcceptOrg(t.Context(), id, long, "") }, "is no ID of an org"},
		"Deliver":      {func() error { return engine.Deliver(t.Context(), id, long, none) }, "is no name of a consumer"},
		"Follow":       {func() error { return engine.Follow(t.Context(), id, "a\x1b[2J", none, nil) }, "is no name of a consumer"},
		"no name":      {func() error { return engine.FollowAll(t.Context(), "", none, nil) }, "a consumer needs a name"},
		"no function":  {func() error { return engine.Deliver(t.Context(), id, "c", nil) }, `the consumer "c" has no function to call`},
	} {
		err := tt.ask()
		require.ErrorContains(t, err, tt.says, name)
		require.Less(t, len(err.Error()), 2000, name)
	}
}
