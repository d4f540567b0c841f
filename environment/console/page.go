package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
)

// A request is one request for a page, with what most pages need.
type request struct {
	*http.Request
	ctx     context.Context //nolint:containedctx // it lives as long as the request, and says who asks
	w       http.ResponseWriter
	console *console
	begun   bool // the head of the page was sent
}

// A page answers a request by show, or with an error that was not shown yet.
type page func(*request) error

var errNoPage = errors.New("there is no such page")

// A badRequest is an error of what was asked.
type badRequest struct{ error }

func (e badRequest) Unwrap() error { return e.error }

// show returns the handler of a page. An error becomes a page of its own, or, where the page
// has begun, its end.
func (c *console) show(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, w: w, console: c}
		err := c.identify(r)
		if err == nil {
			err = p(r)
		}
		if err != nil {
			r.fail(err)
		}
	})
}

// identify finds out who asks.
func (c *console) identify(r *request) error {
	ctx, err := c.opts.Identify(r.Request)
	if err != nil {
		return fmt.Errorf("%w: %w", environment.ErrDenied, err)
	}
	r.ctx = ctx
	return nil
}

// A view is what every template gets.
type view struct {
	Title   string
	Base    string
	Actions bool
	Now     time.Time
	Env     *envView // nil on the page of all environments
	Tab     string
	Page    any
}

// An envView is what the head of each page of an environment shows.
type envView struct {
	environment.Record
	Health environment.Health
	Status environment.Status
	Labels map[string]string // of types, by name
	Newest uint64            // change, for the script that tells of newer ones

	Withheld int
	loc      *time.Location
}

// Path is the address of a page of the environment.
func (e *envView) Path(base string) string { return fmt.Sprintf("%s/e/%d/", base, e.ID) }

// Label is the label of a type, or its name where the catalogue has none.
func (e *envView) Label(name string) string {
	if label, ok := e.Labels[name]; ok {
		return label
	}
	return name
}

// HealthText says why and since when the verdict is not good.
func (e *envView) HealthText() string {
	v := e.health(e.Health.Condition)
	if v.Since == nil {
		return v.Reason
	}
	return "since " + v.Since.Text + ". " + v.Reason
}

// id is the environment that the address names.
func (r *request) id() (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNoPage
	}
	return id, nil
}

// environment reads what the head of the page shows. It fails if the caller may not see it.
func (r *request) environment() (*envView, *history.History, error) {
	id, err := r.id()
	if err != nil {
		return nil, nil, err
	}
	status, err := r.console.engine.Status(r.ctx, id)
	if err != nil {
		return nil, nil, err
	}
	env := &envView{Record: status.Record, Status: status, Health: status.Health(time.Now()), Labels: map[string]string{}, loc: status.Record.Location()}
	for _, t := range r.console.engine.Selected(status.Record) {
		env.Labels[t.Name] = t.Label
	}
	for _, t := range status.Types {
		env.Withheld += t.Withheld
	}
	h, err := r.console.engine.History(r.ctx, id)
	if err != nil {
		return nil, nil, err
	}
	env.Newest, err = h.Cursor(r.ctx)
	return env, h, err
}

// now is the time that people see: the org's where it is known.
func (e *envView) now() time.Time {
	if e != nil && !e.Status.Clock.Now.IsZero() {
		return e.Status.Clock.Now
	}
	return time.Now()
}

// view returns what the layout of a page needs.
func (r *request) view(title string, env *envView, tab string) *view {
	return &view{Title: title, Base: r.console.base, Actions: r.console.opts.Actions, Now: env.now(), Env: env, Tab: tab}
}

// render sends a whole page, made by the template of a name.
func (r *request) render(status int, name string, v *view, data any) error {
	v.Page = data
	var b bytes.Buffer
	for _, part := range []string{"head", name, "foot"} {
		if part == "head" && r.begun {
			continue
		}
		if err := r.console.templates.ExecuteTemplate(&b, part, v); err != nil {
			return err
		}
	}
	if !r.begun {
		r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		r.w.WriteHeader(status)
		r.begun = true
	}
	_, err := r.w.Write(b.Bytes())
	return err
}

// begin sends the head of a page whose rest may take a while.
func (r *request) begin(v *view) error {
	var b bytes.Buffer
	if err := r.console.templates.ExecuteTemplate(&b, "head", v); err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.begun = true
	if _, err := r.w.Write(b.Bytes()); err != nil {
		return err
	}
	_ = http.NewResponseController(r.w).Flush() // a writer that cannot flush sends it all at the end
	return nil
}

// fail shows an error.
func (r *request) fail(err error) {
	status := statusOf(err)
	v := r.view(http.StatusText(status), nil, "")
	_ = r.render(status, "error", v, err.Error()) // else the connection is gone
}

func statusOf(err error) int {
	_, bad := errors.AsType[badRequest](err)
	switch {
	case errors.Is(err, errNoPage), errors.Is(err, environment.ErrNotFound), errors.Is(err, history.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, environment.ErrDenied):
		return http.StatusForbidden
	case bad, errors.Is(err, history.ErrUnknown), errors.Is(err, history.ErrTrimmed):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// query returns the address of this page with some parameters set, or left out where empty.
func (r *request) query(set map[string]string) string {
	q := url.Values{}
	for name, values := range r.URL.Query() {
		if values[0] != "" {
			q[name] = values
		}
	}
	for name, value := range set {
		if q.Del(name); value != "" {
			q.Set(name, value)
		}
	}
	return "?" + q.Encode()
}
