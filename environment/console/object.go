package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/internal/printable"
)

const (
	versionsPerPage   = 30
	fieldsPerVersion  = 5
	referencesPerPage = 200
)

// An objectView is a link to an object.
type objectView struct {
	Name, ID, Link string
	TypeLabel      string
	Changed        *whenView

	rawID string
}

// A referenceView is an object that refers to another one, or is referred to.
type referenceView struct {
	objectView
	Paths []string
	More  int
	Gone  bool
}

func (e *envView) reference(base string, to history.Ref, paths []string) referenceView {
	const most = 3
	v := referenceView{objectView: objectView{Name: name(to.Name, to.ID), TypeLabel: e.Label(to.Type), Link: e.objectLink(base, to.Type, to.ID)}}
	for _, p := range paths[:min(len(paths), most)] {
		v.Paths = append(v.Paths, printable.Brief(p, briefName))
	}
	v.More = max(0, len(paths)-most)
	return v
}

// A usesView is an answer about references.
type usesView struct {
	Asked   bool
	Link    string
	Uses    []referenceView
	More    bool
	Problem string
}

// An asked is what the page of an object is about.
type asked struct {
	typeName, id string
	at           time.Time // zero for now
}

func (r *request) asked(env *envView) (asked, error) {
	o := asked{typeName: r.FormValue("type"), id: r.FormValue("id")}
	if key := r.FormValue("key"); o.id == "" && key != "" {
		o.id, _ = url.QueryUnescape(key) // else it is no object
	}
	if o.typeName == "" || o.id == "" {
		return o, badRequest{errors.New("which object? The address needs its type and its id")}
	}
	var err error
	o.at, err = parseTime(r.FormValue("at"), env.loc)
	return o, err
}

// object is the page of one object.
func (c *console) object(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	o, err := r.asked(env)
	if err != nil {
		return err
	}
	before, err := r.seq("before")
	if err != nil {
		return err
	}
	changes, more, err := versions(r.ctx, h, o, before)
	if err != nil && !errors.Is(err, history.ErrNotFound) {
		return err
	}
	if len(changes) == 0 {
		return fmt.Errorf("nothing is on record of the object %q of type %q: %w", printable.Brief(o.id, briefName), printable.Brief(o.typeName, briefName), history.ErrNotFound)
	}
	v := r.view(name(changes[0].Name, o.id), env, "timeline")
	isUsed, uses := r.FormValue("used") != "", r.FormValue("uses") != ""
	if isUsed || uses {
		if err := r.begin(v); err != nil {
			return err
		}
	}
	page := struct {
		Name, ID, Key, Type, TypeLabel string
		Deleted                        bool
		At                             *whenView // of the state that is shown, if somebody asked for it
		AtField                        string
		Zone                           string
		Body, Size, BodyLink           string
		Problem                        string // why there is no body
		Versions                       []versionView
		Older, Now                     string
		Used, Uses                     usesView
	}{ID: printable.Brief(o.id, briefName), Key: url.QueryEscape(o.id), Type: o.typeName, TypeLabel: env.Label(o.typeName), Zone: env.loc.String()}
	at := o.at
	if at.IsZero() {
		at = instant.Later(env.now(), changes[0].At)
	} else {
		page.At, page.Now = env.when(at, secondLayout), r.query(map[string]string{"at": ""})
	}
	page.AtField = at.Add(time.Second - 1).In(env.loc).Format(fieldLayout)
	version, err := h.ObjectAsOf(r.ctx, o.typeName, o.id, at)
	switch {
	case errors.Is(err, history.ErrNotFound):
		page.Deleted = true
	case err != nil:
		page.Problem = err.Error()
	default:
		b := valuesPerPage / 2
		page.Body, page.Size = pretty(version.Body, &b)
		page.BodyLink = env.Path(c.base) + "object/body" + r.query(map[string]string{"at": at.UTC().Format(time.RFC3339Nano), "used": "", "uses": "", "before": ""})
	}
	page.Name = v.Title
	for i := range changes {
		v := versionView{changeView: env.change(c.base, &changes[i], fieldsPerVersion, nil)}
		v.AsOf = r.query(map[string]string{"at": changes[i].At.UTC().Format(time.RFC3339Nano), "used": "", "uses": ""})
		page.Versions = append(page.Versions, v)
	}
	if more {
		page.Older = r.query(map[string]string{"before": seqText(changes[len(changes)-1].Seq)})
	}
	page.Used = usesView{Asked: isUsed, Link: r.query(map[string]string{"used": "1", "uses": ""})}
	page.Uses = usesView{Asked: uses, Link: r.query(map[string]string{"uses": "1", "used": ""})}
	if r.begun {
		page.Used.referrers(r.ctx, c.base, env, h, o)
		page.Uses.references(r.ctx, c.base, env, h, o)
	}
	return r.render(http.StatusOK, "object", v, page)
}

// A versionView is a change of an object with the address of what the object was then.
type versionView struct {
	changeView
	AsOf string
}

// versions returns the changes of an object, newest first, and whether there are more.
func versions(ctx context.Context, h *history.History, o asked, before uint64) (changes []history.Change, more bool, err error) {
	q := history.Query{Types: []string{o.typeName}, ID: o.id, Newest: true, Imported: true, BeforeSeq: before, Limit: versionsPerPage + 1}
	for c, err := range h.Changes(ctx, q) {
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, c)
	}
	if more = len(changes) > versionsPerPage; more {
		changes = changes[:versionsPerPage]
	}
	return changes, more, nil
}

// referrers asks where an object is used.
func (u *usesView) referrers(ctx context.Context, base string, env *envView, h *history.History, o asked) {
	if !u.Asked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for ref, err := range h.Referrers(ctx, o.typeName, o.id, &history.ReferenceOptions{At: o.at}) {
		if errors.Is(err, history.ErrTrimmed) {
			continue
		}
		if err != nil {
			u.Problem = problem(err)
			return
		}
		if len(u.Uses) == referencesPerPage {
			u.More = true
			return
		}
		u.Uses = append(u.Uses, env.reference(base, ref.From, ref.Paths))
	}
}

// references asks what an object refers to.
func (u *usesView) references(ctx context.Context, base string, env *envView, h *history.History, o asked) {
	if !u.Asked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	refs, err := h.References(ctx, o.typeName, o.id, &history.ReferenceOptions{At: o.at})
	if err != nil {
		u.Problem = problem(err)
		return
	}
	u.More = len(refs) > referencesPerPage
	for _, ref := range refs[:min(len(refs), referencesPerPage)] {
		v := env.reference(base, ref.To, ref.Paths)
		v.Gone = !ref.Live
		u.Uses = append(u.Uses, v)
	}
}

// problem puts the error of a question into words.
func problem(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("The answer takes more than %s; ask the history itself.", span(askFor))
	}
	return err.Error()
}

// body sends the whole body of an object as a file, because a page has a bound.
func (c *console) body(r *request) error {
	env, h, err := r.environment()
	if err != nil {
		return err
	}
	o, err := r.asked(env)
	if err != nil {
		return err
	}
	if o.at.IsZero() {
		o.at = env.now()
	}
	version, err := h.ObjectAsOf(r.ctx, o.typeName, o.id, o.at)
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/json")
	r.w.Header().Set("Content-Disposition", `attachment; filename="object.json"`)
	_, err = r.w.Write(version.Body)
	return err
}
