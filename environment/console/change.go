package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
)

const (
	fieldsPerChange  = 200
	objectsPerChange = 100
	valuesPerPage    = budget(96 << 10)
	// askFor is how long a question that was asked for by a link may take.
	askFor = 10 * time.Second
)

// An undoView is what would undo a change.
type undoView struct {
	Asked      bool
	Link       string
	Problem    string
	Done       bool // there is nothing to undo
	Do         string
	Body, Size string
	Conflicts  []string
	Lost       []string
	Broken     []referenceView
	MoreBroken int
}

// change is the page of one change.
func (c *console) change(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil || seq == 0 {
		return errNoPage
	}
	change, err := changeOf(r.ctx, h, seq)
	if err != nil {
		return err
	}
	b := valuesPerPage
	page := struct {
		changeView
		Objects     []objectView
		MoreObjects int
		AsOf        string // address of the object as it was then
		IsBefore    bool   // or just before, since then it was gone
		Undo        *undoView
	}{changeView: env.change(c.base, &change, fieldsPerChange, &b)}
	for _, id := range change.Objects[:min(len(change.Objects), objectsPerChange)] {
		text, _, err := nameOf(r.ctx, h, change.Type, id)
		if err != nil {
			return err
		}
		page.Objects = append(page.Objects, objectView{Name: name(text, id), Link: env.objectLink(c.base, change.Type, id)})
	}
	page.MoreObjects = max(0, change.Number-len(page.Objects))
	if page.Link != "" {
		at := change.At
		if page.IsBefore = change.Kind == history.KindDeleted; page.IsBefore {
			at = at.Add(-1)
		}
		page.AsOf = page.Link + "&at=" + at.UTC().Format(time.RFC3339Nano)
	}
	v := r.view(page.Kind.Word+" "+page.Name, env, "timeline")
	switch change.Kind {
	case history.KindUpdated, history.KindCreated, history.KindDeleted, history.KindRestored:
		page.Undo = &undoView{Asked: r.FormValue("undo") != "", Link: r.query(map[string]string{"undo": "1"})}
	}
	if page.Undo != nil && page.Undo.Asked {
		if err := r.begin(v); err != nil {
			return err
		}
		page.Undo.plan(r.ctx, c.base, env, h, seq)
	}
	return r.render(http.StatusOK, "change", v, page)
}

// changeOf returns the change of a sequence number.
func changeOf(ctx context.Context, h *history.History, seq uint64) (history.Change, error) {
	for change, err := range h.Changes(ctx, history.Query{AfterSeq: seq - 1, BeforeSeq: seq + 1, Imported: true, Limit: 1}) {
		if errors.Is(err, history.ErrNotFound) { // the change before it is not there either
			err = errNoPage
		}
		return change, err
	}
	return history.Change{}, errNoPage
}

// nameOf returns what an object is called now, or was at last, and whether anything is on record of it.
func nameOf(ctx context.Context, h *history.History, typeName, id string) (text string, isKnown bool, err error) {
	for change, err := range h.Changes(ctx, history.Query{Types: []string{typeName}, ID: id, Newest: true, Imported: true, Limit: 1}) {
		if errors.Is(err, history.ErrNotFound) {
			break
		}
		return change.Name, err == nil, err
	}
	return "", false, nil
}

// plan asks how to undo a change.
func (u *undoView) plan(ctx context.Context, base string, env *envView, h *history.History, seq uint64) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	plan, err := h.Undo(ctx, seq)
	switch {
	case errors.Is(err, history.ErrUndone):
		u.Done = true
		return
	case err != nil:
		u.Problem = err.Error()
		return
	case plan.Delete:
		u.Do = "Delete the object."
	case plan.Create:
		u.Do = "Create the object anew, with this body. It will have another id."
	default:
		u.Do = "Update the object to this body."
	}
	if len(plan.Body) > 0 {
		b := valuesPerPage / 2
		u.Body, u.Size = pretty(plan.Body, &b)
	}
	for _, conflict := range plan.Conflicts {
		u.Conflicts = append(u.Conflicts, printable.Brief(conflict.Path, 2*briefName))
	}
	for _, lost := range plan.Lost {
		u.Lost = append(u.Lost, printable.Brief(lost, briefName))
	}
	for _, ref := range plan.Referrers[:min(len(plan.Referrers), objectsPerChange)] {
		u.Broken = append(u.Broken, env.reference(base, ref.From, ref.Paths))
	}
	u.MoreBroken = len(plan.Referrers) - len(u.Broken)
}
