package history

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

var auditModels = map[string]Model{
	"queues":   {AuditService: "ContactCenter"},
	"members":  {Parent: "queues", AuditService: "ContactCenter"},
	"presence": {},
}

// An auditWorld is an org with queues and their members that people edit, whose audits come late and in
// any order. It knows who did what.
type auditWorld struct {
	t       *testing.T
	r       *rand.Rand
	h       *History
	store   *faultyStore
	now     time.Time
	objects map[objectKey]*auditObject
	records []delayedRecord // as they were written
	read    time.Time       // until when the audits were read
	made    int             // records
	people  int

	acts     map[string]*auditAct // by the id of its record
	expected map[objectKey][]expectedWho
}

type auditObject struct {
	fields map[string]int
	isGone bool
	seen   map[string]int // nil before it was observed
	edits  []*auditAct    // since it was observed
}

type auditAct struct {
	actor, field string // field "" for creation and deletion
	at           time.Time
	isShown      bool // a change shows it
}

type expectedWho struct {
	actors []string
	seenAt time.Time
}

type delayedRecord struct {
	Evidence
	arrives time.Time
}

func newAuditWorld(t *testing.T, seed uint64, people int) *auditWorld {
	t.Helper()
	w := &auditWorld{
		t: t, r: rand.New(rand.NewPCG(seed, 7)), store: &faultyStore{Store: memory.New()}, now: joinDay, people: people,
		objects: map[objectKey]*auditObject{}, acts: map[string]*auditAct{}, expected: map[objectKey][]expectedWho{},
	}
	w.open(auditModels)
	for q := range 6 {
		queue := fmt.Sprint("q", q)
		w.objects[objectKey{"queues", queue}] = &auditObject{fields: map[string]int{"a": 0, "b": 0, "c": 0}}
		for u := range 3 {
			w.objects[objectKey{"members", fmt.Sprint(queue, "/u", u)}] = &auditObject{fields: map[string]int{"ring": 1}}
		}
	}
	return w
}

// open opens the history anew, as a process that starts does.
func (w *auditWorld) open(models map[string]Model) {
	w.h = open(w.t, w.store, &Options{Models: models, Clock: func() (time.Time, time.Time, bool) { return w.now, w.now, true }})
}

func (w *auditWorld) pick(typeName string) (objectKey, *auditObject) {
	var keys []objectKey
	for k, o := range w.objects {
		if k.typeName == typeName && !o.isGone {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return objectKey{}, nil
	}
	slices.SortFunc(keys, func(x, y objectKey) int { return strings.Compare(x.id, y.id) })
	k := keys[w.r.IntN(len(keys))]
	return k, w.objects[k]
}

// act lets somebody do something.
func (w *auditWorld) act() {
	actor := fmt.Sprint("person", w.r.IntN(w.people))
	switch n := w.r.IntN(20); {
	case n == 0:
		id := fmt.Sprint("new", w.made)
		o := &auditObject{fields: map[string]int{"a": 0, "b": 0, "c": 0}}
		w.objects[objectKey{"queues", id}] = o
		w.record(o, actor, "", Evidence{Object: id, Action: "Create"})
	case n == 1:
		if k, o := w.pick("queues"); o != nil && strings.HasPrefix(k.id, "new") {
			o.isGone = true
			w.record(o, actor, "", Evidence{Object: k.id, Action: "Delete"})
		}
	case n < 5: // the service writes, and nothing that is compared moves
		k, _ := w.pick("queues")
		property := []string{"version", "a", "b", "c"}[w.r.IntN(4)]
		w.emit(Evidence{Object: k.id, Action: "Update", System: true, Properties: []string{property}, Actor: Actor{ID: "service"}})
	case n < 9:
		k, o := w.pick("members")
		o.fields["ring"] = 1 + w.r.IntN(5)
		parent, user, _ := strings.Cut(k.id, "/")
		w.record(o, actor, "ring", Evidence{Object: parent, Action: "Update", Targets: []Target{{"members", k.id, parent, user}}})
	default:
		k, o := w.pick("queues")
		field := string(rune('a' + w.r.IntN(3)))
		o.fields[field] = w.r.IntN(3)
		w.record(o, actor, field, Evidence{Object: k.id, Action: "Update", Properties: []string{field}})
	}
}

func (w *auditWorld) record(o *auditObject, actor, field string, e Evidence) {
	act := &auditAct{actor: actor, field: field, at: w.now}
	o.edits = append(o.edits, act)
	e.Actor = Actor{ID: actor, Name: "Name of " + actor}
	w.acts[w.emit(e)] = act
}

func (w *auditWorld) emit(e Evidence) string {
	w.made++
	e.ID, e.At, e.Entity = fmt.Sprint("r", w.made), w.now, "Queue"
	if e.Targets == nil {
		e.Targets = []Target{{Type: "queues", ID: e.Object}}
	}
	w.records = append(w.records, delayedRecord{e, w.now.Add(time.Duration(w.r.IntN(540)) * time.Second)})
	return e.ID
}

// observed notes what a pass has seen of an object, and who made what it shows.
func (w *auditWorld) observed(k objectKey, o *auditObject) {
	var actors []string
	isChanged := o.seen != nil && o.isGone
	for _, a := range o.edits {
		if isShown := a.field == "" && (o.seen == nil || o.isGone) || a.field != "" && o.seen != nil && !o.isGone && o.seen[a.field] != o.fields[a.field]; isShown {
			a.isShown, isChanged = true, true
			if !slices.Contains(actors, a.actor) {
				actors = append(actors, a.actor)
			}
		}
	}
	if o.seen == nil {
		isChanged = len(o.edits) > 0
	}
	if isChanged {
		slices.Sort(actors)
		w.expected[k] = append(w.expected[k], expectedWho{actors, w.now})
	}
	o.edits, o.seen = nil, map[string]int{}
	maps.Copy(o.seen, o.fields)
	if o.isGone {
		delete(w.objects, k)
	}
}

// pass makes a pass, while which time goes on and people edit.
func (w *auditWorld) pass(typeName string) {
	p, err := w.h.Begin(w.t.Context(), typeName, diff.Rules{})
	require.NoError(w.t, err)
	var keys []objectKey
	for k := range w.objects {
		if k.typeName == typeName {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y objectKey) int { return strings.Compare(x.id, y.id) })
	seen := map[string]bool{}
	for _, k := range keys {
		o := w.objects[k]
		if o.isGone {
			continue
		}
		parent, _, _ := strings.Cut(k.id, "/")
		body := fmt.Sprintf(`{"id":%q,"a":%d,"b":%d,"c":%d,"ring":%d}`, k.id, o.fields["a"], o.fields["b"], o.fields["c"], o.fields["ring"])
		require.NoError(w.t, p.Observe(w.t.Context(), Object{ID: k.id, Name: k.id, Parent: parent, Body: []byte(body)}))
		seen[k.id] = true
		w.observed(k, o)
		w.later(time.Duration(w.r.IntN(3000)) * time.Millisecond)
	}
	absences, err := p.Settle(w.t.Context(), Walk{Complete: true})
	require.NoError(w.t, err)
	for _, a := range absences {
		k := objectKey{typeName, a.ID}
		require.NoError(w.t, p.Remove(w.t.Context(), a.ID))
		w.observed(k, w.objects[k])
	}
	_, err = p.End(w.t.Context())
	require.NoError(w.t, err)
}

// later lets time go on. Once in about three minutes somebody does something.
func (w *auditWorld) later(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		step := min(end.Sub(w.now), time.Duration(1+w.r.IntN(2000))*time.Millisecond)
		w.now = w.now.Add(step)
		if w.r.Float64() < step.Seconds()/200 {
			w.act()
		}
	}
}

// tail reads the audits, ten minutes of them again, in any order, and is killed at times.
func (w *auditWorld) tail() {
	since := w.read.Add(-10 * time.Minute)
	if w.read.IsZero() {
		since = w.now.Add(-time.Hour)
	}
	var records []Evidence
	for _, e := range w.records {
		if !e.arrives.After(w.now) && !e.At.Before(since) {
			records = append(records, e.Evidence)
		}
	}
	w.r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	fault, made := error(nil), w.r.IntN(2) == 0
	if w.r.IntN(6) == 0 {
		fault = errStore
	}
	w.store.set(func() (error, bool) { return fault, made })
	err := w.h.Attribute(w.t.Context(), AuditsRead{Records: records, Read: map[string]Span{"": {since, w.now}}}, func(b *storage.Batch) error {
		b.Put("cursor", []byte(w.now.Format(time.RFC3339Nano)))
		return nil
	})
	w.store.set(nil)
	if err != nil {
		require.ErrorIs(w.t, err, errStore)
		w.open(w.h.opts.Models)
	}
	if text, err := w.store.Get(w.t.Context(), "cursor"); err == nil {
		w.read, err = time.Parse(time.RFC3339Nano, string(text))
		require.NoError(w.t, err)
	} else {
		require.True(w.t, errors.Is(err, storage.ErrNotFound))
	}
}

// run lives through some days of passes and readings, and then two quiet ones.
func (w *auditWorld) run(days int) {
	w.pass("queues")
	w.pass("members")
	w.tail()
	minutes := days * 24 * 60
	for m := range minutes {
		w.later(time.Minute)
		if m%37 == 0 {
			w.pass("queues")
		}
		if m%61 == 0 {
			w.pass("members")
		}
		if m%10 == 0 {
			w.tail()
		}
	}
	w.pass("queues")
	w.pass("members")
	w.now = w.now.Add(time.Minute)
	for range 60 {
		w.tail()
		w.now = w.now.Add(time.Hour)
	}
	w.pass("queues")
	w.pass("members")
	w.tail()
}

// A whoScore says how attributions compare with who did it.
type whoScore struct{ settled, exact, several, wrong, missed int }

// score compares the attributions with what people did. Wrong is one that names somebody who did none of
// what a change shows, or one alone of several who did; missed is a change of a person that names nobody.
func (w *auditWorld) score(of func(Change) *Attribution) (s whoScore) {
	found := map[objectKey][]Change{}
	for c, err := range w.h.Changes(w.t.Context(), Query{}) {
		require.NoError(w.t, err)
		found[objectKey{c.Type, c.ID}] = append(found[objectKey{c.Type, c.ID}], c)
	}
	for k, changes := range found {
		require.Len(w.t, changes, len(w.expected[k]), "%v", k)
		for i, c := range changes {
			a, want := of(c), w.expected[k][i]
			if a == nil || !a.Settled {
				continue
			}
			s.settled++
			var got []string
			for _, actor := range a.Actors {
				got = append(got, actor.ID)
			}
			slices.Sort(got)
			isIn := func(actor string) bool { return slices.Contains(got, actor) }
			switch {
			case slices.Equal(got, want.actors):
				s.exact++
			case len(want.actors) > 0 && len(got) == 0:
				s.missed++
			case isIn("service"):
				s.wrong++
			case a.Status == WhoSeveral && !slices.ContainsFunc(want.actors, func(actor string) bool { return !isIn(actor) }):
				s.several++
			default:
				s.wrong++
			}
		}
	}
	return s
}

// unsettled counts the facts that are not settled.
func unsettled(t *testing.T, h *History) (n int) {
	t.Helper()
	for e, err := range h.store.Scan(t.Context(), h.keys.below("fact")) {
		require.NoError(t, err)
		if !strings.Contains(string(e.Value), `"settled":true`) {
			n++
		}
	}
	return n
}

// Nobody is named who did not do it, although audits are late, unordered and given twice, and processes
// die. The same test fails joins that are broken on purpose.
func TestAttributionsOfAWorld(t *testing.T) {
	t.Parallel()
	for seed := range seeds(1) {
		w := newAuditWorld(t, seed, 5)
		w.run(1)
		s := w.score(func(c Change) *Attribution { return c.Who })
		st, _, err := w.h.auditState(t.Context())
		require.NoError(t, err)
		t.Logf("seed %d: %+v, tally %+v", seed, s, st.Tally)
		require.NoError(t, s.check())
		require.Greater(t, s.settled, 150)
		require.Positive(t, st.Tally.Corrected)
		require.Equal(t, unsettled(t, w.h), st.Tally.Pending)
		undetected := 0
		for u, err := range w.h.Undetected(t.Context(), time.Time{}) {
			require.NoError(t, err)
			undetected++
			require.False(t, w.acts[u.ID].isShown, "%+v is in a change", u)
		}
		require.Positive(t, undetected)
		require.EqualValues(t, st.Tally.Undetected, undetected)

		same := func(*fact, *Evidence) {}
		require.NoError(t, w.score(w.mutant(same, nil)).check(), "no mutant")
		for name, mutant := range map[string]func(Change) *Attribution{
			"drop the span":         w.mutant(func(f *fact, _ *Evidence) { f.After, f.At = time.Time{}, f.At.Add(1000*time.Hour) }, nil),
			"ignore the level":      w.mutant(func(_ *fact, e *Evidence) { e.System = false }, nil),
			"take the first record": w.mutant(same, func(v *verdict) { v.chosen = v.chosen[:min(1, len(v.chosen))] }),
			"take all":              w.mutant(same, func(v *verdict) { v.chosen = v.candidates }),
			"swap members and queue": w.mutant(func(_ *fact, e *Evidence) {
				for i, t := range e.Targets {
					e.Targets[i] = Target{Type: map[string]string{"queues": "members", "members": "queues"}[t.Type], ID: e.Object}
				}
			}, nil),
			"ignore the object": w.mutant(func(_ *fact, e *Evidence) { e.Targets = []Target{{Type: "queues"}, {Type: "members"}} }, nil),
		} {
			require.Error(t, w.score(mutant).check(), name)
		}
	}
}

func (s whoScore) check() error {
	if s.wrong > 0 || s.missed > 0 || s.exact < 19*s.several {
		return fmt.Errorf("%+v", s)
	}
	return nil
}

// mutant returns how changes are attributed by a join whose input and verdicts are spoilt.
func (w *auditWorld) mutant(spoil func(*fact, *Evidence), bias func(*verdict)) func(Change) *Attribution {
	chains := map[objectKey][]fact{}
	for c, err := range w.h.Changes(w.t.Context(), Query{}) {
		require.NoError(w.t, err)
		parent, _, _ := strings.Cut(c.ID, "/")
		f := fact{Seq: c.Seq, Type: c.Type, ID: c.ID, Parent: parent, Kind: c.Kind, After: c.After, At: c.At}
		for _, field := range c.Fields {
			f.Paths = append(f.Paths, field.Path)
		}
		chains[objectKey{c.Type, c.ID}] = append(chains[objectKey{c.Type, c.ID}], f)
	}
	var records []*keptRecord
	for _, e := range w.records {
		kept := &keptRecord{Evidence: e.Evidence}
		kept.Targets = slices.Clone(kept.Targets)
		spoil(&fact{}, &kept.Evidence)
		records = append(records, kept)
	}
	found := map[uint64]*Attribution{}
	for k, facts := range chains {
		for i := range facts {
			spoil(&facts[i], &Evidence{})
		}
		for i, v := range join(auditModels[k.typeName].Parent, facts, records) {
			if bias != nil {
				bias(&v)
			}
			a := v.attribution(facts[i].Seq)
			a.Settled = true
			found[a.Seq] = &a
		}
	}
	return func(c Change) *Attribution { return found[c.Seq] }
}
