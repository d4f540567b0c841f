// Command console shows a local org in a browser, with edits trickling in:
//
//	go run .
//
// Nothing of it leaves the machine, and nothing stays. While it runs, examples/history reads from
// it with -url.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/examples/internal/ask"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/memory"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8090", "loopback `address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, os.Stdout); err != nil {
		stop()
		log.Fatal("console: ", err) //nolint:gocritic // stop was called
	}
}

func run(ctx context.Context, addr string, out io.Writer) error {
	listener, err := cli.Listen(ctx, addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	org := genesystest.New(&genesystest.Options{Size: 60})
	vault, err := environment.NewKeyVault(environment.NewKey())
	if err != nil {
		return err
	}
	engine, err := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})
	if err != nil {
		return err
	}
	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
		RateLimitMinute: 250, AuditMinutes: 1, Types: []string{"Queues", "ACD skills", "Wrap-up codes", "Users", "Groups", "Divisions", "Flows", "Schedules"},
		Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "*/5 * * * *"}, {Type: "Queues", Cron: "* * * * *"}},
	})
	if err != nil {
		return err
	}
	if _, err := engine.Import(ctx, env.ID, nil); err != nil {
		return err
	}
	pages, err := console.New(engine, &console.Options{Actions: true})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", pages)
	mux.Handle("GET "+ask.Path, ask.Handler(engine))
	fmt.Fprintf(out, "The console is at http://%s/ until you interrupt it.\n", listener.Addr())

	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { _ = engine.Run(ctx) })
	wg.Go(func() { edit(ctx, org, engine, env.ID) })
	server := &http.Server{Handler: cli.Local(mux), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// edit makes an edit every few seconds and has its type polled, so that it shows at once.
func edit(ctx context.Context, org *genesystest.Org, engine *environment.Engine, id int64) {
	for n := 1; ; n++ {
		typ := "routing.queues"
		somebody := org.As(pick(org, "users"))
		switch object := pick(org, typ); n % 4 {
		case 0:
			typ = "routing.skills"
			_, _ = somebody.Create(typ, map[string]any{"name": fmt.Sprintf("Skill %d", n)})
		case 1:
			_ = somebody.Update(typ, object, map[string]any{"acwSettings": map[string]any{"timeoutMs": 1000 * (10 + rand.IntN(50))}})
		case 2:
			_ = somebody.Update(typ, object, map[string]any{"description": fmt.Sprintf("Calls of week %d, %d agents", 40+n, rand.IntN(90))})
		case 3:
			typ = "routing.wrapupcodes"
			_ = somebody.Delete(typ, pick(org, typ))
		}
		if _, err := engine.Poll(ctx, id, typ); err != nil && ctx.Err() == nil {
			log.Print("console: ", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(3+rand.IntN(6)) * time.Second):
		}
	}
}

// pick returns any object of a type.
func pick(org *genesystest.Org, typ string) (chosen string) {
	n := 1
	for id := range org.Objects(typ) {
		if rand.IntN(n) == 0 {
			chosen = id
		}
		n++
	}
	return chosen
}
