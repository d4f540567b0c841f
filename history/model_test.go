package history

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/memory"
)

var leastSeeds = flag.Uint64("seeds", 0, "worlds for each test of random ones, if that is more than it takes by itself")

// seeds are those of the worlds of a test that takes some by itself.
func seeds(some uint64) uint64 { return max(some, *leastSeeds) }

// The model is a plain map of versions. It learns what was recorded from the
// log itself, and holds the log to the world: an entry must be a difference
// between what the model knew and what the world is, and after a pass that
// ended none may be left. All answers about the past must then be the model's.
func TestModel(t *testing.T) {
	for seed := range seeds(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed, memory.New()).run(60) })
		})
	}
	t.Run("file", func(t *testing.T) {
		s, err := file.Open(t.TempDir()+"/store", nil)
		require.NoError(t, err)
		defer s.Close()
		synctest.Test(t, func(t *testing.T) { newModel(t, 1000, s).run(20) })
	})
}

// A thing is an object of the world.
type thing struct {
	name     string
	n, extra int
	tags     []string
	members  []int // ids
	rank     map[int]int
	version  int // moves with all above
	noise    int // moves by itself
	hasNoise bool
}

// A modelVersion is the state of an object after an entry of the log.
type modelVersion struct {
	seq    uint64
	at     time.Time
	kind   Kind
	live   bool
	doc    string // canonical
	shape  string
	hidden bool
}

type modelObject struct {
	versions []modelVersion // oldest first
	raw      string         // stored body
	walks    int            // complete walks that missed it
}

func (o *modelObject) newest() modelVersion { return o.versions[len(o.versions)-1] }

type model struct {
	t       *testing.T
	rnd     *rand.Rand
	store   *faultyStore
	hs      []*History // several, as several processes have
	world   map[string]map[string]*thing
	objects map[string]map[string]*modelObject
	shapes  []diff.Rules
	shape   map[string]diff.Rules // now, of each type
	cursor  uint64
	passed  map[string]bool // types with a complete pass
	kept    time.Duration   // smallest MaxAge of a Trim so far
	trimmed bool
	counted bool // a Trim by count has run, so the window is no longer whole
	nextID  int
	began   time.Time

	comparers map[string]*diff.Comparer
}

var modelTypes = []string{"routing.queues", "users"} // a user has no GET, and a marker

func newModel(t *testing.T, seed uint64, s storage.Store) *model {
	t.Helper()
	m := &model{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), store: &faultyStore{Store: s},
		world: map[string]map[string]*thing{}, objects: map[string]map[string]*modelObject{}, shape: map[string]diff.Rules{},
		passed: map[string]bool{}, kept: 1 << 62, began: time.Now(), comparers: map[string]*diff.Comparer{},
		shapes: []diff.Rules{
			{Ignore: []string{"noise"}, Sets: []string{"tags"}},
			{Ignore: []string{"noise", "n"}, Sets: []string{"tags"}},
			{Ignore: []string{"noise", "members.rank", "extra.**"}},
			{Ignore: []string{"n", "version"}, Sets: []string{"tags", "members"}},
		},
	}
	for _, typeName := range modelTypes {
		m.world[typeName], m.objects[typeName], m.shape[typeName] = map[string]*thing{}, map[string]*modelObject{}, m.shapes[0]
	}
	m.restart()
	return m
}

func (m *model) restart() {
	m.hs = nil
	for range 2 {
		m.hs = append(m.hs, open(m.t, m.store, &Options{BatchObjects: 1 + m.rnd.IntN(6)}))
	}
}

func (m *model) history() *History { return m.hs[m.rnd.IntN(len(m.hs))] }

func (m *model) run(steps int) {
	for range steps {
		m.edit()
		tick()
		typeName := modelTypes[m.rnd.IntN(len(modelTypes))]
		switch m.rnd.IntN(12) {
		case 0:
			m.restart()
		case 1:
			m.shape[typeName] = m.shapes[m.rnd.IntN(len(m.shapes))]
		case 2:
			m.trim()
		default:
			m.pass(typeName)
		}
		m.checkNow()
	}
	m.checkPast()
}

// edit changes the world a little.
func (m *model) edit() {
	for _, typeName := range modelTypes {
		things := m.world[typeName]
		for range m.rnd.IntN(5) {
			m.nextID++
			id := fmt.Sprintf("id/%d", m.nextID)
			if m.rnd.IntN(3) == 0 { // one that was there before, perhaps
				id = fmt.Sprintf("id/%d", 1+m.rnd.IntN(m.nextID))
			}
			if things[id] == nil {
				things[id] = &thing{name: "thing " + id, rank: map[int]int{}, version: m.nextID * 1000}
			}
		}
		ids := slices.Sorted(maps.Keys(things))
		for range min(len(ids), m.rnd.IntN(4)) {
			m.change(things[ids[m.rnd.IntN(len(ids))]])
		}
		if m.rnd.IntN(3) == 0 && len(ids) > 3 {
			delete(things, ids[m.rnd.IntN(len(ids))])
		}
		if m.rnd.IntN(20) == 0 { // a sudden drop
			for _, id := range ids[len(ids)/2:] {
				delete(things, id)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(things)) {
			th := things[id]
			th.noise, th.hasNoise = m.rnd.IntN(3), m.rnd.IntN(4) > 0
		}
	}
}

func (m *model) change(th *thing) {
	th.version++
	switch m.rnd.IntN(6) {
	case 0:
		th.n++
	case 1:
		th.extra = m.rnd.IntN(3)
	case 2:
		th.tags = append(th.tags, fmt.Sprintf("t%d", len(th.tags)))
	case 3:
		th.members = slices.Insert(th.members, m.rnd.IntN(len(th.members)+1), th.version)
	case 4:
		if len(th.members) > 0 {
			i := m.rnd.IntN(len(th.members))
			th.members = slices.Delete(th.members, i, i+1)
		}
	case 5:
		for _, id := range th.members {
			th.rank[id] = m.rnd.IntN(3)
		}
	}
}

// body writes a thing in one of many ways.
func (m *model) body(id string, th *thing) []byte {
	number := func(n int) string {
		return fmt.Sprintf([]string{"%d", "%d.0", "%de0"}[m.rnd.IntN(3)], n)
	}
	var members, tags []string
	for _, x := range th.members {
		members = append(members, fmt.Sprintf(`{"id":"m%d","rank":%s}`, x, number(th.rank[x])))
	}
	for _, x := range th.tags {
		tags = append(tags, fmt.Sprintf("%q", x))
	}
	m.rnd.Shuffle(len(tags), func(i, j int) {
		if slices.Contains(m.shape["routing.queues"].Sets, "tags") && slices.Contains(m.shape["users"].Sets, "tags") {
			tags[i], tags[j] = tags[j], tags[i]
		}
	})
	fields := []string{
		fmt.Sprintf(`"id":%q`, id), fmt.Sprintf(`"name":%q`, th.name), `"n":` + number(th.n),
		`"members":[` + strings.Join(members, ", ") + `]`, `"tags":[` + strings.Join(tags, ",") + `]`,
	}
	if th.extra > 0 {
		fields = append(fields, fmt.Sprintf(`"extra":{"deep":{"x":%d},"null":null}`, th.extra))
	}
	if th.hasNoise {
		fields = append(fields, fmt.Sprintf(`"noise":%d`, th.noise))
	}
	m.rnd.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return []byte("{" + strings.Join(fields, ",") + "}")
}

// pass makes a pass that may be complete, not complete, abandoned or killed,
// and lets the model learn from it.
func (m *model) pass(typeName string) {
	t, h := m.t, m.history()
	kill := m.rnd.IntN(3) == 0
	if kill {
		left, made := m.rnd.IntN(5), m.rnd.IntN(2) == 0
		m.store.set(func() (error, bool) {
			if left--; left < 0 {
				return errStore, made
			}
			return nil, false
		})
	}
	started := time.Now()
	seen := map[string][]byte{}
	sum, err := m.walk(h, typeName, m.rnd.IntN(4) > 0, seen)
	m.store.set(nil)
	if !kill {
		require.NoError(t, err)
	} else if err != nil {
		require.ErrorIs(t, err, errStore)
	}
	m.learn(typeName, started, seen)
	if err != nil || sum.Ended.IsZero() {
		m.learnMissing(h, typeName, seen)
		r, err := h.passRecord(t.Context(), typeName)
		require.NoError(t, err)
		m.passed[typeName] = !r.Completed.IsZero() // the store may have stored it and failed
		return
	}
	m.judge(typeName, sum, seen)
}

// walk runs a pass over a type. An empty Summary is that of one that was abandoned.
func (m *model) walk(h *History, typeName string, complete bool, seen map[string][]byte) (sum Summary, err error) {
	ctx, t := m.t.Context(), m.t
	p, err := h.Begin(ctx, typeName, m.shape[typeName])
	require.NoError(t, err)
	abandon := m.rnd.IntN(10) == 0
	for _, id := range slices.Sorted(maps.Keys(m.world[typeName])) {
		if !complete && m.rnd.IntN(3) == 0 {
			continue
		}
		if abandon && m.rnd.IntN(8) == 0 {
			return sum, nil
		}
		th := m.world[typeName][id]
		o := Object{ID: id, Name: th.name, Body: m.body(id, th)}
		if typeName == "users" {
			o.Marker = strconv.Itoa(th.version)
			if marker, known := p.Marker(id); known && marker == o.Marker {
				require.NoError(t, p.Keep(id))
				seen[id] = nil
				continue
			}
		}
		seen[id] = o.Body
		if err := p.Observe(ctx, o); err != nil {
			return sum, err
		}
		if m.rnd.IntN(10) == 0 {
			tick()
		}
	}
	absences, err := p.Settle(ctx, Walk{Complete: complete, Reason: "page lost"})
	if err != nil {
		return sum, err
	}
	for _, a := range absences {
		require.Nil(t, m.world[typeName][a.ID])
		require.Equal(t, m.objects[typeName][a.ID].walks, a.Missed)
		require.Equal(t, a.Missed > 0, a.Confirmed)
		if typeName == "users" && !a.Confirmed {
			continue
		}
		if err := p.Remove(ctx, a.ID); err != nil {
			return sum, err
		}
	}
	return p.End(ctx)
}

// learn reads what the pass has recorded, checks it and adds it to the model.
func (m *model) learn(typeName string, started time.Time, seen map[string][]byte) {
	t, h := m.t, m.history()
	r, err := h.frameRange(t.Context(), Query{AfterSeq: m.cursor})
	require.NoError(t, err)
	for f, err := range h.frames(t.Context(), r, anyType) {
		require.NoError(t, err)
		for _, e := range f.records {
			if e.Seq <= m.cursor {
				continue
			}
			require.Equal(t, m.cursor+1, e.Seq, "no gaps, as nothing was trimmed meanwhile")
			m.cursor = e.Seq
			require.Equal(t, typeName, e.typeName)
			require.False(t, e.at.Before(started) || e.at.After(time.Now()))
			require.True(t, e.After.Before(e.at))
			m.learnEntry(h, e, seen)
		}
	}
	for hd, err := range h.heads(t.Context(), typeName) {
		require.NoError(t, err)
		require.Equal(t, m.objects[typeName][hd.id].newest().shape, hd.Rules)
	}
}

// learnMissing reads what a pass that did not end has noted about absences.
func (m *model) learnMissing(h *History, typeName string, seen map[string][]byte) {
	t := m.t
	noted := map[string]int{}
	for x, err := range h.missing(t.Context(), typeName) {
		require.NoError(t, err)
		noted[x.id] = x.Walks
	}
	for id, o := range m.objects[typeName] {
		if _, observed := seen[id]; observed {
			require.Contains(t, []int{0, o.walks}, noted[id])
		} else if o.newest().live {
			require.Contains(t, []int{o.walks, o.walks + 1}, noted[id])
		}
		o.walks = noted[id]
	}
}

func (m *model) learnEntry(h *History, e record, seen map[string][]byte) {
	t, objects := m.t, m.objects[e.typeName]
	body, observed := seen[e.ID]
	o := objects[e.ID]
	v := modelVersion{seq: e.Seq, at: e.at, kind: e.Kind, live: true, hidden: e.hidden(), shape: m.fingerprint(m.shape[e.typeName])}
	if e.Kind == KindDeleted {
		require.NotNil(t, o)
		require.True(t, o.newest().live)
		require.False(t, observed, "what is there was not deleted")
		v.live, v.doc, v.shape = false, o.newest().doc, o.newest().shape
		o.versions = append(o.versions, v)
		return
	}
	require.NotNil(t, body, "only what was observed changes")
	v.doc = m.canonical(m.shape[e.typeName], body)
	if o == nil {
		require.Equal(t, m.passed[e.typeName], e.Kind == KindCreated)
		require.Equal(t, !m.passed[e.typeName], e.Kind == KindImported)
		objects[e.ID] = &modelObject{versions: []modelVersion{v}, raw: string(body)}
		return
	}
	old := o.newest()
	both := m.union(h, old.shape, v.shape)
	before, err := both.Canonical(nil, []byte(o.raw))
	require.NoError(t, err)
	after, err := both.Canonical(nil, body)
	require.NoError(t, err)
	if e.Kind == KindRestored {
		require.False(t, old.live)
	} else {
		require.True(t, old.live)
		require.Equal(t, string(before) == string(after), e.hidden(), "a change if and only if something compared differs")
		require.False(t, e.hidden() && old.shape == v.shape, "an entry for nothing")
	}
	got, err := diff.Apply(before, e.Fields)
	require.NoError(t, err)
	require.Equal(t, string(after), string(got))
	if e.Before != nil {
		require.Equal(t, old.doc, string(e.Before))
	} else {
		got, err = diff.Apply([]byte(old.doc), e.step())
		require.NoError(t, err)
		require.Equal(t, v.doc, string(got))
	}
	o.versions = append(o.versions, v)
	o.raw = string(body)
}

// waits reports whether no pass could decide yet about what came or went in an object.
func (m *model) waits(typeName, id string) bool {
	hd, found, err := m.history().head(m.t.Context(), typeName, id)
	require.NoError(m.t, err)
	return found && hd.Waits != nil
}

// judge holds a pass that ended to the world: nothing may be missed.
func (m *model) judge(typeName string, sum Summary, seen map[string][]byte) {
	t := m.t
	require.Equal(t, len(seen), sum.Objects)
	missingIDs := 0
	for id, o := range m.objects[typeName] {
		body, observed := seen[id]
		last := o.newest()
		switch {
		case observed:
			require.True(t, last.live)
			o.walks = 0
			if body != nil && !m.waits(typeName, id) {
				require.Equal(t, m.canonical(m.shape[typeName], body), last.doc, "missed a change of %s %s", typeName, id)
				require.Equal(t, m.fingerprint(m.shape[typeName]), last.shape)
			}
		case last.live, !last.at.Before(sum.Started):
			missingIDs++
		}
	}
	require.Equal(t, missingIDs, sum.Withheld+sum.Deleted)
	if !sum.Complete {
		require.Zero(t, sum.Deleted)
		return
	}
	m.passed[typeName] = true
	for id, o := range m.objects[typeName] {
		if _, observed := seen[id]; observed {
			continue
		}
		if o.newest().live {
			o.walks++
		} else {
			o.walks = 0
		}
	}
}

func (m *model) trim() {
	t := m.t
	r := Retention{}
	if m.rnd.IntN(4) > 0 {
		r.MaxAge = time.Duration(5+m.rnd.IntN(60)) * time.Second
		m.kept = min(m.kept, r.MaxAge)
	}
	if m.rnd.IntN(3) == 0 {
		r.MaxChanges = 1 + m.rnd.IntN(4)
		m.counted = true
	}
	// What must go, from the definition.
	cut := time.Now().Add(-r.MaxAge)
	expired := map[uint64]bool{}
	for _, objects := range m.objects {
		for _, o := range objects {
			n, next := 0, time.Time{}
			for _, v := range slices.Backward(o.versions) {
				if n > 0 && r.MaxAge > 0 && next.Before(cut) || r.MaxChanges > 0 && n >= r.MaxChanges {
					expired[v.seq] = true
				}
				if !v.hidden {
					n, next = n+1, v.at
				}
			}
		}
	}
	before := m.logged()
	h := m.history()
	plan, err := h.Trim(t.Context(), r, &TrimOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, before, m.logged())
	if m.rnd.IntN(3) == 0 { // killed
		made := m.rnd.IntN(2) == 0
		m.store.set(func() (error, bool) { return errStore, made })
		_, err := h.Trim(t.Context(), r, nil)
		m.store.set(nil)
		if err == nil {
			require.Zero(t, plan.Changes)
		}
		plan.Changes -= m.visible(before) - m.visible(m.logged())
	}
	done, err := h.Trim(t.Context(), r, nil)
	require.NoError(t, err)
	require.Equal(t, plan, done)
	var want []uint64
	for _, seq := range before {
		if !expired[seq] {
			want = append(want, seq)
		}
	}
	require.Equal(t, want, m.logged(), "%+v", r)
	m.trimmed = true
}

// logged returns the sequence numbers of all entries in the log.
func (m *model) logged() (seqs []uint64) {
	h := m.history()
	for f, err := range h.frames(m.t.Context(), h.keys.log(), anyType) {
		require.NoError(m.t, err)
		for _, e := range f.records {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// visible returns how many of some entries are changes.
func (m *model) visible(seqs []uint64) (n int) {
	for _, objects := range m.objects {
		for _, o := range objects {
			for _, v := range o.versions {
				if !v.hidden && slices.Contains(seqs, v.seq) {
					n++
				}
			}
		}
	}
	return n
}

// checkNow compares what is with the model.
func (m *model) checkNow() {
	t, h := m.t, m.history()
	for _, typeName := range modelTypes {
		var live []string
		for id, o := range m.objects[typeName] {
			if o.newest().live {
				live = append(live, id)
			}
		}
		slices.Sort(live)
		var got []string
		for hd, err := range h.Heads(t.Context(), typeName) {
			if len(m.objects[typeName]) == 0 && errors.Is(err, ErrUnknown) {
				break // no pass has read the type yet
			}
			require.NoError(t, err)
			got = append(got, hd.ID)
			body, err := h.Body(t.Context(), typeName, hd.ID)
			require.NoError(t, err)
			require.Equal(t, m.objects[typeName][hd.ID].raw, string(body))
		}
		slices.Sort(got)
		require.Equal(t, live, got)
	}
}

// checkPast asks about many times, those right at and right before entries
// among them.
func (m *model) checkPast() {
	h := m.history()
	var times []time.Time
	for _, objects := range m.objects {
		for _, o := range objects {
			for _, v := range o.versions {
				times = append(times, v.at, v.at.Add(-1))
			}
			m.checkVersions(h, o)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	window := time.Now().Add(-m.kept)
	for range 12 {
		at := times[m.rnd.IntN(len(times))]
		exact := !m.counted && (!m.trimmed || !at.Before(window))
		for _, typeName := range modelTypes {
			m.checkAsOf(h, typeName, at, exact)
		}
		b := times[m.rnd.IntN(len(times))]
		if at.After(b) {
			at, b = b, at
		}
		m.checkBetween(h, at, b, !m.counted && (!m.trimmed || !at.Before(window)))
	}
}

// stateAt returns the state of a modelled object at a time.
func (o *modelObject) stateAt(at time.Time) (v modelVersion) {
	for _, x := range o.versions {
		if !x.at.After(at) {
			v = x
		}
	}
	return v
}

// wasKnown reports whether an object of the type was recorded at a time or before.
func (m *model) wasKnown(typeName string, at time.Time) bool {
	for _, o := range m.objects[typeName] {
		if o.stateAt(at).seq > 0 {
			return true
		}
	}
	return false
}

func (m *model) checkAsOf(h *History, typeName string, at time.Time, exact bool) {
	t := m.t
	got := map[string]string{}
	trimmed := map[string]bool{}
	for v, err := range h.AsOf(t.Context(), typeName, at) {
		if errors.Is(err, ErrUnknown) {
			require.False(t, m.wasKnown(typeName, at), "%v", err)
			return
		}
		if errors.Is(err, ErrTrimmed) {
			require.False(t, exact, "%s %s at %s is inside of the window", typeName, v.ID, at)
			trimmed[v.ID] = true
			continue
		}
		require.NoError(t, err)
		got[v.ID] = string(v.Body)
	}
	for id, o := range m.objects[typeName] {
		v := o.stateAt(at)
		one, err := h.ObjectAsOf(t.Context(), typeName, id, at)
		switch {
		case trimmed[id]:
			require.ErrorIs(t, err, ErrTrimmed)
		case v.live:
			require.NoError(t, err)
			require.Equal(t, v.doc, string(one.Body))
			require.Equal(t, v.doc, got[id])
			require.False(t, one.At.After(at))
			require.True(t, one.Until.IsZero() || one.Until.After(at))
		default:
			require.ErrorIs(t, err, ErrNotFound)
			require.NotContains(t, got, id)
		}
		delete(got, id)
	}
	require.Empty(t, got)
}

func (m *model) checkVersions(h *History, o *modelObject) {
	t := m.t
	var want []modelVersion
	for _, v := range slices.Backward(o.versions) {
		if !v.hidden {
			want = append(want, v)
		}
	}
	id, typeName := m.identity(o)
	got := collect(t, h.Versions(t.Context(), typeName, id))
	require.NotEmpty(t, got, "the newest change of every object stays")
	if !m.trimmed {
		require.Len(t, got, len(want))
	}
	for i, v := range got {
		require.Equal(t, want[i].seq, v.Seq)
		require.Equal(t, want[i].at, v.At)
		if want[i].live {
			require.Equal(t, want[i].doc, string(v.Body))
		} else {
			require.Empty(t, v.Body)
		}
		if i > 0 {
			require.Equal(t, got[i-1].At, v.Until)
		}
	}
}

func (m *model) identity(o *modelObject) (id, typeName string) {
	for typeName, objects := range m.objects {
		for id, x := range objects {
			if x == o {
				return id, typeName
			}
		}
	}
	return "", ""
}

func (m *model) checkBetween(h *History, a, b time.Time, exact bool) {
	t := m.t
	got := map[string]Kind{}
	for c, err := range h.Between(t.Context(), a, b, Query{Imported: true}) {
		if errors.Is(err, ErrUnknown) {
			for _, typeName := range modelTypes {
				require.False(t, m.wasKnown(typeName, a), "%v", err)
			}
			return
		}
		if errors.Is(err, ErrTrimmed) {
			require.False(t, exact)
			got[c.Type+" "+c.ID] = "trimmed"
			continue
		}
		require.NoError(t, err)
		got[c.Type+" "+c.ID] = c.Kind
	}
	for typeName, objects := range m.objects {
		for id, o := range objects {
			x, y := o.stateAt(a), o.stateAt(b)
			kind := Kind("")
			switch {
			case x.live && !y.live:
				kind = KindDeleted
			case !y.live:
			case x.seq == 0:
				kind = o.versions[0].kind
			case !x.live:
				kind = KindRestored
			case m.differ(h, x, y):
				kind = KindUpdated
			}
			if got[typeName+" "+id] == "trimmed" {
				continue
			}
			require.Equal(t, kind, got[typeName+" "+id], "%s %s between %s and %s", typeName, id, a, b)
		}
	}
}

func (m *model) differ(h *History, x, y modelVersion) bool {
	both := m.union(h, x.shape, y.shape)
	a, err := both.Canonical(nil, []byte(x.doc))
	require.NoError(m.t, err)
	b, err := both.Canonical(nil, []byte(y.doc))
	require.NoError(m.t, err)
	return string(a) != string(b)
}

func (m *model) union(h *History, a, b string) *diff.Comparer {
	m.t.Helper()
	c, err := h.union(m.t.Context(), a, b)
	require.NoError(m.t, err)
	return c
}

func (m *model) fingerprint(s diff.Rules) string { return m.comparer(s).Fingerprint() }

func (m *model) comparer(s diff.Rules) *diff.Comparer {
	key := fmt.Sprint(s)
	if m.comparers[key] == nil {
		c, err := diff.Compile(s)
		require.NoError(m.t, err)
		m.comparers[key] = c
	}
	return m.comparers[key]
}

func (m *model) canonical(s diff.Rules, body []byte) string {
	doc, err := m.comparer(s).Canonical(nil, body)
	require.NoError(m.t, err)
	return string(doc)
}
