package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
)

const (
	undetectedPerPage = 100
	// undetectedSpan is how far back one page looks.
	undetectedSpan = 30 * 24 * time.Hour
	// propertiesPerAct bounds the names of properties that an audit says were changed.
	propertiesPerAct = 10
)

// An actView is a write that the audits show and no change explains, as people read it.
type actView struct {
	At         *whenView
	Clock      string
	Action     string
	TypeLabel  string
	Name, Link string // of what was written; without a link if nothing is on record of it
	Who        string
	Properties []string
	More       int
}

// An actsDay is the writes of one day.
type actsDay struct {
	Day  string
	Acts []actView
}

// undetected is the page of the writes that no pass saw, the newest first. Each page looks at 30
// days, and shows the newest ones of them.
func (c *console) undetected(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	before, err := parseTime(r.FormValue("before"), env.loc)
	if err != nil {
		return err
	}
	page := struct {
		Audited bool // whether audits are read
		Days    []actsDay
		Since   *whenView // how far back the page looks
		Older   string
		Newest  string
		Problem string
	}{Audited: env.Status.Audits.Tally != nil}
	if !before.IsZero() {
		page.Newest = r.query(map[string]string{"before": ""})
	} else {
		before = env.now().Add(time.Minute) // what was done a moment ago included
	}
	v := r.view("Undetected edits", env, "timeline")
	if err := r.begin(v); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, askFor)
	defer cancel()
	acts, older, err := undetectedBefore(ctx, h, before)
	if err != nil {
		page.Problem = problem(err)
	}
	if !older.IsZero() {
		page.Older = r.query(map[string]string{"before": older.UTC().Format(time.RFC3339Nano)})
		page.Since = env.when(older, minuteLayout)
	}
	known := map[history.Target]bool{}
	for i := range acts {
		day := acts[i].At.In(env.loc).Format(dayLayout)
		if len(page.Days) == 0 || page.Days[len(page.Days)-1].Day != day {
			page.Days = append(page.Days, actsDay{Day: day})
		}
		last := &page.Days[len(page.Days)-1]
		last.Acts = append(last.Acts, env.act(ctx, c.base, h, &acts[i], known))
	}
	return r.render(http.StatusOK, "undetected", v, page)
}

// undetectedBefore returns the newest writes of the 30 days before a time, and before when to look
// for older ones, if there are any.
func undetectedBefore(ctx context.Context, h *history.History, before time.Time) (acts []history.Undetected, older time.Time, err error) {
	since := before.Add(-undetectedSpan)
	drop := func(n int) {
		older = acts[n-1].At.Add(1) // what else was done in that instant shows twice rather than never
		acts = slices.Delete(acts, 0, n)
	}
	for u, err := range h.Undetected(ctx, since) {
		if err != nil {
			return nil, older, err
		}
		if !u.At.Before(before) {
			break
		}
		if acts = append(acts, u); len(acts) == 2*undetectedPerPage {
			drop(undetectedPerPage)
		}
	}
	if n := len(acts) - undetectedPerPage; n > 0 {
		drop(n)
	}
	if !older.Before(before) {
		older = acts[0].At // more in one instant than a page holds
	}
	slices.Reverse(acts)
	for u, err := range h.Undetected(ctx, time.Time{}) {
		if err == nil && older.IsZero() && u.At.Before(since) {
			older = since
		}
		return acts, older, err
	}
	return acts, older, nil
}

// act makes a write readable. known remembers of which targets something is on record.
func (e *envView) act(ctx context.Context, base string, h *history.History, u *history.Undetected, known map[history.Target]bool) actView {
	v := actView{
		At: e.when(u.At, secondLayout), Clock: u.At.In(e.loc).Format(clockLayout), Action: printable.Brief(strings.ToLower(u.Action), briefName),
		TypeLabel: printable.Brief(u.Entity, briefName), Name: name(u.Name, u.Object), More: max(0, len(u.Properties)-propertiesPerAct),
	}
	if u.Actor != (history.Actor{}) {
		v.Who = printable.Brief(u.Actor.String(), briefName)
	}
	for _, p := range u.Properties[:min(len(u.Properties), propertiesPerAct)] {
		v.Properties = append(v.Properties, printable.Brief(p, briefName))
	}
	if len(u.Types) == 1 {
		v.TypeLabel = e.Label(u.Types[0])
	}
	for _, t := range u.Targets {
		if _, asked := known[t]; !asked {
			_, isKnown, _ := nameOf(ctx, h, t.Type, t.ID) // an error costs a link
			known[t] = t.ID != "" && isKnown
		}
		if v.Link == "" && known[t] {
			v.Link = e.objectLink(base, t.Type, t.ID)
		}
	}
	return v
}
