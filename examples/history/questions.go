package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/history"
)

// questions go across objects.
type questions struct {
	used, types     bool
	search, compare string
	undo            uint64
}

func (q *questions) flags() {
	flag.BoolVar(&q.used, "used", false, "where the object of -type and -id is used")
	flag.BoolVar(&q.types, "types", false, "how each type is doing, as a table")
	flag.StringVar(&q.search, "search", "", "objects that hold a `text`")
	flag.StringVar(&q.compare, "compare", "", "what differs from another `environment`")
	flag.Uint64Var(&q.undo, "undo", 0, "how to undo the change with a `number`")
}

// ask answers the question that was asked, if there is one.
func (o options) ask(ctx context.Context, engine *environment.Engine, r environment.Record, h *history.History, out io.Writer) (asked bool, err error) {
	var types []string
	if o.objectType != "" {
		types = []string{o.objectType}
	}
	switch {
	case o.used && (o.id == "" || o.objectType == ""):
		return true, errors.New("-used needs -type and -id")
	case o.used:
		return true, each(out, "reference", o.json, h.Referrers(ctx, o.objectType, o.id, &history.ReferenceOptions{At: o.at}))
	case o.search != "":
		return true, each(out, "hit", o.json, h.Search(ctx, history.Search{Text: o.search, Types: types, At: o.at}))
	case o.compare != "":
		other, err := engine.Find(ctx, o.compare)
		if err != nil {
			return true, err
		}
		a, b := environment.Side{Environment: r.ID, At: o.at}, environment.Side{Environment: other.ID, At: o.at}
		return true, each(out, "difference", o.json, engine.Compare(ctx, a, b, &history.CompareOptions{Types: types}))
	case o.undo > 0:
		plan, err := h.Undo(ctx, o.undo)
		if err != nil {
			return true, err
		}
		return true, emit(out, "undo", o.json, plan)
	}
	return false, nil
}

// each prints every answer, and says so if there is none.
func each[T fmt.Stringer](out io.Writer, event string, asJSON bool, answers iter.Seq2[T, error]) error {
	n := 0
	for answer, err := range answers {
		if err != nil {
			return err
		}
		n++
		if err := emit(out, event, asJSON, answer); err != nil {
			return err
		}
	}
	if n == 0 && !asJSON {
		_, err := fmt.Fprintf(out, "no %ss\n", event)
		return err
	}
	return nil
}

// emit prints one answer for people, or as a line of JSON that names the event.
func emit(out io.Writer, event string, asJSON bool, answer fmt.Stringer) error {
	if !asJSON {
		_, err := fmt.Fprintln(out, answer)
		return err
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cli.JSON(out), "{\"event\":%q,%s\n", event, data[1:])
	return err
}
