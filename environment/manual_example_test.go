package environment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

// An org with 500 users, and 60,000 requests a day. Everything is to be read each
// quarter of an hour, the queues every five minutes.
func ExampleEngine_Forecast() {
	ctx := context.Background()
	org := genesystest.New(&genesystest.Options{Size: 500, RateLimit: -1})
	vault, _ := environment.NewKeyVault(environment.NewKey())
	engine, _ := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: "mypurecloud.com", RateLimitDay: environment.SuggestedRateLimitDay,
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "*/15 * * * *"}, {Type: "Queues", Cron: "*/5 * * * *"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	forecast := func(title string) environment.Forecast {
		f, err := engine.Forecast(ctx, env.ID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %.0f of %.0f requests a day, fits: %v, due in the worst minute: %.0f\n", title, f.PerDay, f.LimitPerDay, f.Fits, f.WorstMinuteRequests)
		return f
	}
	forecast("estimated")                                      // a call for each type, while nothing is known
	if _, err := engine.Import(ctx, env.ID, nil); err != nil { // the import measures what each type takes
		log.Fatal(err)
	}
	f := forecast("measured")
	for _, t := range f.Types[:5] { // the dearest first
		fmt.Printf("  %.0f = %.0f passes x %.0f requests: %s\n", t.PerDay, t.Firings, t.Requests, t.Type)
	}
	fmt.Println("proposal:", f.Proposal)

	env.Polling = []poller.Entry{
		{Type: poller.AllObjects, Cron: "0 * * * *"},
		{Type: "Queues", Cron: "*/5 * * * *"},
		{Type: "routing.queues.members", Cron: "10 */4 * * *"}, // a call for each queue: less often,
		{Type: "routing.queues.assistant", Cron: "20 3 * * *"}, // and not all in one minute
		{Type: "routing.queues.wrapupcodes", Cron: "30 3 * * *"},
		{Type: "architect.prompts.resources", Cron: "40 3 * * *"},
	}
	if env, err = engine.Update(ctx, env, nil); err != nil { // takes effect at once
		log.Fatal(err)
	}
	forecast("planned")
	// Output:
	// estimated: 32546 of 60000 requests a day, fits: true, due in the worst minute: 337
	// measured: 95234 of 60000 requests a day, fits: false, due in the worst minute: 990
	//   7200 = 96 passes x 75 requests: architect.prompts.resources
	//   7200 = 96 passes x 75 requests: routing.queues.assistant
	//   7200 = 96 passes x 75 requests: routing.queues.members
	//   7200 = 96 passes x 75 requests: routing.queues.wrapupcodes
	//   2400 = 96 passes x 25 requests: flows.datatables.rows
	// proposal: [{All objects */30 * * * *} {Queues */5 * * * *}]
	// planned: 17501 of 60000 requests a day, fits: true, due in the worst minute: 690
}
