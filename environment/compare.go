package environment

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/history"
)

// A Side is one of the two states that Compare compares: that of an environment.
type Side struct {
	Environment int64
	At          time.Time // defaults to now
}

// Compare iterates over what differs between two environments, or between one at two times; see
// history.Compare. Types that the client of either side cannot read are reported as unreadable and
// not as differing. Types of opts are names or labels. It reads what is stored and sends no
// request. An error ends it.
func (e *Engine) Compare(ctx context.Context, a, b Side, opts *history.CompareOptions) iter.Seq2[history.Difference, error] {
	return func(yield func(history.Difference, error) bool) {
		var o history.CompareOptions
		if opts != nil {
			o = *opts
		}
		var sides [2]history.Side
		for i, s := range []Side{a, b} {
			var err error
			if sides[i], err = e.side(ctx, s); err != nil {
				yield(history.Difference{}, err)
				return
			}
		}
		for d, err := range history.Compare(ctx, sides[0], sides[1], &o) {
			if !yield(d, err) {
				return
			}
		}
	}
}

// side translates a Side for history, with what its client cannot read now.
func (e *Engine) side(ctx context.Context, s Side) (history.Side, error) {
	h, err := e.History(ctx, s.Environment)
	if err != nil {
		return history.Side{}, err
	}
	status, err := e.Status(ctx, s.Environment)
	if err != nil {
		return history.Side{}, err
	}
	unavailable := map[string]string{}
	for _, t := range status.Types {
		if t.Unavailable != "" {
			unavailable[t.Type] = fmt.Sprintf("environment %q cannot read the type: %s", status.Record.Name, t.Unavailable)
		}
	}
	return history.Side{History: h, At: s.At, Unreadable: func(typeName string) string { return unavailable[typeName] }}, nil
}
