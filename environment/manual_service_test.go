package environment_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

// openService opens what is kept in a folder, and brings it up to date with the orgs of the records. A
// program does the same at its first start and at each one after. The end closes everything.
func openService(ctx context.Context, folder string, records []environment.Record) (_ *environment.Engine, end func() error, err error) {
	store, err := file.Open(filepath.Join(folder, "cxsync.db"), nil) // makes the folder, too
	if err != nil {
		return nil, nil, err // another process has it, for one
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	key, err := keptKey(filepath.Join(folder, "key"))
	if err != nil {
		return nil, nil, err
	}
	vault, err := environment.NewKeyVault(key)
	if err != nil {
		return nil, nil, err
	}
	engine, err := environment.Open(store, &environment.Options{Vault: vault}) // a Logger is worth having
	if err != nil {
		return nil, nil, err
	}
	for _, record := range records {
		kept, err := engine.Put(ctx, record, nil) // makes it, or finds it
		if err != nil {
			return nil, nil, err
		}
		// The first import sets the baseline. A later one is a pass over each type: it records
		// what changed while no process ran, which Run does as well, at the next tick.
		if _, err := engine.Import(ctx, kept.ID, nil); err != nil {
			return nil, nil, err
		}
	}
	return engine, func() error { return errors.Join(engine.Close(context.WithoutCancel(ctx)), store.Close()) }, nil
}

// keptKey reads the key with which client secrets are sealed, and makes it the first time. Who can
// read it and the store can read the secrets: a secret manager is a better place.
func keptKey(name string) ([]byte, error) {
	key, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		key = environment.NewKey()
		err = os.WriteFile(name, key, 0o600)
	}
	return key, err
}

// Two orgs in one file. The process ends, the orgs are edited meanwhile, and the next process goes
// on: it tells of each edit once.
func Example_service() {
	folder, err := os.MkdirTemp("", "cxsync")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background()) // in earnest signal.NotifyContext
	var orgs []*genesystest.Org
	var records []environment.Record // in earnest from files, with ParseRecord
	for seed, name := range []string{"Production", "Test"} {
		org := genesystest.New(&genesystest.Options{Seed: uint64(seed)})
		server, err := org.Listen(ctx, "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		orgs = append(orgs, org)
		records = append(records, environment.Record{
			Name: name, IsProduction: name == "Production", BaseURL: server.Config().BaseURL,
			ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
			RateLimitMinute: environment.SuggestedRateLimitMinute, Types: []string{"Queues", "ACD skills"},
		})
	}

	_, end, err := openService(ctx, folder, records)
	if err != nil {
		log.Fatal(err)
	}
	if err := end(); err != nil {
		log.Fatal(err)
	}
	_, _ = orgs[0].Create("routing.skills", map[string]any{"name": "French"})
	_, _ = orgs[1].Create("routing.queues", map[string]any{"name": "Refunds"})

	engine, end, err := openService(ctx, folder, records)
	if err != nil {
		log.Fatal(err)
	}
	polled := make(chan error, 1)
	go func() { polled <- engine.Run(ctx) }()
	told := make(chan string, 2)
	err = engine.FollowAll(ctx, "printer", func(_ context.Context, c history.Change) error {
		told <- fmt.Sprintf("%d: %s %s %q", c.Environment, c.Kind, c.Type, c.Name)
		if len(told) == cap(told) {
			stop()
		}
		return nil
	}, nil)
	err = errors.Join(err, <-polled, end())
	close(told)
	for line := range told {
		fmt.Println(line)
	}
	fmt.Println(err)
	_ = os.RemoveAll(folder)
	// Unordered output:
	// 1: created routing.skills "French"
	// 2: created routing.queues "Refunds"
	// <nil>
}
