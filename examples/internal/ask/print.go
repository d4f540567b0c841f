package ask

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/history"
)

// printState prints an object as it was.
func (q Question) printState(out io.Writer, v history.Version) error {
	if q.json {
		return json.NewEncoder(cli.JSON(out)).Encode(struct {
			Event string `json:"event"`
			history.Version
		}{"version", v})
	}
	_, err := fmt.Fprintf(out, "%s %q (%s)\n    %s\n", v.Type, v.Name, v.ID, v.Body)
	return err
}

// printChange prints a change with who made it, if that is known.
func (q Question) printChange(out io.Writer, c history.Change) error {
	if q.json {
		return json.NewEncoder(cli.JSON(out)).Encode(struct {
			Event string `json:"event"`
			history.Change
		}{"change", c})
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", c.At.In(q.loc).Format(time.DateTime), c)
	if by := who(c.Who); by != "" && err == nil {
		_, err = fmt.Fprintf(out, "    by %s\n", by)
	}
	return err
}

// who names who made a change, as far as audits tell. Where they do not, it says nothing.
func who(a *history.Attribution) string {
	switch {
	case a == nil:
		return ""
	case a.Status == history.WhoPending:
		return "somebody: audits, which come late, will tell who"
	case a.Status == history.WhoSystem:
		return "the service itself"
	case len(a.Actors) == 0:
		return ""
	}
	return a.String()
}

// each prints every answer, and says so if there is none.
func each[T fmt.Stringer](q Question, out io.Writer, event string, answers iter.Seq2[T, error]) error {
	n := 0
	for answer, err := range answers {
		if err != nil {
			return err
		}
		n++
		if err := q.emit(out, event, answer); err != nil {
			return err
		}
	}
	if n == 0 && !q.json {
		_, err := fmt.Fprintf(out, "no %ss\n", event)
		return err
	}
	return nil
}

// emit prints one answer for people, or as a line of JSON that names the event.
func (q Question) emit(out io.Writer, event string, answer fmt.Stringer) error {
	if !q.json {
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
