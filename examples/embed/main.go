// Command embed keeps environments in sync and tells programs on the same
// machine about them, as JSON.
//
//	GET  /healthz                                      200 while it polls
//	GET  /environments
//	GET  /environments/{id}/status
//	GET  /environments/{id}/changes?after=SEQ&limit=N  oldest first; go on after "next"
//	GET  /environments/{id}/forecast
//	POST /environments/{id}/import                     reads everything now, in the background
//
// Client secrets are kept in the store, sealed, if CXSYNC_KEY holds a key, which
// -newkey prints; the -config files need them the first time only. Without a
// key those of the files are used and not stored. Without files it starts a
// local org, which gets a new skill every 20 seconds.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage/file"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8088", "loopback `address` to listen on")
	data := flag.String("data", "", "`folder` of the store (default cxsync-data; a temporary one for the local org)")
	newKey := flag.Bool("newkey", false, "print a new key for CXSYNC_KEY and exit")
	var configs []string
	flag.Func("config", "environment record, a JSON `file`; several with commas, or by repeating the flag", func(s string) error {
		configs = append(configs, strings.Split(s, ",")...)
		return nil
	})
	flag.Parse()
	if *newKey {
		fmt.Println(base64.StdEncoding.EncodeToString(environment.NewKey()))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *data, configs)
	stop()
	if err != nil {
		log.Fatal("embed: ", err)
	}
}

func run(ctx context.Context, addr, data string, configs []string) (err error) {
	listener, err := listen(ctx, addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	records, err := readRecords(ctx, configs)
	if err != nil {
		return err
	}
	vault, err := newVault(os.Getenv("CXSYNC_KEY"), records)
	if err != nil {
		return err
	}
	if data == "" {
		data = "cxsync-data"
		if len(configs) == 0 {
			if data, err = os.MkdirTemp("", "cxsync-"); err != nil {
				return err
			}
			defer os.RemoveAll(data)
		}
	}
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
	for _, record := range records {
		if _, err := engine.Put(ctx, record); err != nil {
			return err
		}
	}
	logger.Info("listening", "url", "http://"+listener.Addr().String()+"/environments")
	return (&service{engine: engine, logger: logger, imports: map[int64]lastImport{}}).serve(ctx, listener)
}

// readRecords returns the records of the files or, if there are none, of a
// local org that it starts.
func readRecords(ctx context.Context, configs []string) (records []environment.Record, err error) {
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
	if len(configs) > 0 {
		return records, nil
	}
	org := genesystest.New(nil)
	server, err := org.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for now := range time.Tick(20 * time.Second) {
			_, _ = org.Create("routing.skills", map[string]any{"name": "Skill of " + now.Format(time.TimeOnly)})
		}
	}()
	c := server.Config()
	return []environment.Record{{
		Name: "Demonstration", BaseURL: c.BaseURL, LoginURL: c.LoginURL,
		ClientID: c.ClientID, ClientSecret: environment.NewSecret(c.ClientSecret), RateLimitMinute: 250,
		Objects: []string{"routing.queues", "routing.skills"},
		Polling: []poller.Entry{{Object: poller.AllObjects, Cron: "* * * * *"}},
	}}, nil
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
			return environment.Secret{}, errors.New("no -config file has its secret, and there is no CXSYNC_KEY")
		}), nil
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("CXSYNC_KEY is not in base64: %w", err)
	}
	return environment.NewKeyVault(raw)
}

// listen takes loopback addresses only, because the service asks nobody who they are.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not a loopback address; anyone could read the history there", addr), listener.Close())
	}
	return listener, nil
}
