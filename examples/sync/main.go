// Command sync keeps one Genesys Cloud org in sync and prints what changed.
//
// Without arguments and credentials it tells the whole story on a local org.
// With -config FILE, or GENESYSCLOUD_OAUTHCLIENT_ID, GENESYSCLOUD_OAUTHCLIENT_SECRET
// and GENESYSCLOUD_REGION, it syncs that org: once with -once, else until it is
// interrupted.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
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
}

// errConfig marks errors that the caller of the program can mend.
var errConfig = errors.New("configuration")

func run(ctx context.Context, args []string) int {
	var o options
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.StringVar(&o.config, "config", "", "environment record, a JSON `file`")
	flags.StringVar(&o.data, "data", "", "`folder` of the store (default cxsync-data; a new temporary one for the demonstration)")
	flags.BoolVar(&o.once, "once", false, "import everything now and exit")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line")
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
	case err == nil && failed == 0, errors.Is(err, context.Canceled) && !o.once:
		return 0
	case err == nil:
		return 1
	}
	fmt.Fprintln(os.Stderr, "sync:", err)
	if errors.Is(err, errConfig) || errors.Is(err, genesys.ErrUnauthorized) {
		return 2
	}
	return 1
}

// syncOrg does what the flags say and returns how many object types failed.
func syncOrg(ctx context.Context, o options) (failed int, err error) {
	out := newPrinter(os.Stdout, o.json)
	record, demo, err := configure(o)
	if err != nil {
		return 0, errors.Join(errConfig, err)
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
		err = job.importAll(ctx)
	default:
		err = job.untilInterrupted(ctx)
	}
	out.summary(err)
	return len(out.result.Failed), err
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
	known, err := engine.Find(ctx, record.Name)
	if errors.Is(err, environment.ErrNotFound) {
		record, err = engine.Create(ctx, record)
		if _, invalid := errors.AsType[*environment.InvalidError](err); invalid {
			err = errors.Join(errConfig, err)
		}
		return record, err
	}
	if err != nil {
		return record, err
	}
	record.ID, record.Revision = known.ID, known.Revision
	return engine.Update(ctx, record)
}

// A job is an environment with the engine and the output that it goes to.
type job struct {
	engine *environment.Engine
	record environment.Record
	out    *printer
}

// importAll reads everything once and prints what changed since the last time.
func (j job) importAll(ctx context.Context) error {
	_, err := j.engine.Import(ctx, j.record.ID, &environment.ImportOptions{OnProgress: j.out.progress})
	if err != nil {
		return err
	}
	return j.engine.Deliver(ctx, j.record.ID, consumer, j.out.change)
}

// untilInterrupted imports, then polls on schedule and prints changes as they come.
func (j job) untilInterrupted(ctx context.Context) error {
	if err := j.importAll(ctx); err != nil {
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
	err := j.engine.Follow(ctx, j.record.ID, consumer, j.out.change)
	stop(err)
	return errors.Join(err, <-done)
}

// A demo is a local org for those who have no credentials at hand.
type demo struct{ org *genesystest.Org }

// newDemo makes an org whose limit was raised, as a support case would do, so
// that nobody has to wait for the quota.
func newDemo() *demo { return &demo{genesystest.New(&genesystest.Options{RateLimit: 6000})} }

func (d *demo) record() environment.Record {
	c := d.org.Config()
	return environment.Record{
		Name: "Demonstration", BaseURL: c.BaseURL, LoginURL: c.LoginURL,
		ClientID: c.ClientID, ClientSecret: environment.NewSecret(c.ClientSecret), RateLimitMinute: 5000,
	}
}

// tell imports the local org, edits it, polls again and shows what was recorded.
func (d *demo) tell(ctx context.Context, j job, data string) error {
	j.out.say("No credentials given: this is a local org on this machine, with objects made up from a seed.\n")
	validation, err := j.engine.Validate(ctx, j.record.ID)
	if err != nil {
		return err
	}
	j.out.say("Validate:\n%s", validation)
	j.out.say("Import:")
	if err := j.importAll(ctx); err != nil {
		return err
	}
	j.out.say("\nAn administrator changes a queue, adds a skill, deletes a wrap-up code; statistics and versions of three users move by themselves.")
	if err := d.edit(); err != nil {
		return err
	}
	ignored := j.out.ignored
	j.out.say("\nPoll:")
	if err := j.importAll(ctx); err != nil {
		return err
	}
	j.out.say("\n%d objects moved in ignored fields only; that is no change.", j.out.ignored-ignored)
	j.out.say("The data lies in %s. Next, try:\n", data)
	j.out.say("  go run ./examples/history -data %s             the timeline", data)
	j.out.say("  go run ./examples/org                          a local org to edit while you sync it")
	j.out.say("  go run ./examples/sync -config record.json     your own org")
	return nil
}

func (d *demo) edit() error {
	first := func(objectType string) string {
		for id := range d.org.Objects(objectType) {
			return id
		}
		return ""
	}
	_, err := d.org.Create("routing.skills", map[string]any{"name": "Portuguese invoices"})
	errs := []error{
		err,
		d.org.Update("routing.queues", first("routing.queues"), map[string]any{"description": "Invoices and refunds", "acwSettings": map[string]any{"timeoutMs": 45000}}),
		d.org.Delete("routing.wrapupcodes", first("routing.wrapupcodes")),
	}
	touched := 0
	for id := range d.org.Objects("users") {
		if touched++; touched > 3 {
			break
		}
		errs = append(errs, d.org.Touch("users", id))
	}
	return errors.Join(errs...)
}

// A printer writes for people, or JSON lines for programs.
type printer struct {
	mu  sync.Mutex
	out *os.File
	bar bool          // out is a terminal
	enc *json.Encoder // nil for people

	result  totals
	ignored int
}

// totals is the last line of -json.
type totals struct {
	Event       string        `json:"event"`
	Types       int           `json:"types"`
	Objects     int           `json:"objects"`
	Imported    int           `json:"imported"`
	Created     int           `json:"created"`
	Updated     int           `json:"updated"`
	Deleted     int           `json:"deleted"`
	Restored    int           `json:"restored"`
	Unchanged   int           `json:"unchanged"`
	Withheld    int           `json:"withheld"`
	Requests    int64         `json:"requests"`
	Unavailable []unavailable `json:"unavailable"`
	Failed      []failure     `json:"failed"`
}

type unavailable struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

type failure struct {
	Type  string `json:"type"`
	Error string `json:"error"`
}

func newPrinter(out *os.File, asJSON bool) *printer {
	p := &printer{out: out, result: totals{Event: "summary", Unavailable: []unavailable{}, Failed: []failure{}}}
	if info, err := out.Stat(); err == nil {
		p.bar = info.Mode()&os.ModeCharDevice != 0
	}
	if asJSON {
		p.enc = json.NewEncoder(out)
		p.enc.SetEscapeHTML(false)
	}
	return p
}

func (p *printer) say(format string, args ...any) {
	if p.enc == nil {
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// observe adds up what the passes found.
func (p *printer) observe(e environment.PassEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, r := &p.result, e.Result
	t.Requests += r.Requests
	switch {
	case e.Err != nil:
		t.Failed = append(t.Failed, failure{r.Type, e.Err.Error()})
		return
	case r.Unavailable != "":
		t.Unavailable = append(t.Unavailable, unavailable{r.Type, r.Unavailable})
		return
	}
	t.Types++
	t.Objects += r.Objects
	t.Imported += r.Imported
	t.Created += r.Created
	t.Updated += r.Updated
	t.Deleted += r.Deleted
	t.Restored += r.Restored
	t.Unchanged += r.Unchanged
	t.Withheld += r.Withheld
	p.ignored += r.Ignored
}

// progress draws a bar on a terminal, and a line every 50 types elsewhere.
func (p *printer) progress(s environment.Progress) {
	switch {
	case p.enc != nil:
	case p.bar:
		const width = 30
		n := width * s.Done / s.Types
		fmt.Fprintf(p.out, "\r[%s%s] %d of %d types, %d objects, %d requests ", strings.Repeat("=", n), strings.Repeat(" ", width-n), s.Done, s.Types, s.Objects, s.Requests)
		if s.Done == s.Types {
			fmt.Fprintln(p.out)
		}
	case s.Done%50 == 0 || s.Done == s.Types:
		fmt.Fprintf(p.out, "%d of %d types, %d objects, %d requests\n", s.Done, s.Types, s.Objects, s.Requests)
	}
}

// change prints one change with its fields, before and after.
func (p *printer) change(_ context.Context, c history.Change) error {
	if p.enc != nil {
		return p.enc.Encode(struct {
			Event string `json:"event"`
			history.Change
			Fields []history.FieldChange `json:"changes"` // [], not absent, without fields
		}{"change", c, append([]history.FieldChange{}, c.Fields...)})
	}
	_, err := fmt.Fprintf(p.out, "%-8s %s %q, between %s and %s\n", c.Kind, c.Type, c.Name, c.After.Local().Format(time.TimeOnly), c.At.Local().Format(time.TimeOnly))
	for _, f := range c.Fields {
		fmt.Fprintf(p.out, "         %s: %s -> %s\n", cmp.Or(f.Label, f.Path), value(f.Old), value(f.New))
	}
	return err
}

func value(raw json.RawMessage) string {
	if raw == nil {
		return "absent"
	}
	return string(raw)
}

func (p *printer) summary(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.result
	switch {
	case p.enc == nil:
		for _, f := range t.Failed {
			p.say("failed: %s", f.Error)
		}
	case err == nil || errors.Is(err, context.Canceled):
		_ = p.enc.Encode(t)
	}
}
