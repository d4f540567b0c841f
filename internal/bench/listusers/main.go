// Listusers lists the users of an org. The comparison builds it to see what
// building against package genesys costs.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/cxsync/cxsync/genesys"
)

func main() {
	client, err := genesys.NewClient(genesys.Config{
		BaseURL: os.Getenv("GENESYS_BASE_URL"), ClientID: os.Getenv("GENESYS_CLIENT_ID"), ClientSecret: os.Getenv("GENESYS_CLIENT_SECRET"),
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	users, _ := genesys.DefaultCatalogue().Lookup("users")
	for user, err := range client.List(context.Background(), users) {
		if err != nil {
			log.Fatal(err)
		}
		_, _ = fmt.Fprintln(os.Stdout, user.ID, user.Name)
	}
}
