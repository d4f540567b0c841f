package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
)

// printTypes prints how each type is doing, as a table or as JSON lines.
func printTypes(ctx context.Context, engine *environment.Engine, r environment.Record, o options, out io.Writer) error {
	status, err := engine.Status(ctx, r.ID)
	if err != nil {
		return err
	}
	health := status.Health(time.Now())
	if o.json {
		for i, t := range status.Types {
			err := json.NewEncoder(cli.JSON(out)).Encode(struct {
				Event string `json:"event"`
				environment.TypeStatus
				Health environment.Condition `json:"health"`
			}{"type", t, health.Types[i].Condition})
			if err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tHEALTH\tOBJECTS\tWITHHELD\tLAST PASS\tNEXT\tSCHEDULE")
	for i, t := range status.Types {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Type, health.Types[i].Verdict, t.Objects, t.Withheld, short(t.LastPass, o), short(t.Next, o), t.Cron)
	}
	return w.Flush()
}

// short writes a time without seconds, or a dash for none.
func short(t time.Time, o options) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(o.loc).Format("2006-01-02 15:04")
}
