package environment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// An object type that the catalogue has not is described, and then kept like any
// other. The local org is told of it as well, so that it has objects of it.
func ExampleOptions_catalogue() {
	ctx := context.Background()
	catalogue, err := genesys.DefaultCatalogue().With(genesys.ObjectType{
		Name: "example.announcements", Label: "Announcements", Group: "Example", Default: true,
		Path: "/api/v2/example/announcements", Paging: genesys.PagingPage, PageSize: 100, Items: "entities",
		ID: []string{"id"}, Title: "name", Whole: true, Get: "/api/v2/example/announcements/{announcementId}",
		Volatile: []string{"dateModified", "version"}, Permissions: []string{"example:announcement:view"},
	})
	if err != nil {
		log.Fatal(err)
	}
	org := genesystest.New(&genesystest.Options{Catalogue: catalogue})
	vault, _ := environment.NewKeyVault(environment.NewKey())
	engine, err := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport(), Catalogue: catalogue})
	if err != nil {
		log.Fatal(err)
	}
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: "mypurecloud.com", RateLimitMinute: 250, Types: []string{"Announcements"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Import(ctx, env.ID, nil); err != nil {
		log.Fatal(err)
	}
	id, _ := org.Create("example.announcements", map[string]any{"name": "Holidays", "text": "Closed on Friday"})
	_, _ = engine.Poll(ctx, env.ID, "Announcements")
	_ = org.Update("example.announcements", id, map[string]any{"text": "Closed on Thursday"})
	_, _ = engine.Poll(ctx, env.ID, "Announcements")
	_ = org.Delete("example.announcements", id)
	_, _ = engine.Poll(ctx, env.ID, "Announcements")

	_ = engine.Deliver(ctx, env.ID, "printer", func(_ context.Context, c history.Change) error {
		fmt.Println(c.Kind, c.Type, c.Name)
		for _, f := range c.Fields {
			fmt.Printf("  %s: %s -> %s\n", f.Path, f.Old, f.New)
		}
		return nil
	})
	// Output:
	// created example.announcements Holidays
	// updated example.announcements Holidays
	//   /text: "Closed on Friday" -> "Closed on Thursday"
	// deleted example.announcements Holidays
}
