package console

import (
	"net/http"
	"net/url"

	"github.com/cxsync/cxsync/internal/printable"
)

// withheldPerPage bounds the page of withheld removals.
const withheldPerPage = 200

// A missingView is an object whose removal is withheld.
type missingView struct {
	objectView
	Key    string // its id, escaped, for the form
	Since  *whenView
	Missed string
	Reason string
}

// A missingType is the objects of one type whose removal is withheld.
type missingType struct {
	Name, Label, Link string
	Objects           []missingView
	Unlisted          int // that only walks which were not complete have missed
}

// withheld is the page of the objects that passes missed and that still count as there.
func (c *console) withheld(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	page := struct {
		Types []missingType
		More  bool
		Done  bool
	}{Done: r.FormValue("done") != ""}
	n := 0
	for _, t := range env.Status.Types {
		if t.Withheld == 0 || page.More {
			continue
		}
		view := missingType{Name: t.Type, Label: env.Label(t.Type), Link: env.typeLink(c.base, t.Type)}
		for w, err := range h.Withheld(r.ctx, t.Type) {
			if err != nil {
				return err
			}
			if n == withheldPerPage {
				page.More = true
				break
			}
			n++
			view.Objects = append(view.Objects, missingView{
				objectView: objectView{Name: name(w.Name, w.ID), ID: printable.Brief(w.ID, briefName), Link: env.objectLink(c.base, t.Type, w.ID)},
				Key:        url.QueryEscape(w.ID), Since: env.when(w.Since, minuteLayout), Missed: count(w.Missed, "complete walk"), Reason: printable.Brief(w.Reason, 200),
			})
		}
		view.Unlisted = max(0, t.Withheld-len(view.Objects))
		page.Types = append(page.Types, view)
	}
	return r.render(http.StatusOK, "withheld", r.view("Withheld removals", env, "withheld"), page)
}
