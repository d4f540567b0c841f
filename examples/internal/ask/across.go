package ask

import (
	"context"
	"io"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
)

// across answers a question that goes across objects, if it is one.
func (q Question) across(ctx context.Context, engine *environment.Engine, r environment.Record, h *history.History, out io.Writer) (asked bool, err error) {
	var types []string
	if q.typeName != "" {
		types = []string{q.typeName}
	}
	switch {
	case q.used:
		return true, each(q, out, "reference", h.Referrers(ctx, q.typeName, q.id, &history.ReferenceOptions{At: q.at}))
	case q.search != "":
		return true, each(q, out, "hit", h.Search(ctx, history.Search{Text: q.search, Types: types, At: q.at}))
	case q.compare != "":
		other, err := engine.Find(ctx, q.compare)
		if err != nil {
			return true, err
		}
		a, b := environment.Side{Environment: r.ID, At: q.at}, environment.Side{Environment: other.ID, At: q.at}
		return true, each(q, out, "difference", engine.Compare(ctx, a, b, &history.CompareOptions{Types: types}))
	case q.undo > 0:
		plan, err := h.Undo(ctx, q.undo)
		if err != nil {
			return true, err
		}
		return true, q.emit(out, "undo", plan)
	}
	return false, nil
}
