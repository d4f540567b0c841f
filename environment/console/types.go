package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/poller"
)

const (
	typesPerPage   = 150
	objectsPerPage = 100
)

// A typeView is how one type is doing.
type typeView struct {
	Name, Label, Link string
	Health            healthView
	Objects           string
	Last              *whenView
	Complete          bool
	Reason            string
	Withheld          int
	Requests          string // of a pass in which nothing changes; empty if none was measured
	Schedule          string
	Next              *whenView
	Lag               string
	Running           bool
	Masked            bool

	rank int
}

// objects is how many objects the last passes saw.
func (e *envView) objects() int {
	n := 0
	for _, t := range e.Status.Types {
		n += t.Objects
	}
	return n
}

// labels returns the labels of the selected types, to choose from.
func (e *envView) labels() []string {
	var all []string
	for _, t := range e.Status.Types {
		all = append(all, e.Label(t.Type))
	}
	slices.Sort(all)
	return all
}

// typeLink is the address of the page of a type.
func (e *envView) typeLink(base, typeName string) string {
	return e.Path(base) + "type/" + url.PathEscape(typeName)
}

func (e *envView) typeView(base string, t environment.TypeStatus, h environment.Condition) typeView {
	v := typeView{
		Name: t.Type, Label: e.Label(t.Type), Link: e.typeLink(base, t.Type), Health: e.health(h), Objects: grouped(t.Objects),
		Last: e.when(t.LastPass, minuteLayout), Complete: t.Complete, Reason: printable.Brief(t.Reason, 400), Withheld: t.Withheld,
		Schedule: e.schedule(t.Cron), Next: e.when(t.Next, minuteLayout), Running: t.Running, Masked: t.Masked,
		rank: slices.Index([]environment.Verdict{environment.VerdictFailing, environment.VerdictBlind, environment.VerdictLate, environment.VerdictGood}, h.Verdict),
	}
	if t.Measured {
		v.Requests = grouped(int(t.Requests))
	}
	if t.Lag > time.Minute {
		v.Lag = span(t.Lag)
	}
	return v
}

// schedule puts a CRON expression into words.
func (e *envView) schedule(cron string) string {
	s, err := poller.ParseSchedule(cron, e.loc)
	if err != nil {
		return cron // "off"
	}
	return s.Describe()
}

// types is the page of all types, those that are not well first.
func (c *console) types(r *request) error {
	env, _, err := r.environment()
	if err != nil {
		return err
	}
	page := struct {
		Find    string
		Counts  []countView // by verdict
		Verdict string
		Types   []typeView
		All     int
		More    string
	}{Find: r.find(), Verdict: r.FormValue("verdict"), All: len(env.Status.Types)}
	from, err := r.seq("from")
	if err != nil {
		return err
	}
	layout := r.view("Types", env, "types")
	if err := r.begin(layout); err != nil {
		return err
	}
	of := map[environment.Verdict]int{}
	var all []typeView
	for i, t := range env.Status.Types {
		h := env.Health.Types[i].Condition
		of[h.Verdict]++
		v := env.typeView(c.base, t, h)
		if page.Verdict != "" && page.Verdict != string(h.Verdict) || !contains(v.Label+" "+v.Name, page.Find) {
			continue
		}
		all = append(all, v)
	}
	for _, v := range []environment.Verdict{environment.VerdictFailing, environment.VerdictBlind, environment.VerdictLate, environment.VerdictGood} {
		if of[v] > 0 {
			page.Counts = append(page.Counts, countView{string(v), of[v], r.query(map[string]string{"verdict": string(v), "from": ""}), page.Verdict == string(v)})
		}
	}
	slices.SortStableFunc(all, func(a, b typeView) int { return cmp.Or(a.rank-b.rank, strings.Compare(a.Label, b.Label)) })
	first := min(int(from), len(all))
	page.Types = all[first:min(first+typesPerPage, len(all))]
	if rest := first + len(page.Types); rest < len(all) {
		page.More = r.query(map[string]string{"from": seqText(uint64(rest))})
	}
	return r.render(http.StatusOK, "types", layout, page)
}

// find is what somebody looks for among types or objects.
func (r *request) find() string {
	return printable.Brief(strings.TrimSpace(r.FormValue("find")), 2*briefName)
}

// A countView counts the types of a verdict.
type countView struct {
	Verdict string
	Number  int
	Link    string
	Chosen  bool
}

// contains ignores letter case.
func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// typePage is the page of one type.
func (c *console) typePage(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(env.Status.Types, func(t environment.TypeStatus) bool { return t.Type == r.PathValue("type") })
	if i < 0 {
		return errNoPage
	}
	status := env.Status.Types[i]
	page := struct {
		typeView
		Cron       string
		Holder     string
		Uncompared []string
		MoreFields int
		Find       string
		Found      []objectView
		More       string
		Problem    string
		Days       []dayView
		Timeline   string
	}{
		typeView: env.typeView(c.base, status, env.Health.Types[i].Condition), Cron: status.Cron, Holder: printable.Brief(status.Holder, briefName),
		Find: r.find(), Timeline: env.Path(c.base) + "?type=" + url.QueryEscape(status.Type),
	}
	page.Uncompared, page.MoreFields = c.uncompared(env.Record, status.Type)
	v := r.view(page.Label, env, "types")
	if err := r.begin(v); err != nil {
		return err
	}
	if !status.LastPass.IsZero() {
		ctx, cancel := context.WithTimeout(r.ctx, askFor)
		defer cancel()
		page.Found, page.More, err = r.objects(ctx, env, h, status.Type, page.Find)
		if err == nil {
			var s found
			s, err = search(ctx, h, &filter{Type: status.Type}, 10)
			page.Days = env.days(c.base, s.changes, fieldsPerEntry)
		}
		if err != nil {
			page.Problem = problem(err)
		}
	}
	return r.render(http.StatusOK, "type", v, page)
}

// uncompared returns what of a type's bodies is not compared: what the catalogue says, and what
// the record ignores.
func (c *console) uncompared(record environment.Record, typeName string) (paths []string, more int) {
	const most = 40
	for _, t := range c.engine.Selected(record) {
		if t.Name != typeName {
			continue
		}
		for _, u := range t.Uncompared() {
			if u.Class != "borrowed" {
				paths = append(paths, u.Path+" ("+string(u.Class)+")")
			}
		}
		if len(t.Borrowed) > 0 {
			paths = append(paths, "what other objects are called, beside their ids")
		}
		for _, rule := range record.Ignore {
			if strings.EqualFold(rule.Type, poller.AllObjects) || strings.EqualFold(rule.Type, t.Name) || strings.EqualFold(rule.Type, t.Label) {
				paths = append(paths, printable.Brief(rule.Field, briefName)+" (ignored by this environment)")
			}
		}
	}
	if more = len(paths) - most; more > 0 {
		return paths[:most], more
	}
	return paths, 0
}

// objects lists objects of a type, by id or those whose name or id has a text in it.
func (r *request) objects(ctx context.Context, env *envView, h *history.History, typeName, find string) (views []objectView, more string, err error) {
	from := r.FormValue("from")
	limit := time.Now().Add(searchFor)
	for head, err := range h.Heads(ctx, typeName) {
		if errors.Is(err, history.ErrUnknown) {
			break // the page says that the type was not read yet
		}
		if err != nil {
			return nil, "", err
		}
		if head.ID <= from || !contains(head.Name+" "+head.ID, find) {
			continue
		}
		if len(views) == objectsPerPage || time.Now().After(limit) {
			if len(views) == 0 {
				return nil, "", errors.New("there are too many objects to look through")
			}
			return views, r.query(map[string]string{"from": views[len(views)-1].rawID}), nil
		}
		views = append(views, objectView{
			Name: name(head.Name, head.ID), ID: printable.Brief(head.ID, briefName), rawID: head.ID,
			Link: env.objectLink(r.console.base, typeName, head.ID), Changed: env.when(head.Changed, minuteLayout),
		})
	}
	return views, "", nil
}
