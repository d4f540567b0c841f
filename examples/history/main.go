// Command history reads what was recorded of an environment: the timeline, the
// versions of one object, or the state at a time.
//
//	history -data cxsync-data                                      the newest changes
//	history -data cxsync-data -since 7d -type Queues               changes of one type in a week
//	history -data cxsync-data -type routing.queues -id ID          all versions of one queue
//	history -data cxsync-data -type Queues -at '2026-11-01 12:00'   all queues as they were then
//	history -data cxsync-data -type Queues -id ID -used            where a queue is used; with -at, was used
//	history -data cxsync-data -search +4312345                     what holds a text
//	history -data cxsync-data -name Test -compare Production       what differs between two environments
//	history -data cxsync-data -undo 4711                           how to undo a change, by its number in -json
//	history -data cxsync-data -types                               how each type is doing
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

type options struct {
	data, name, objectType, id string
	sinceText, atText          string
	since, at                  time.Time
	loc                        *time.Location // of the environment
	by                         string
	limit                      int
	json                       bool
	questions
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "cxsync-data", "`folder` of the store")
	flag.StringVar(&o.name, "name", "", "environment; may be left out if there is one only")
	flag.StringVar(&o.objectType, "type", "", "object type by name or label")
	flag.StringVar(&o.id, "id", "", "object; with -type")
	flag.StringVar(&o.sinceText, "since", "", "changes since a `time`: 7d or 24h ago, 2026-11-26, or 2026-11-26 05:32 in the environment's time zone")
	flag.StringVar(&o.atText, "at", "", "the state at a `time`, written likewise")
	flag.StringVar(&o.by, "by", "", "changes that a user or client made, by name or ID, as far as audits tell")
	flag.IntVar(&o.limit, "n", 50, "at most so many changes; 0 for all")
	o.flags()
	flag.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flag.Parse()
	if err := show(context.Background(), o, os.Stdout); err != nil {
		log.Fatal("history: ", err)
	}
}

// noType refuses what is no type, with the one that may have been meant.
func noType(text string) error {
	if t, ok := genesys.DefaultCatalogue().Suggest(text); ok {
		return fmt.Errorf("%q is no type; did you mean %s (%s)?", text, t.Name, t.Label)
	}
	return fmt.Errorf("%q is no type; use a name such as routing.queues or a label such as Queues", text)
}

func show(ctx context.Context, o options, out io.Writer) (err error) {
	if o.objectType != "" {
		t, ok := genesys.DefaultCatalogue().Lookup(o.objectType)
		if !ok {
			return noType(o.objectType)
		}
		o.objectType = t.Name
	}
	path := filepath.Join(o.data, "cxsync.db")
	if _, err := os.Stat(path); err != nil {
		return err // opening would make a new, empty store
	}
	store, err := file.Open(path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := environment.Open(store, nil)
	if err != nil {
		return err
	}
	record, err := cli.Choose(ctx, engine, o.name)
	if err != nil {
		return err
	}
	o.loc = record.Location()
	if o.since, err = optional(o.sinceText, o.loc); err != nil {
		return fmt.Errorf("-since: %w", err)
	}
	if o.at, err = optional(o.atText, o.loc); err != nil {
		return fmt.Errorf("-at: %w", err)
	}
	h, err := engine.History(ctx, record.ID)
	if err != nil {
		return err
	}
	if o.types {
		return printTypes(ctx, engine, record, o, out)
	}
	if asked, err := o.ask(ctx, engine, record, h, out); asked || err != nil {
		return err
	}
	switch {
	case !o.at.IsZero():
		return asOf(ctx, h, o, out)
	case o.id != "":
		return versions(ctx, h, o, out)
	default:
		return timeline(ctx, h, o, out)
	}
}

func timeline(ctx context.Context, h *history.History, o options, out io.Writer) error {
	q := history.Query{Since: o.since, By: o.by, Newest: true, Limit: o.limit}
	if o.objectType != "" {
		q.Types = []string{o.objectType}
	}
	found := false
	for c, err := range h.Changes(ctx, q) {
		if err == nil {
			found, err = true, printChange(out, c, o)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case found || o.json:
	case o.since.IsZero():
		fmt.Fprintln(out, "no changes yet")
	default:
		fmt.Fprintln(out, "no changes since", o.since.In(o.loc).Format(time.DateTime))
	}
	return nil
}

func versions(ctx context.Context, h *history.History, o options, out io.Writer) error {
	if o.objectType == "" {
		return errors.New("-id needs -type")
	}
	for v, err := range h.Versions(ctx, o.objectType, o.id) {
		if err != nil {
			return err
		}
		if o.json {
			err = printState(out, v, true)
		} else {
			err = printChange(out, v.Change, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func asOf(ctx context.Context, h *history.History, o options, out io.Writer) error {
	var types []string
	if o.objectType != "" {
		types = []string{o.objectType}
	}
	first, err := firstSeen(ctx, h, types)
	if err != nil {
		return err
	}
	if first.IsZero() || o.at.Before(first) {
		return unknown(o, first)
	}
	if o.id != "" {
		v, err := h.ObjectAsOf(ctx, o.objectType, o.id, o.at)
		if err != nil {
			return err
		}
		return printState(out, v, o.json)
	}
	for v, err := range h.AsOf(ctx, o.objectType, o.at) {
		if err != nil {
			return err
		}
		if err := printState(out, v, o.json); err != nil {
			return err
		}
	}
	return nil
}

// unknown is the answer to a question about a time before anything was known.
func unknown(o options, first time.Time) error {
	what := cmp.Or(o.objectType, "the environment")
	if first.IsZero() {
		return fmt.Errorf("nothing is known of %s: no pass has recorded anything of it", what)
	}
	return fmt.Errorf("nothing is known of %s at %s: it was first seen at %s", what, o.at.In(o.loc).Format(time.DateTime), first.In(o.loc).Format(time.DateTime))
}

func printState(out io.Writer, v history.Version, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(cli.JSON(out)).Encode(struct {
			Event string `json:"event"`
			history.Version
		}{"version", v})
	}
	_, err := fmt.Fprintf(out, "%s %q (%s)\n    %s\n", v.Type, v.Name, v.ID, v.Body)
	return err
}

func printChange(out io.Writer, c history.Change, o options) error {
	if o.json {
		return json.NewEncoder(cli.JSON(out)).Encode(struct {
			Event string `json:"event"`
			history.Change
		}{"change", c})
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", c.At.In(o.loc).Format(time.DateTime), c)
	if err == nil && c.Who != nil {
		_, err = fmt.Fprintf(out, "    by %s\n", c.Who)
	}
	return err
}
