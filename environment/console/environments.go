package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/ratelimit"
)

// Bounds of the page of all environments.
const (
	environmentsPerPage = 50
	problemsPerPage     = 10
)

// manyChanges is where changes are counted no further.
const manyChanges = 1000

// A summaryView is one environment at a glance.
type summaryView struct {
	Name, Org  string
	Link       string
	Production bool
	Paused     bool
	Deleting   bool
	Health     healthView
	Objects    string
	Types      int
	Today      string // changes of the last 24 hours
	Last       *whenView
	Quota      quotaView
}

// A healthView is a verdict as people read it.
type healthView struct {
	Verdict, Reason string
	Since           *whenView
}

func (e *envView) health(h environment.Condition) healthView {
	return healthView{string(h.Verdict), printable.Brief(h.Reason, 400), e.when(h.Since, minuteLayout)}
}

// A quotaView is how much of the quota is in use.
type quotaView struct {
	Limit   string
	Used    int
	Free    string
	Percent int // 0 without a limit
}

func quotaOf(s ratelimit.State) quotaView {
	v := quotaView{Limit: s.Limit.String(), Used: s.Used, Free: "any number"}
	if s.Free < math.MaxInt {
		v.Free = grouped(s.Free)
	}
	if s.Limit.N > 0 {
		v.Limit = strings.Replace(v.Limit, strconv.Itoa(s.Limit.N), grouped(s.Limit.N), 1)
		v.Percent = min(100, 100*s.Used/s.Limit.N)
	}
	return v
}

// environments is the page of all environments.
func (c *console) environments(r *request) error {
	page := struct {
		Environments []summaryView
		Problems     []string // what cannot be read of single ones
		MoreProblems int
		More         string // address of the next page
	}{}
	after, err := r.seq("after")
	if err != nil {
		return err
	}
	problem := func(err error) {
		if len(page.Problems) == problemsPerPage {
			page.MoreProblems++
			return
		}
		page.Problems = append(page.Problems, printable.Brief(err.Error(), 400))
	}
	last := int64(0)
	for record, err := range c.engine.All(r.ctx) {
		if err != nil { // of one record, or of the store, which ends it
			problem(err)
			continue
		}
		if record.ID <= int64(after) {
			continue
		}
		if len(page.Environments) == environmentsPerPage {
			page.More = r.query(map[string]string{"after": seqText(uint64(last))})
			break
		}
		last = record.ID
		s, err := c.summary(r.ctx, record)
		if err != nil {
			problem(fmt.Errorf("%s: %w", name(record.Name, ""), err))
			continue
		}
		page.Environments = append(page.Environments, s)
	}
	return r.render(http.StatusOK, "environments", r.view("Environments", nil, ""), page)
}

// summary looks at one environment.
func (c *console) summary(ctx context.Context, record environment.Record) (summaryView, error) {
	s := summaryView{Name: name(record.Name, ""), Org: printable.Brief(record.BaseURL, briefName), Production: record.IsProduction, Paused: record.Paused}
	status, err := c.engine.Status(ctx, record.ID)
	if errors.Is(err, environment.ErrNotFound) {
		s.Deleting = true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	env := &envView{Record: record, Status: status, loc: record.Location()}
	s.Link, s.Health, s.Quota = env.Path(c.base), env.health(status.Health(time.Now()).Condition), quotaOf(status.Quota)
	objects := 0
	for _, t := range status.Types {
		objects += t.Objects
		if !t.LastPass.IsZero() {
			s.Types++
		}
	}
	s.Objects = grouped(objects)
	h, err := c.engine.History(ctx, record.ID)
	if err != nil {
		return s, err
	}
	today := 0
	for change, err := range h.Changes(ctx, history.Query{Since: env.now().Add(-24 * time.Hour), Newest: true, Limit: manyChanges}) {
		if err != nil {
			return s, err
		}
		if today == 0 {
			s.Last = env.when(change.At, minuteLayout)
		}
		today++
	}
	if s.Today = grouped(today); today == manyChanges {
		s.Today += " or more"
	}
	return s, nil
}
