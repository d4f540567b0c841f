package genesystest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// A program's own code runs against an org in memory.
func Example() {
	org := genesystest.New(nil)
	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	queues, _ := client.Catalogue().Lookup("routing.queues")
	if _, err := org.Create("routing.queues", map[string]any{"name": "Night desk"}); err != nil {
		log.Fatal(err)
	}
	n := 0
	for queue, err := range client.List(context.Background(), queues) {
		if err != nil {
			log.Fatal(err)
		}
		n++
		if n == 1 || n == 13 {
			fmt.Println(queue.Name)
		}
	}
	fmt.Println(n, "queues,", org.Stats().Requests, "request")
	// Output:
	// Sales
	// Night desk
	// 13 queues, 1 request
}

// The service is down for two requests; the client gets over it.
func ExampleOrg_Fail() {
	org := genesystest.New(nil)
	client, err := genesys.NewClient(org.Config(), &genesys.Options{
		Transport: org.Transport(), RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	org.Fail("organizations.me", genesystest.Status(503), 2)
	me, err := client.Organization(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Name)
	for _, r := range org.Requests() {
		fmt.Println(r.Method, r.Path, r.Status)
	}
	// Output:
	// Contoso Care
	// POST /oauth/token 200
	// GET /api/v2/organizations/me 503
	// GET /api/v2/organizations/me 503
	// GET /api/v2/organizations/me 200
}

// Other programs reach an org through a socket.
func ExampleOrg_Listen() {
	ctx := context.Background()
	server, err := genesystest.New(nil).Listen(ctx, "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	client, err := genesys.NewClient(server.Config(), nil)
	if err != nil {
		log.Fatal(err)
	}
	me, err := client.Organization(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Name)
	if err := server.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: Contoso Care
}
