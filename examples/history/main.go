// Command history reads what was recorded of an environment: the timeline, the
// versions of one object, or the state at a time.
//
//	history -data cxsync-data                                      the newest changes
//	history -data cxsync-data -since 24h -type Queues              changes of one type since yesterday
//	history -data cxsync-data -type routing.queues -id ID          all versions of one queue
//	history -data cxsync-data -type Queues -at 2026-11-01T12:00:00Z  all queues as they were then
//	history -data cxsync-data -type Queues -id ID -used            where a queue is used; with -at, was used
//	history -data cxsync-data -search +4312345                     what holds a text
//	history -data cxsync-data -name Test -compare Production       what differs between two environments
//	history -data cxsync-data -undo 4711                           how to undo a change, by its number in -json
package main

import (
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
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

type options struct {
	data, name, objectType, id string
	since, at                  time.Time
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
	flag.Func("since", "changes since a `time` (RFC 3339) or a duration ago (24h)", moment(&o.since))
	flag.Func("at", "the state at a `time` (RFC 3339) or a duration ago (24h)", moment(&o.at))
	flag.IntVar(&o.limit, "n", 50, "at most so many changes; 0 for all")
	o.questions.flags()
	flag.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flag.Parse()
	if err := show(context.Background(), o, os.Stdout); err != nil {
		log.Fatal("history: ", err)
	}
}

func moment(t *time.Time) func(string) error {
	return func(s string) (err error) {
		if ago, err := time.ParseDuration(s); err == nil {
			*t = time.Now().Add(-ago)
			return nil
		}
		*t, err = time.Parse(time.RFC3339, s)
		return err
	}
}

func show(ctx context.Context, o options, out io.Writer) (err error) {
	if o.objectType != "" {
		t, ok := genesys.DefaultCatalogue().Lookup(o.objectType)
		if !ok {
			return fmt.Errorf("%q is no object type; use a name such as routing.queues or a label such as Queues", o.objectType)
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
	record, err := choose(ctx, engine, o.name)
	if err != nil {
		return err
	}
	h, err := engine.History(ctx, record.ID)
	if err != nil {
		return err
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

// choose returns the environment of that name, or the only one.
func choose(ctx context.Context, engine *environment.Engine, name string) (environment.Record, error) {
	if name != "" {
		return engine.Find(ctx, name)
	}
	var records []environment.Record
	var names []string
	for r, err := range engine.All(ctx) {
		if err != nil {
			return r, err
		}
		records, names = append(records, r), append(names, r.Name)
	}
	if len(records) != 1 {
		return environment.Record{}, fmt.Errorf("choose an environment with -name, of %q", names)
	}
	return records[0], nil
}

func timeline(ctx context.Context, h *history.History, o options, out io.Writer) error {
	q := history.Query{Since: o.since, Newest: true, Limit: o.limit}
	if o.objectType != "" {
		q.Types = []string{o.objectType}
	}
	for c, err := range h.Changes(ctx, q) {
		if err != nil {
			return err
		}
		if err := printChange(out, c, o.json); err != nil {
			return err
		}
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
			err = printChange(out, v.Change, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func asOf(ctx context.Context, h *history.History, o options, out io.Writer) error {
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

func printState(out io.Writer, v history.Version, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			Event string `json:"event"`
			history.Version
		}{"version", v})
	}
	_, err := fmt.Fprintf(out, "%s %q (%s)\n    %s\n", v.Type, v.Name, v.ID, v.Body)
	return err
}

func printChange(out io.Writer, c history.Change, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			Event string `json:"event"`
			history.Change
		}{"change", c})
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", c.At.Local().Format(time.DateTime), c)
	return err
}
