// Package ask answers questions about what is recorded of an environment, for people in a terminal
// or as JSON lines. The history program asks the engine of a store that it opens itself, or one in
// another process over HTTP: the flags of the program are the parameters there.
package ask

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// A Question is what somebody wants to know. Its flags set it.
type Question struct {
	name, typeName, id string
	sinceText, atText  string
	since, at          time.Time
	loc                *time.Location // of the environment
	by                 string
	limit              int
	json               bool

	used, types     bool
	search, compare string
	undo            uint64
}

// Flags defines the flags that set the question.
func (q *Question) Flags(flags *flag.FlagSet) {
	flags.StringVar(&q.name, "name", "", "`environment`; may be left out if there is one only")
	flags.StringVar(&q.typeName, "type", "", "object `type` by name or label")
	flags.StringVar(&q.id, "id", "", "`object`; with -type")
	flags.StringVar(&q.sinceText, "since", "", "changes since a `time`: 7d or 24h ago, 2026-11-26, or '2026-11-26 05:32' in the environment's time zone")
	flags.StringVar(&q.atText, "at", "", "the state at a `time`, written likewise")
	flags.StringVar(&q.by, "by", "", "changes that a `user` or client made, by name or ID, as far as audits tell")
	flags.IntVar(&q.limit, "n", 50, "at most so many changes, the newest; 0 for all")
	flags.BoolVar(&q.used, "used", false, "where the object of -type and -id is used")
	flags.BoolVar(&q.types, "types", false, "how each type is doing, as a table")
	flags.StringVar(&q.search, "search", "", "objects that hold a `text`")
	flags.StringVar(&q.compare, "compare", "", "what differs from another `environment`")
	flags.Uint64Var(&q.undo, "undo", 0, "how to undo the change with a `number`, which is seq in -json")
	flags.BoolVar(&q.json, "json", false, "print one JSON object a line")
}

// A badQuestion is an error of what was asked.
type badQuestion struct{ error }

func (e badQuestion) Unwrap() error { return e.error }

// Answer prints what an engine knows.
func (q Question) Answer(ctx context.Context, engine *environment.Engine, out io.Writer) error {
	if err := q.check(); err != nil {
		return badQuestion{err}
	}
	record, err := cli.Choose(ctx, engine, q.name)
	if err != nil {
		return err
	}
	q.loc = record.Location()
	if q.since, err = optional(q.sinceText, q.loc); err != nil {
		return badQuestion{fmt.Errorf("-since: %w", err)}
	}
	if q.at, err = optional(q.atText, q.loc); err != nil {
		return badQuestion{fmt.Errorf("-at: %w", err)}
	}
	if q.types {
		return q.printTypes(ctx, engine, record, out)
	}
	h, err := engine.History(ctx, record.ID)
	if err != nil {
		return err
	}
	if asked, err := q.across(ctx, engine, record, h, out); asked || err != nil {
		return err
	}
	switch {
	case !q.at.IsZero():
		return q.asOf(ctx, h, out)
	case q.id != "":
		return q.versions(ctx, h, out)
	default:
		return q.timeline(ctx, h, out)
	}
}

// check refuses flags that make no question together, and replaces a label by the name of its type.
func (q *Question) check() error {
	if q.limit < 0 {
		return fmt.Errorf("-n is %d; want a number of changes, or 0 for all", q.limit)
	}
	if q.typeName != "" {
		t, ok := genesys.DefaultCatalogue().Lookup(q.typeName)
		if !ok {
			return noType(q.typeName)
		}
		q.typeName = t.Name
	}
	switch {
	case q.used && (q.id == "" || q.typeName == ""):
		return errors.New("-used needs -type and -id")
	case q.id != "" && q.typeName == "":
		return errors.New("-id needs -type")
	}
	return nil
}

// noType refuses what is no type, with the one that may have been meant.
func noType(text string) error {
	if t, ok := genesys.DefaultCatalogue().Suggest(text); ok {
		return fmt.Errorf("%q is no type; did you mean %s (%s)?", text, t.Name, t.Label)
	}
	return fmt.Errorf("%q is no type; use a name such as routing.queues or a label such as Queues", text)
}

// timeline prints changes, the newest first.
func (q Question) timeline(ctx context.Context, h *history.History, out io.Writer) error {
	query := history.Query{Since: q.since, By: q.by, Newest: true, Limit: q.limit}
	if q.typeName != "" {
		query.Types = []string{q.typeName}
	}
	n, last := 0, uint64(0)
	for c, err := range h.Changes(ctx, query) {
		if err == nil {
			n, last, err = n+1, c.Seq, q.printChange(out, c)
		}
		if err != nil {
			return err
		}
	}
	if q.json {
		return nil
	}
	if n == 0 {
		return q.nothing(ctx, h, out)
	}
	if n == q.limit {
		query.BeforeSeq, query.Limit = last, 1
		for _, err := range h.Changes(ctx, query) {
			if err == nil {
				_, err = fmt.Fprintf(out, "and older ones: -n 0 prints all\n")
			}
			return err
		}
	}
	return nil
}

// nothing says that there is no change like that, and since when there could be one.
func (q Question) nothing(ctx context.Context, h *history.History, out io.Writer) error {
	first, err := q.firstSeen(ctx, h)
	if err != nil {
		return err
	}
	what := "no changes"
	if q.by != "" {
		what += fmt.Sprintf(" by %q", q.by)
	}
	if first.IsZero() {
		return q.unknown(first)
	}
	since := first.In(q.loc).Format(time.DateTime) + ", when the first objects were recorded"
	if q.since.After(first) {
		since = q.since.In(q.loc).Format(time.DateTime)
	}
	_, err = fmt.Fprintln(out, what, "since", since)
	return err
}

// versions prints the changes of one object.
func (q Question) versions(ctx context.Context, h *history.History, out io.Writer) error {
	for v, err := range h.Versions(ctx, q.typeName, q.id) {
		switch {
		case errors.Is(err, history.ErrNotFound):
			err = fmt.Errorf("%w: nothing is on record of %s %q", history.ErrNotFound, q.typeName, q.id)
		case err != nil:
		case q.json:
			err = q.printState(out, v)
		default:
			err = q.printChange(out, v.Change)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// asOf prints one object, or those of a type, as they were at a time.
func (q Question) asOf(ctx context.Context, h *history.History, out io.Writer) error {
	first, err := q.firstSeen(ctx, h)
	if err != nil {
		return err
	}
	if first.IsZero() || q.at.Before(first) {
		return q.unknown(first)
	}
	if q.id != "" {
		v, err := h.ObjectAsOf(ctx, q.typeName, q.id, q.at)
		if err != nil {
			return err
		}
		return q.printState(out, v)
	}
	for v, err := range h.AsOf(ctx, q.typeName, q.at) {
		if err != nil {
			return err
		}
		if err := q.printState(out, v); err != nil {
			return err
		}
	}
	return nil
}

// firstSeen says when something of the type was recorded first, the zero time if never.
func (q Question) firstSeen(ctx context.Context, h *history.History) (time.Time, error) {
	query := history.Query{Imported: true, Limit: 1}
	if q.typeName != "" {
		query.Types = []string{q.typeName}
	}
	for c, err := range h.Changes(ctx, query) {
		return c.At, err
	}
	return time.Time{}, nil
}

// unknown is the answer to a question about a time before anything was known.
func (q Question) unknown(first time.Time) error {
	what := cmp.Or(q.typeName, "the environment")
	if first.IsZero() {
		return badQuestion{fmt.Errorf("nothing is known of %s: no pass has recorded anything of it", what)}
	}
	return badQuestion{fmt.Errorf("nothing is known of %s at %s: it was first seen at %s",
		what, q.at.In(q.loc).Format(time.DateTime), first.In(q.loc).Format(time.DateTime))}
}
