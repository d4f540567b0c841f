// Command history reads what was recorded of an environment: the timeline, the
// versions of one object, or the state at a time.
//
//	history                                      the newest changes
//	history -since 7d -type Queues               changes of one type in a week
//	history -type routing.queues -id ID          all versions of one queue
//	history -type Queues -at '2026-11-01 12:00'   all queues as they were then
//	history -type Queues -id ID -used            where a queue is used; with -at, was used
//	history -search +4312345                     what holds a text
//	history -name Test -compare Production       what differs between two environments
//	history -undo 4711                           how to undo a change, by its number in -json
//	history -types                               how each type is doing
//
// It opens the file store in the folder of -data. While another program has that open, such as embed
// or console, -url reads from that program.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/ask"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

const usage = `Prints what was recorded of an environment: the newest changes, unless flags ask for something else.

  history -since 7d -type Queues              changes of one type in a week
  history -type Queues -id ID                 all versions of one object
  history -type Queues -at '2026-11-01 12:00' all objects of a type as they were then
  history -url http://127.0.0.1:8088          from a running embed or console, whose store is in use

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

// errUsage is of flags that the flag package has complained about.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, out io.Writer) error {
	var q ask.Question
	flags := flag.NewFlagSet("history", flag.ContinueOnError)
	data := flags.String("data", "cxsync-data", "`folder` of the store")
	address := flags.String("url", "", "read from the embed or console that runs at this `address`, such as http://127.0.0.1:8088")
	q.Flags(flags)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return errUsage
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	if *address == "" {
		return local(ctx, *data, q, out)
	}
	parameters := url.Values{}
	flags.Visit(func(f *flag.Flag) { parameters.Set(f.Name, f.Value.String()) })
	if parameters.Has("data") {
		return errors.New("-data and -url do not go together: choose one store")
	}
	parameters.Del("url")
	return ask.Remote(ctx, *address, parameters, out)
}

// local answers from the store in a folder.
func local(ctx context.Context, folder string, q ask.Question, out io.Writer) (err error) {
	path := filepath.Join(folder, "cxsync.db")
	if _, err := os.Stat(path); err != nil { // opening would make a new, empty store
		return fmt.Errorf("%w; -data names the folder of a store, which sync prints or which you gave it", err)
	}
	store, err := file.Open(path, nil)
	if errors.Is(err, storage.ErrLocked) {
		return fmt.Errorf("%w: stop it, or if it is embed or console, ask it with -url and its address", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := environment.Open(store, nil)
	if err != nil {
		return err
	}
	return q.Answer(ctx, engine, out)
}
