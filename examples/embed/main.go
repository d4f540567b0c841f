// Command embed keeps environments in sync and tells programs on the same
// machine about them, as JSON.
//
//	GET  /healthz                                      200 while it polls, with the verdict on each environment
//	GET  /console/                                     to look at it in a browser
//	GET  /metrics                                      for Prometheus, see package telemetry
//	GET  /history?FLAGS                                what examples/history prints with -url
//	GET  /environments
//	GET  /environments/{id}/status
//	GET  /environments/{id}/changes?after=SEQ&limit=N  oldest first; go on after "next"
//	GET  /environments/{id}/forecast
//	POST /environments/{id}/audits                     an event of the org's audits, from Amazon EventBridge: what it names is read now
//	POST /environments/{id}/import                     reads everything now, in the background
//
// Client secrets are kept in the store, sealed, if CXSYNC_KEY holds a key, which
// -newkey prints; the -config files need them the first time only. Without a
// key those of the files are used and not stored. Without files it runs what
// the store has, or, if that is empty, a local org, which it imports and which gets a
// new skill every 20 seconds.
//
// The store is a file, or with -store a schema of a PostgreSQL database. Started
// several times over one database, the processes share the work, and each tells
// what it does of it:
//
//	createdb cxsync
//	export CXSYNC_KEY=$(go run . -newkey)
//	go run . -store postgres://localhost/cxsync
//	go run . -store postgres://localhost/cxsync -addr 127.0.0.1:8089
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/postgres"
)

// options are the flags.
type options struct {
	addr, data, store string
	configs           []string
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8088", "loopback `address` to listen on")
	flag.StringVar(&o.data, "data", "", "`folder` of the file store (default cxsync-data; a temporary one without -config)")
	flag.StringVar(&o.store, "store", "", "`DSN` of a PostgreSQL database to use instead: postgres://…")
	flag.Func("config", "environment record, a JSON `file`; several with commas, or by repeating the flag", func(s string) error {
		o.configs = append(o.configs, strings.Split(s, ",")...)
		return nil
	})
	newKey := flag.Bool("newkey", false, "print a new key for CXSYNC_KEY and exit")
	flag.Parse()
	if *newKey {
		fmt.Println(base64.StdEncoding.EncodeToString(environment.NewKey()))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		log.Fatal("embed: ", err)
	}
}

func run(ctx context.Context, o options) (err error) {
	listener, err := cli.Listen(ctx, o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	records, err := readRecords(o.configs)
	if err != nil {
		return err
	}
	vault, err := newVault(os.Getenv("CXSYNC_KEY"), records)
	if err != nil {
		return err
	}
	store, remove, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer remove()
	defer func() { err = errors.Join(err, store.Close()) }()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	m, err := newMeter()
	if err != nil {
		return err
	}
	opts := m.metrics.Options(environment.Options{Vault: vault, Logger: logger, Observer: func(e environment.PassEvent) { tell(logger, e) }})
	engine, err := environment.Open(m.metrics.Store(store), &opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	unwatch, err := m.metrics.Watch(engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unwatch()) }()
	pages, err := console.New(engine, &console.Options{Base: "/console"})
	if err != nil {
		return err
	}
	for _, record := range records {
		if _, err := engine.Put(ctx, record, nil); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		if err := demonstrate(ctx, engine); err != nil {
			return err
		}
	}
	logger.Info("listening", "url", "http://"+listener.Addr().String()+"/environments")
	return (&service{engine: engine, logger: logger, more: map[string]http.Handler{"GET /metrics": m.handler, "/console/": pages}, imports: map[int64]lastImport{}}).serve(ctx, listener)
}

// tell says what this process has done.
func tell(logger *slog.Logger, e environment.PassEvent) {
	r := e.Result
	logger.Info("pass", "environment", e.Name, "environment_id", e.Environment, "type", r.Type, "objects", r.Objects, "created", r.Created,
		"updated", r.Updated, "deleted", r.Deleted, "requests", r.Requests, "error", e.Err)
}

// openStore opens the database or the file. What remove removes is of no use any more.
func openStore(ctx context.Context, o options) (store storage.Store, remove func(), err error) {
	remove = func() {}
	if o.store != "" {
		store, err = postgres.Open(ctx, o.store, nil)
		return store, remove, err
	}
	if o.data == "" {
		o.data = "cxsync-data"
		if len(o.configs) == 0 {
			if o.data, err = os.MkdirTemp("", "cxsync-"); err != nil {
				return nil, remove, err
			}
			remove = func() { os.RemoveAll(o.data) }
		}
	}
	store, err = file.Open(filepath.Join(o.data, "cxsync.db"), nil)
	return store, remove, err
}

// readRecords returns the records of the files.
func readRecords(configs []string) (records []environment.Record, err error) {
	for _, name := range configs {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		record, err := environment.ParseRecord(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		records = append(records, record)
	}
	return records, nil
}

// newVault returns one that seals secrets with the key, which is in base64.
// Without a key it stores none and gives out those of the records.
func newVault(key string, records []environment.Record) (environment.Vault, error) {
	if key == "" {
		return environment.SecretFunc(func(_ context.Context, r environment.Record) (environment.Secret, error) {
			for _, record := range records {
				if strings.EqualFold(record.Name, r.Name) {
					return record.ClientSecret, nil
				}
			}
			if r.Name == demonstration {
				return environment.NewSecret(genesystest.ClientSecret), nil
			}
			return environment.Secret{}, errors.New("no -config file has its secret, and there is no CXSYNC_KEY")
		}), nil
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("CXSYNC_KEY is not in base64: %w", err)
	}
	return environment.NewKeyVault(raw)
}
