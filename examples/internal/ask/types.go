package ask

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
func (q Question) printTypes(ctx context.Context, engine *environment.Engine, r environment.Record, out io.Writer) error {
	status, err := engine.Status(ctx, r.ID)
	if err != nil {
		return err
	}
	health := status.Health(time.Now())
	if q.json {
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
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", t.Type, health.Types[i].Verdict, t.Objects, t.Withheld, q.short(t.LastPass), q.short(t.Next), t.Cron)
	}
	return w.Flush()
}

// short writes a time without seconds, or a dash for none.
func (q Question) short(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(q.loc).Format("2006-01-02 15:04")
}
