package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/printable"
)

const (
	changesPerPage = 50
	fieldsPerEntry = 3
	// searchFor is how long a page looks for what its filter wants, before it says how far it came.
	searchFor = 1500 * time.Millisecond
)

// A filter is what the timeline is asked for.
type filter struct {
	Type, Kind, Who, Field, Since, Until string
	before                               uint64
	field                                *diff.Path
	since, until                         time.Time
}

// IsSet reports whether anything is left out.
func (f *filter) IsSet() bool {
	return f.Type != "" || f.Kind != "" || f.Who != "" || f.Field != "" || f.Since != "" || f.Until != ""
}

func (r *request) filter(env *envView) (*filter, error) {
	f := &filter{}
	for name, field := range map[string]*string{"type": &f.Type, "kind": &f.Kind, "who": &f.Who, "field": &f.Field, "since": &f.Since, "until": &f.Until} {
		*field = printable.Brief(strings.TrimSpace(r.FormValue(name)), 2*briefName)
	}
	for name, label := range env.Labels {
		if strings.EqualFold(f.Type, label) {
			f.Type = name
		}
	}
	if f.Kind != "" && kindOf(history.Kind(f.Kind)).Mark == "?" {
		return nil, badRequest{fmt.Errorf("%q is no kind of change; want one such as %q", f.Kind, history.KindUpdated)}
	}
	if f.Field != "" {
		path, err := diff.ParsePath(f.Field)
		if err != nil {
			return nil, badRequest{fmt.Errorf("the field: %w", err)}
		}
		f.field = &path
	}
	var err error
	if f.before, err = r.seq("before"); err != nil {
		return nil, err
	}
	if f.since, err = parseTime(f.Since, env.loc); err == nil {
		f.until, err = parseTime(f.Until, env.loc)
	}
	if len(f.Until) == len(time.DateOnly) && err == nil {
		f.until = f.until.AddDate(0, 0, 1) // that day included
	}
	return f, err
}

// seq reads a parameter that is a sequence number, or left out.
func (r *request) seq(name string) (uint64, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, badRequest{fmt.Errorf("%s is %q, want a number", name, text)}
	}
	return n, nil
}

// parseTime reads a date, or a date and a time in a zone or with its own.
func parseTime(text string, loc *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, fieldLayout, "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, badRequest{fmt.Errorf("%q is no time; want one such as 2026-11-26 or 2026-11-26T05:32", text)}
	}
	return t, nil
}

// query returns what the history is asked. It leaves the kind and the field to wants, so that
// the console knows how far a search came.
func (f *filter) query() history.Query {
	q := history.Query{Since: f.since, Until: f.until, BeforeSeq: f.before, Newest: true, Imported: f.Kind == string(history.KindImported)}
	if f.Type != "" {
		q.Types = []string{f.Type}
	}
	return q
}

func (f *filter) wants(c *history.Change) bool {
	switch {
	case f.Kind != "" && string(c.Kind) != f.Kind:
		return false
	case f.Who != "" && !isBy(c, f.Who):
		return false
	}
	return f.field == nil || f.field.Touches(c.Fields)
}

// found is what a search came to.
type found struct {
	changes []history.Change
	next    uint64    // where to go on, 0 if there is no more
	upTo    time.Time // how far it looked, if it gave up
}

// search looks for the changes that f wants, the newest first, for a while.
func search(ctx context.Context, h *history.History, f *filter, n int) (found, error) {
	var s found
	limit := time.Now().Add(searchFor)
	ctx, cancel := context.WithDeadline(ctx, limit.Add(searchFor))
	defer cancel()
	for c, err := range h.Changes(ctx, f.query()) {
		if errors.Is(err, context.DeadlineExceeded) {
			return s, errors.New("this takes too long: choose a shorter time")
		}
		if err != nil {
			return s, err
		}
		if f.wants(&c) {
			if len(s.changes) == n {
				s.next = s.changes[n-1].Seq
				return s, nil
			}
			s.changes = append(s.changes, c)
		}
		if time.Now().After(limit) {
			s.next, s.upTo = c.Seq, c.At
			return s, nil
		}
	}
	return s, nil
}

// timeline is the page of the changes of an environment.
func (c *console) timeline(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	f, err := r.filter(env)
	if err != nil {
		return err
	}
	page := struct {
		Filter  *filter
		Kinds   []kindView
		Types   []string
		Days    []dayView
		Older   string // address of what is before
		Newest  string // address of the first page, on another one
		UpTo    *whenView
		Objects string
		Audited bool   // whether the org's audits are read
		Missed  string // how many writes they showed that no change explains
		Problem string
	}{Filter: f, Kinds: kinds[:], Types: env.labels(), Objects: grouped(env.objects())}
	if tally := env.Status.Audits.Tally; tally != nil {
		page.Audited, page.Missed = true, count(int(tally.Undetected), "edit")
	}
	if err := r.begin(r.view("Timeline", env, "timeline")); err != nil {
		return err
	}
	s, err := search(r.ctx, h, f, changesPerPage)
	if err != nil {
		page.Problem = err.Error()
	}
	page.Days = env.days(c.base, s.changes, fieldsPerEntry)
	page.UpTo = env.when(s.upTo, minuteLayout)
	if s.next > 0 {
		page.Older = r.query(map[string]string{"before": seqText(s.next)})
	}
	if f.before > 0 {
		page.Newest = r.query(map[string]string{"before": ""})
	}
	return r.render(http.StatusOK, "timeline", r.view("Timeline", env, "timeline"), page)
}

// newest tells the script of a page how many changes came since. Each page that is open asks every ten
// seconds, so it reads nothing but the log.
func (c *console) newest(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	h, err := c.engine.History(r.ctx, id)
	if err != nil {
		return err
	}
	after, err := r.seq("after")
	if err != nil {
		return err
	}
	answer := struct {
		Changes int `json:"changes"`
	}{}
	for _, err := range h.Changes(r.ctx, history.Query{AfterSeq: after, Newest: true, Limit: 100}) {
		if err != nil {
			return err
		}
		answer.Changes++
	}
	r.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(r.w).Encode(answer)
}
