package genesys_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// All users and all queues of an org.
func Example() {
	ctx := context.Background()
	org := genesystest.New(nil) // in earnest: genesys.Config{BaseURL: "mypurecloud.ie", ClientID: id, ClientSecret: secret}, and no Transport
	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"users", "routing.queues"} { // or by label: "Users", "Queues"
		typ, ok := client.Catalogue().Lookup(name)
		if !ok {
			log.Fatal("there is no type ", name)
		}
		n := 0
		for object, err := range client.List(ctx, typ) {
			if err != nil {
				log.Fatal(err) // the list is not whole
			}
			if n++; n <= 2 {
				fmt.Println(name, object.Name)
			}
		}
		fmt.Println(name, n)
	}
	// Output:
	// users Ada Adams
	// users Ben Bauer
	// users 25
	// routing.queues Sales
	// routing.queues Support
	// routing.queues 12
}

// A name that is no type gives the zero ObjectType, which whoever does not look at ok hears about.
func TestListOfNoType(t *testing.T) {
	org := genesystest.New(nil)
	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	require.NoError(t, err)
	typ, ok := client.Catalogue().Lookup("Queue")
	require.False(t, ok)
	n := 0
	for _, err := range client.List(t.Context(), typ) {
		n++
		require.ErrorContains(t, err, "Catalogue.Lookup")
	}
	require.Equal(t, 1, n)
}

// A type that is listed below another one is listed for each of the parents.
func ExampleClient_Children() {
	ctx := context.Background()
	org := genesystest.New(nil)
	client, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport()})
	if err != nil {
		log.Fatal(err)
	}
	queues, _ := client.Catalogue().Lookup("routing.queues")
	members, _ := client.Catalogue().Lookup("routing.queues.members")
	n := 0
	for queue, err := range client.List(ctx, queues) {
		if err != nil {
			log.Fatal(err)
		}
		for _, err := range client.Children(ctx, members, queue) {
			if err != nil {
				log.Fatal(err)
			}
			n++
		}
	}
	fmt.Println(n > 0)
	// Output: true
}
