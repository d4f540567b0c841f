// Command sync keeps one Genesys Cloud org in sync and prints what changed.
//
// Without arguments and credentials it tells the whole story on a local org.
// With -config FILE, or GENESYSCLOUD_OAUTHCLIENT_ID, GENESYSCLOUD_OAUTHCLIENT_SECRET
// and GENESYSCLOUD_REGION, it syncs that org: once with -once, else until it is
// interrupted. What it finds wrong goes to stderr. It exits with 2 if the record
// or the credentials are wrong, with 1 if something else is.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage/file"
)

const consumer = "examples/sync" // whose place in the changes is remembered

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

type options struct {
	config, data        string
	once, json, verbose bool
	role                bool
}

// A configError is one that the caller of the program can mend.
type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

func run(ctx context.Context, args []string) int {
	var o options
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.StringVar(&o.config, "config", "", "environment record, a JSON `file`")
	flags.StringVar(&o.data, "data", "", "`folder` of the store (default cxsync-data; a new temporary one for the demonstration)")
	flags.BoolVar(&o.once, "once", false, "import everything now and exit")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flags.BoolVar(&o.role, "role", false, "print the role that the OAuth client needs, as JSON, and exit")
	flags.BoolVar(&o.verbose, "v", false, "log on stderr")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "sync: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	failed, err := syncOrg(ctx, o)
	switch {
	case err == nil && failed == 0, ctx.Err() != nil && !o.once:
		return 0
	case err == nil:
		return 1
	}
	complain(err)
	if _, wrong := errors.AsType[configError](err); wrong || errors.Is(err, genesys.ErrUnauthorized) {
		return 2
	}
	return 1
}

// complain prints an error on stderr, the problems of a record one a line.
func complain(err error) {
	invalid, ok := errors.AsType[*environment.InvalidError](err)
	if !ok {
		fmt.Fprintln(os.Stderr, "sync:", err)
		return
	}
	for _, problem := range invalid.Problems {
		fmt.Fprintln(os.Stderr, "sync:", problem)
	}
}

// syncOrg does what the flags say and returns how many object types failed.
func syncOrg(ctx context.Context, o options) (failed int, err error) {
	out := newPrinter(os.Stdout, o.json)
	record, demo, err := configure(o)
	if err != nil {
		return 0, configError{err}
	}
	if o.role {
		return 0, printRole(ctx, record)
	}
	opts := &environment.Options{Observer: out.observe}
	if o.verbose {
		opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if demo != nil {
		opts.Transport = demo.org.Transport()
	}
	// The secret comes with the configuration each time, so that none is stored.
	secret := record.ClientSecret
	opts.Vault = environment.SecretFunc(func(context.Context, environment.Record) (environment.Secret, error) { return secret, nil })

	if o.data, err = dataFolder(o, demo != nil); err != nil {
		return 0, err
	}
	store, err := file.Open(filepath.Join(o.data, "cxsync.db"), nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := environment.Open(store, opts)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, engine.Close(context.WithoutCancel(ctx))) }()
	if record, err = register(ctx, engine, record); err != nil {
		return 0, err
	}
	job := job{engine, record, out}
	switch {
	case demo != nil:
		err = demo.tell(ctx, job, o.data)
	case o.once:
		err = job.start(ctx)
	default:
		err = job.untilInterrupted(ctx)
	}
	out.summary(err)
	return len(out.result.Failed), err
}

// printRole prints the role that a record needs. It asks nobody, and leaves nothing behind.
func printRole(ctx context.Context, record environment.Record) (err error) {
	data, err := os.MkdirTemp("", "cxsync-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	store, err := file.Open(filepath.Join(data, "cxsync.db"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := environment.Open(store, nil)
	if err != nil {
		return err
	}
	record.ClientSecret = environment.Secret{}
	if record, err = engine.Create(ctx, record); err != nil {
		return configError{err}
	}
	role, err := engine.Role(ctx, record.ID)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(cli.JSON(os.Stdout))
	enc.SetIndent("", "  ")
	return enc.Encode(role)
}

// configure returns the record to sync, and the demonstration if that is it.
func configure(o options) (environment.Record, *demo, error) {
	if o.config != "" {
		data, err := os.ReadFile(o.config)
		if err != nil {
			return environment.Record{}, nil, err
		}
		record, err := environment.ParseRecord(data)
		return record, nil, err
	}
	id, secret, region := os.Getenv("GENESYSCLOUD_OAUTHCLIENT_ID"), os.Getenv("GENESYSCLOUD_OAUTHCLIENT_SECRET"), os.Getenv("GENESYSCLOUD_REGION")
	if id == "" && secret == "" && region == "" {
		demo := newDemo()
		return demo.record(), demo, nil
	}
	record := environment.Record{
		Name: region, BaseURL: region, ClientID: id, ClientSecret: environment.NewSecret(secret),
		RateLimitMinute: environment.SuggestedRateLimitMinute,
	}
	return record, nil, record.Check(nil)
}

func dataFolder(o options, demo bool) (string, error) {
	switch {
	case o.data != "":
		return o.data, nil
	case demo:
		return os.MkdirTemp("", "cxsync-")
	default:
		return "cxsync-data", nil
	}
}

// register creates the environment, or brings the one of that name up to date.
func register(ctx context.Context, engine *environment.Engine, record environment.Record) (environment.Record, error) {
	record, err := engine.Put(ctx, record, nil)
	if _, invalid := errors.AsType[*environment.InvalidError](err); invalid {
		err = configError{err}
	}
	return record, err
}

// A job is an environment with the engine and the output that it goes to.
type job struct {
	engine *environment.Engine
	record environment.Record
	out    *printer
}

// start tells what stands in the way and imports. Next to the hundreds of requests
// of an import the five that Validate takes are not worth saving.
func (j job) start(ctx context.Context) error {
	defer j.watch(ctx)()
	validation, err := j.validate(ctx)
	if err != nil {
		return err
	}
	validation.Checks = slices.DeleteFunc(validation.Checks, func(c environment.Check) bool { return c.Status == environment.StatusOK })
	j.out.clear()
	fmt.Fprint(os.Stderr, validation)
	return j.importAll(ctx)
}

// validate asks again while the quota had no slot for what was to be found out: a process that is
// started again has to wait for what the one before has used.
func (j job) validate(ctx context.Context) (environment.Validation, error) {
	for {
		validation, err := j.engine.Validate(ctx, j.record.ID)
		if err != nil {
			return validation, err
		}
		status, err := j.engine.Status(ctx, j.record.ID)
		unknown := slices.ContainsFunc(validation.Checks, func(c environment.Check) bool { return c.Status == environment.StatusUnknown })
		if err != nil || !unknown || status.Quota.Free > 0 {
			return validation, err
		}
	}
}

// watch shows what is waited for until the function that it returns is called.
func (j job) watch(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			if status, err := j.engine.Status(ctx, j.record.ID); err == nil {
				j.out.wait(status.Quota)
			}
		}
	})
	return func() {
		stop()
		wg.Wait()
		j.out.clear()
	}
}

// importAll reads everything once and prints what changed since the last time.
func (j job) importAll(ctx context.Context) error {
	result, err := j.engine.Import(ctx, j.record.ID, &environment.ImportOptions{OnProgress: j.out.progress})
	if err != nil {
		return err
	}
	j.out.unreadable(result.Types)
	return j.engine.Deliver(ctx, j.record.ID, consumer, j.out.change)
}

// untilInterrupted imports, then polls on schedule and prints changes as they come.
func (j job) untilInterrupted(ctx context.Context) error {
	if err := j.start(ctx); err != nil {
		return err
	}
	j.out.say("Polling %s as its plan says. Interrupt to end.", j.record.Name)
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		err := j.engine.Run(ctx)
		stop(err)
		done <- err
	}()
	err := j.engine.Follow(ctx, j.record.ID, consumer, j.out.change, nil)
	stop(err)
	return errors.Join(err, <-done)
}
