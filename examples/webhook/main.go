// Command webhook keeps the environments of a store in sync and posts each
// change as JSON to a URL, at least once and in order. A delivery that fails is
// repeated until it succeeds; after a restart it goes on where it was. The header
// Idempotency-Key (environment-seq) tells a change that comes again.
//
//	CXSYNC_KEY=... webhook -data cxsync-data -url https://example.com/hook
//
// The key is the one with which examples/embed sealed the client secrets in that
// store. Without -url it shows how it goes, for 15 seconds: it edits a local org
// and prints what a receiver of its own gets.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/file"
)

func main() {
	data := flag.String("data", "", "`folder` of the store (default cxsync-data; a temporary one without -url)")
	url := flag.String("url", "", "where to post the changes")
	consumer := flag.String("consumer", "examples/webhook", "`name` under which the place in the changes is remembered")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *url == "" {
		err = demonstrate(ctx, *data, *consumer)
	} else {
		err = run(ctx, *data, *url, *consumer)
	}
	stop()
	if err != nil {
		log.Fatal("webhook: ", err)
	}
}

// run posts the changes of every environment of the store until ctx ends.
func run(ctx context.Context, data, url, consumer string) error {
	if data == "" {
		data = "cxsync-data"
	}
	key, err := base64.StdEncoding.DecodeString(os.Getenv("CXSYNC_KEY"))
	if err != nil {
		return fmt.Errorf("CXSYNC_KEY is not in base64: %w", err)
	}
	vault, err := environment.NewKeyVault(key)
	if err != nil {
		return fmt.Errorf("CXSYNC_KEY: %w", err)
	}
	return withEngine(ctx, data, vault, func(engine *environment.Engine) error {
		s, err := newSender(url, nil)
		if err != nil {
			return err
		}
		return together(ctx, engine.Run,
			func(ctx context.Context) error { return engine.FollowAll(ctx, consumer, s.deliver, retry) })
	})
}

func withEngine(ctx context.Context, data string, vault environment.Vault, f func(*environment.Engine) error) (err error) {
	store, err := file.Open(filepath.Join(data, "cxsync.db"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	return f(engine)
}

// A task goes on until its context ends.
type task func(context.Context) error

// together runs the tasks until ctx ends or one fails, which ends the others.
func together(ctx context.Context, tasks ...task) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(tasks))
	var wg sync.WaitGroup
	for i, t := range tasks {
		wg.Go(func() {
			if errs[i] = t(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// demonstrate posts the changes of a local org to a receiver that prints them.
func demonstrate(ctx context.Context, data, consumer string) (err error) {
	ctx, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	if data == "" {
		if data, err = os.MkdirTemp("", "cxsync-"); err != nil {
			return err
		}
		defer os.RemoveAll(data)
	}
	url, err := receive(ctx, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Printf("Without -url this edits a local org and posts the changes to a receiver at %s,\nwhich is out of order now and then.\n\n", url)
	org := genesystest.New(nil)
	server, err := org.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	c := server.Config()
	record := environment.Record{
		Name: "Demonstration", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID,
		ClientSecret: environment.NewSecret(c.ClientSecret), RateLimitMinute: 250, Types: []string{"routing.skills"},
	}
	vault := environment.SecretFunc(func(context.Context, environment.Record) (environment.Secret, error) { return record.ClientSecret, nil })
	return withEngine(ctx, data, vault, func(engine *environment.Engine) error {
		s, err := newSender(url, nil)
		if err != nil {
			return err
		}
		r, err := register(ctx, engine, record)
		if err != nil {
			return err
		}
		return together(ctx, engine.Run,
			func(ctx context.Context) error { return engine.Follow(ctx, r.ID, consumer, s.deliver, retry) },
			func(ctx context.Context) error { return edit(ctx, org, engine, r.ID) })
	})
}

// register creates the local org's environment, or brings it up to date. It
// leaves a store with other environments alone.
func register(ctx context.Context, engine *environment.Engine, record environment.Record) (environment.Record, error) {
	for known, err := range engine.All(ctx) {
		if err != nil {
			return record, err
		}
		if known.Name != record.Name {
			return record, errors.New("-data has environments of yours; give their changes a -url")
		}
	}
	return engine.Put(ctx, record, nil)
}

// edit adds a skill every two seconds and polls, not to wait for the schedule.
func edit(ctx context.Context, org *genesystest.Org, engine *environment.Engine, id int64) error {
	for n := 1; ; n++ {
		if _, err := engine.Poll(ctx, id, "routing.skills"); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
		if _, err := org.Create("routing.skills", map[string]any{"name": fmt.Sprintf("Skill %d", n)}); err != nil {
			return err
		}
	}
}
