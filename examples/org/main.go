// Command org serves a local Genesys Cloud org on loopback, to sync and to edit.
//
// Edits, with any HTTP client (IDs as cxsync prints them):
//
//	GET    /edit/routing.queues              list the objects
//	POST   /edit/routing.queues              create one from the JSON body; ?parent=ID for child types
//	PATCH  /edit/routing.queues/ID           merge the JSON body into one
//	DELETE /edit/routing.queues/ID           delete one
//	POST   /touch/routing.queues/ID          move only what moves without an edit
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8089", "loopback `address` to listen on")
	seed := flag.Uint64("seed", 1, "what the org is made of")
	users := flag.Int("users", 25, "number of users; the other types grow with it")
	rate := flag.Int("rate", 300, "requests a minute and token")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, genesystest.New(&genesystest.Options{Seed: *seed, Size: *users, RateLimit: *rate}), *addr)
	stop()
	if err != nil {
		log.Fatal("org: ", err)
	}
}

func serve(ctx context.Context, org *genesystest.Org, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not a loopback address; anyone could edit the org there", addr)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	c := org.Config()
	fmt.Printf("A local org listens on %s until it is interrupted. A record for examples/sync:\n\n", url)
	fmt.Printf("{\"name\": \"Local\", \"base_url\": %q, \"client_id\": %q, \"client_secret\": %q, \"rate_limit_minute\": 250}\n\n", url, c.ClientID, c.ClientSecret)
	fmt.Printf("Edit it: curl -X POST %s/edit/routing.skills -d '{\"name\": \"French\"}'\n", url)

	server := &http.Server{Handler: handler(org), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler is the org, with the edits beside it.
func handler(org *genesystest.Org) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", org)
	mux.HandleFunc("GET /edit/{type}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, maps.Collect(org.Objects(r.PathValue("type"))), nil)
	})
	mux.HandleFunc("POST /edit/{type}", func(w http.ResponseWriter, r *http.Request) {
		fields, err := body(r)
		var id string
		if err == nil {
			id, err = org.CreateChild(r.PathValue("type"), r.URL.Query().Get("parent"), fields)
		}
		reply(w, map[string]string{"id": id}, err)
	})
	mux.HandleFunc("PATCH /edit/{type}/{id...}", func(w http.ResponseWriter, r *http.Request) {
		fields, err := body(r)
		if err == nil {
			err = org.Update(r.PathValue("type"), r.PathValue("id"), fields)
		}
		reply(w, map[string]string{"updated": r.PathValue("id")}, err)
	})
	mux.HandleFunc("DELETE /edit/{type}/{id...}", func(w http.ResponseWriter, r *http.Request) {
		err := org.Delete(r.PathValue("type"), r.PathValue("id"))
		reply(w, map[string]string{"deleted": r.PathValue("id")}, err)
	})
	mux.HandleFunc("POST /touch/{type}/{id...}", func(w http.ResponseWriter, r *http.Request) {
		err := org.Touch(r.PathValue("type"), r.PathValue("id"))
		reply(w, map[string]string{"touched": r.PathValue("id")}, err)
	})
	return mux
}

func body(r *http.Request) (fields map[string]json.RawMessage, err error) {
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
		return nil, fmt.Errorf("the body is no JSON object: %w", err)
	}
	return fields, nil
}

func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v)
}
