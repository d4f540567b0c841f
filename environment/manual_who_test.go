package environment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// whatAndWho writes what changed in the queues since a time, and who did it.
func whatAndWho(ctx context.Context, w io.Writer, engine *environment.Engine, id int64, since time.Time) error {
	h, err := engine.History(ctx, id)
	if err != nil {
		return err
	}
	for c, err := range h.Changes(ctx, history.Query{Types: []string{"Queues"}, Since: since}) {
		if err != nil {
			return err
		}
		who := "nobody knows who" // the change is from before the audits that were read
		if c.Who != nil {
			who = c.Who.String()
		}
		fmt.Fprintf(w, "%s %s by %s\n", c.Kind, c.Name, who)
		for _, field := range c.Fields {
			fmt.Fprintf(w, "  %s\n", field)
		}
	}
	return nil
}

// Who made a change is read from the org's audits: AuditMinutes of the record turns that on, and
// Run does it, some minutes behind the change; what audits name, it reads at once. In this bubble
// minutes take no time.
func TestWhatChangedSinceYesterdayAndWho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		vault, err := environment.NewKeyVault(environment.NewKey())
		require.NoError(t, err)
		engine, err := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})
		require.NoError(t, err)
		env, err := engine.Create(t.Context(), environment.Record{
			Name: "Contoso", BaseURL: org.BaseURL(), RateLimitMinute: 250, Types: []string{"Queues"},
			AuditMinutes: environment.DefaultAuditMinutes, // a record in Go has 0, which is off
			ClientID:     genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		})
		require.NoError(t, err)
		_, err = engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- engine.Run(ctx) }()

		time.Sleep(10 * time.Minute)
		user, name := firstOf(t, org, "users")
		queue, _ := firstOf(t, org, "routing.queues")
		require.NoError(t, org.As(user).Update("routing.queues", queue, map[string]any{"description": "Refunds too"}))
		time.Sleep(20 * time.Minute)

		var report strings.Builder
		require.NoError(t, whatAndWho(t.Context(), &report, engine, env.ID, time.Now().AddDate(0, 0, -1)))
		require.Equal(t, "updated Sales by "+name+" (provisional)\n"+ // for a day, because audits come late
			"  ~ /description: \"Contacts for Sales\" -> \"Refunds too\"\n", report.String())
		stop()
		require.NoError(t, <-ended)
	})
}

// firstOf returns the first object of a type.
func firstOf(t *testing.T, org *genesystest.Org, typ string) (id, name string) {
	t.Helper()
	for id, body := range org.Objects(typ) {
		var named struct{ Name string }
		require.NoError(t, json.Unmarshal(body, &named))
		return id, named.Name
	}
	t.Fatalf("the org has no %s", typ)
	return "", ""
}
