package environment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

func Example() {
	ctx := context.Background()
	org := genesystest.New(nil) // a local org; leave out Transport for a real one
	vault, _ := environment.NewKeyVault(environment.NewKey())
	engine, err := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), RateLimitMinute: 250, Objects: []string{"Queues"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	validation, _ := engine.Validate(ctx, env.ID)
	imported, err := engine.Import(ctx, env.ID, nil)
	fmt.Println(validation.OK(), len(imported.Types), err)

	_, _ = org.Create("routing.queues", map[string]any{"name": "Refunds"})
	_, err = engine.Poll(ctx, env.ID, "Queues") // engine.Run(ctx) does so on schedule
	_ = engine.Deliver(ctx, env.ID, "printer", func(_ context.Context, c history.Change) error {
		fmt.Println(c.Kind, c.Type, c.Name, err)
		return nil
	})
	// Output:
	// true 1 <nil>
	// created routing.queues Refunds <nil>
}
