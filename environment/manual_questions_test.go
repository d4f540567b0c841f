package environment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// record imports the queues of a local org into a store, under a name.
func record(ctx context.Context, store storage.Store, org *genesystest.Org, name string) (*environment.Engine, int64) {
	vault, err := environment.NewKeyVault(environment.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	env, err := engine.Create(ctx, environment.Record{
		Name: name, BaseURL: org.BaseURL(), RateLimitMinute: 250, Types: []string{"Queues"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Import(ctx, env.ID, nil); err != nil {
		log.Fatal(err)
	}
	return engine, env.ID
}

// newest returns the newest change.
func newest(ctx context.Context, h *history.History) (last history.Change) {
	for c, err := range h.Changes(ctx, history.Query{Newest: true, Limit: 1}) {
		if err != nil {
			log.Fatal(err)
		}
		last = c
	}
	return last
}

// A queue is edited twice, and the first edit is to be undone. The plan has the body that does it,
// with the second edit in it.
func Example_undo() {
	ctx := context.Background()
	org := genesystest.New(nil)
	engine, id := record(ctx, memory.New(), org, "Contoso")
	poll := func() {
		if _, err := engine.Poll(ctx, id, "Queues"); err != nil {
			log.Fatal(err)
		}
	}
	queue, _ := org.Create("routing.queues", map[string]any{"name": "Refunds", "description": "EU"})
	poll()
	_ = org.Update("routing.queues", queue, map[string]any{"description": "US"})
	poll()
	_ = org.Update("routing.queues", queue, map[string]any{"acwSettings": map[string]any{"timeoutMs": 9000}})
	poll()

	h, err := engine.History(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	for c, err := range h.Changes(ctx, history.Query{Types: []string{"Queues"}, Field: "description", Kinds: []history.Kind{history.KindUpdated}}) {
		if err != nil {
			log.Fatal(err)
		}
		plan, err := h.Undo(ctx, c.Seq) // sends nothing: PUT the body to the API, with a client that may
		if err != nil {
			log.Fatal(err)
		}
		var body struct {
			Name, Description string
			ACWSettings       struct{ TimeoutMS int }
		}
		if err := json.Unmarshal(plan.Body, &body); err != nil {
			log.Fatal(err)
		}
		fmt.Println(c.Name, c.Fields, "undone:", body.Description, body.ACWSettings.TimeoutMS, plan.Conflicts)
	}
	// Output: Refunds [~ /description: "EU" -> "US"] undone: EU 9000 []
}

// What is on test but not in production, and what differs. Objects are matched by name, and the ids
// in their bodies by what they stand for.
func ExampleEngine_Compare() {
	ctx := context.Background()
	store := memory.New()
	production, test := genesystest.New(nil), genesystest.New(nil) // equal, but for their edits
	_, _ = test.Create("routing.queues", map[string]any{"name": "Refunds"})
	for id := range test.Objects("routing.queues") { // the first one
		_ = test.Update("routing.queues", id, map[string]any{"description": "Sales and refunds"})
		break
	}
	_, a := record(ctx, store, production, "Production")
	engine, b := record(ctx, store, test, "Test") // of one store, like the one before

	options := &history.CompareOptions{Types: []string{"Queues"}}
	for d, err := range engine.Compare(ctx, environment.Side{Environment: a}, environment.Side{Environment: b}, options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Kind, d.Type, d.Key, d.Fields)
	}
	// Output:
	// only_b routing.queues Refunds []
	// fields routing.queues Sales [~ /description: "Contacts for Sales" -> "Sales and refunds"]
}

// export writes all objects, as they were at a time, into a folder: a file for each.
func export(ctx context.Context, h *history.History, at time.Time, folder string) error {
	for f, err := range h.Export(ctx, &history.ExportOptions{At: at}) {
		if err != nil {
			return err
		}
		name := filepath.Join(folder, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// All objects as they were before the newest change, and as they are now, as files.
func Example_export() {
	ctx := context.Background()
	org := genesystest.New(nil)
	engine, id := record(ctx, memory.New(), org, "Contoso")
	_, _ = org.Create("routing.queues", map[string]any{"name": "Refunds"})
	if _, err := engine.Poll(ctx, id, "Queues"); err != nil {
		log.Fatal(err)
	}
	h, err := engine.History(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	before := newest(ctx, h).At.Add(-time.Nanosecond)
	for _, at := range []time.Time{before, {}} { // the zero time is now
		folder, err := os.MkdirTemp("", "cxsync")
		if err != nil {
			log.Fatal(err)
		}
		if err := export(ctx, h, at, folder); err != nil {
			log.Fatal(err)
		}
		files, err := os.ReadDir(filepath.Join(folder, "routing.queues"))
		_, missing := os.Stat(filepath.Join(folder, "routing.queues", "Refunds.json"))
		fmt.Println(len(files), "queues, Refunds among them:", missing == nil, err)
		_ = os.RemoveAll(folder)
	}
	// Output:
	// 12 queues, Refunds among them: false <nil>
	// 13 queues, Refunds among them: true <nil>
}
