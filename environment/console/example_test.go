package console_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// visitor is the key of the context for the name of who looks at the console.
type visitor struct{}

// authorize lets everybody read, and the administrator do all. What the program does by itself has no
// visitor in its context.
func authorize(ctx context.Context, op environment.Operation, _, _ environment.Record) error {
	name, visits := ctx.Value(visitor{}).(string)
	if visits && name != "admin" && op != environment.OpRead {
		return errors.New("only the administrator may")
	}
	return nil
}

// login is that of your service; here it takes any name with one password.
func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, ok := r.BasicAuth()
		if !ok || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitor{}, name)))
	})
}

// The console is a part of a service, behind its login. Everybody who is let in reads, and only the
// administrator polls.
func Example() {
	ctx := context.Background()
	org := genesystest.New(nil)
	vault, _ := environment.NewKeyVault(environment.NewKey())
	engine, _ := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport(), Authorize: authorize})
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), RateLimitMinute: 250, Types: []string{"Queues"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	pages, err := console.New(engine, &console.Options{
		Base:    "/config",                   // the same as below
		Hosts:   []string{"ops.example.com"}, // by which browsers reach the service
		Actions: true,                        // for whom authorize lets
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/config/", login(pages)) // no StripPrefix
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "the service") })

	visit := func(name, method, path string) int {
		r := httptest.NewRequestWithContext(ctx, method, "https://ops.example.com"+path, http.NoBody)
		r.Header.Set("Origin", "https://ops.example.com")
		if name != "" {
			r.SetBasicAuth(name, "open sesame")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	pause := fmt.Sprintf("/config/e/%d/pause", env.ID)
	fmt.Println(visit("", "GET", "/config/"), visit("ann", "GET", "/config/"))
	fmt.Println(visit("ann", "POST", pause), visit("admin", "POST", pause))
	// Output:
	// 401 200
	// 403 303
}
