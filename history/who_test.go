package history

import (
	"fmt"
	"hash/crc32"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// An audited history whose clock the test moves.
type audited struct {
	*History
	t     *testing.T
	store *faultyStore
	now   time.Time
	read  time.Time
	batch int // objects of a commit; 0 for the default
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	a := &audited{t: t, store: &faultyStore{Store: memory.New()}, now: joinDay}
	a.open()
	return a
}

func (a *audited) open() {
	a.History = open(a.t, a.store, &Options{
		Models: auditModels, BatchObjects: a.batch, Clock: func() (time.Time, time.Time, bool) { return a.now, a.now, true },
	})
}

// see makes a pass, an hour after the last thing that happened.
func (a *audited) see(typeName string, objects ...Object) {
	a.now = a.now.Add(time.Hour)
	passOver(a.t, a.History, typeName, diff.Rules{}, Walk{Complete: true}, objects...)
}

// audit hands in records, of all that was done until now.
func (a *audited) audit(records ...Evidence) error {
	since := a.read
	if since.IsZero() {
		since = joinDay
	}
	err := a.Attribute(a.t.Context(), AuditsRead{Records: records, Read: map[string]Span{"": {since, a.now}}}, nil)
	if err == nil {
		a.read = a.now
	}
	return err
}

// did is a record of somebody's update of a queue, some minutes ago.
func (a *audited) did(actor, queue string, minutes int) Evidence {
	at := a.now.Add(-time.Duration(minutes) * time.Minute)
	return Evidence{
		ID: fmt.Sprint(at.Unix(), "-", crc32.ChecksumIEEE([]byte(actor))), At: at, Targets: []Target{{Type: "queues", ID: queue}}, Entity: "Queue", Object: queue, Name: "name of " + queue,
		Action: "Update", Actor: Actor{ID: actor, Name: "Name of " + actor}, Properties: []string{"n"},
	}
}

func (a *audited) who(q Query) []string {
	var all []string
	for c, err := range a.Changes(a.t.Context(), q) {
		require.NoError(a.t, err)
		text := "-"
		if c.Who != nil {
			text = shownWho(*c.Who)
			if !c.Who.Settled {
				text += "?"
			}
		}
		all = append(all, c.ID+": "+text)
	}
	return all
}

// Whoever reads audits for the first time learns who made what was recorded since they begin, in one
// call or in several, and whatever was recorded before that.
func TestWhoOfChangesBeforeTheFirstReading(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{0, 1, 3} {
		for _, older := range []bool{false, true} {
			t.Run(fmt.Sprint(batch, older), func(t *testing.T) {
				t.Parallel()
				a := newAudited(t)
				a.batch = batch
				a.open()
				n := 0
				see := func() {
					n++
					a.see("queues", obj("q1", fmt.Sprintf(`"n":%d`, n)), obj("q2", fmt.Sprintf(`"n":%d`, n)))
				}
				see()
				var want []string
				if older {
					see()
					a.read = a.now.Add(time.Second) // the audits begin here
					want = []string{"q1: -", "q2: -"}
					a.see("queues", obj("q1", `"n":2`), obj("q2", `"n":2`))
				}
				var records []Evidence
				for range 5 {
					see()
					records = append(records, a.did("ann", "q1", 30), a.did("bob", "q2", 20))
					want = append(want, "q1: attributed ann?", "q2: attributed bob?")
				}
				require.NoError(t, a.audit(records...))
				require.Equal(t, want, a.who(Query{}))
			})
		}
	}
}

func TestWhoOfChanges(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`), obj("q2", `"n":1`))
	a.see("presence", obj("p", `"n":1`))
	a.see("queues", obj("q1", `"n":2`), obj("q2", `"n":1`))
	a.read = a.now.Add(time.Minute) // audits are read from here on
	a.see("queues", obj("q1", `"n":2`), obj("q2", `"n":1`))
	require.NoError(t, a.audit())
	require.Equal(t, []string{"q1: -"}, a.who(Query{}), "from before the audits that were read")

	a.see("queues", obj("q1", `"n":3`), obj("q2", `"n":2`))
	a.see("presence", obj("p", `"n":2`))
	require.Equal(t, []string{"q1: -", "q1: pending?", "q2: pending?", "p: unaudited"}, a.who(Query{}), "not looked at yet")
	require.NoError(t, a.audit(a.did("ann", "q1", 70), a.did("bob", "q2", 70)))
	require.Equal(t, []string{"q1: -", "q1: attributed ann?", "q2: attributed bob?", "p: unaudited"}, a.who(Query{}))
	require.Equal(t, []string{"q1: attributed ann?"}, a.who(Query{By: "ann"}))
	require.Equal(t, []string{"q2: attributed bob?"}, a.who(Query{By: "name of BOB"}))
	require.Empty(t, a.who(Query{By: "name"}))

	late := a.did("cid", "q1", 65)
	require.NoError(t, a.audit(late))
	require.Equal(t, []string{"q1: several ann cid?"}, a.who(Query{By: "ann"}), "a late one corrects it")
	st, _, err := a.auditState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, st.Tally.Corrected)

	for v, err := range a.Versions(t.Context(), "queues", "q1") {
		require.NoError(t, err)
		require.Equal(t, "several ann cid", shownWho(*v.Who))
		break
	}
	v, err := a.ObjectAsOf(t.Context(), "queues", "q2", a.now)
	require.NoError(t, err)
	require.Equal(t, "attributed bob", shownWho(*v.Who))

	between := a.now
	a.see("queues", obj("q1", `"n":4`), obj("q2", `"n":2`))
	a.see("queues", obj("q1", `"n":5`), obj("q2", `"n":2`))
	require.NoError(t, a.audit(a.did("ann", "q1", 70), a.did("dan", "q1", 10)))
	for c, err := range a.Between(t.Context(), between, a.now, Query{}) {
		require.NoError(t, err)
		require.Equal(t, "several ann dan", shownWho(*c.Who))
	}
	require.Empty(t, collect(t, a.Between(t.Context(), between, a.now, Query{By: "bob"})))

	a.now = a.now.Add(25 * time.Hour)
	require.NoError(t, a.audit())
	settled := a.who(Query{})
	require.NotContains(t, strings.Join(settled, " "), "?")
	require.NoError(t, a.audit(late, a.did("eve", "q1", 26*60)))
	late.ID, late.Actor.ID = "later", "eve"
	require.NoError(t, a.audit(late))
	require.Equal(t, settled, a.who(Query{}), "what is settled stays")
}

// What was not read does not count as read: neither what came before, nor a gap.
func TestWhoIsNotKnownInAGap(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`))
	require.NoError(t, a.audit())
	a.see("queues", obj("q1", `"n":2`))
	a.read = a.now.Add(-30 * time.Minute)
	require.NoError(t, a.audit(a.did("ann", "q1", 20)))
	require.Equal(t, []string{"q1: unaudited?"}, a.who(Query{}))
	a.see("queues", obj("q1", `"n":3`))
	require.NoError(t, a.audit())
	a.now = a.now.Add(25 * time.Hour)
	require.NoError(t, a.audit())
	require.Equal(t, []string{"q1: unaudited", "q1: none"}, a.who(Query{}))
}

// A removal that is recorded days after a complete pass missed the object has an author, and what was
// undetected until then is not any more.
func TestLateRemovalHasAnAuthor(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`), obj("q2", `"n":1`))
	require.NoError(t, a.audit())
	a.see("queues", obj("q1", `"n":1`))
	gone, other := a.did("ann", "q2", 20), a.did("bob", "q2", 90)
	gone.Action = "Delete"
	require.NoError(t, a.audit(gone, other, a.did("bob", "q1", 20)))
	a.now = a.now.Add(keepAfter + time.Hour)
	require.NoError(t, a.audit())
	require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 3)
	a.see("queues", obj("q1", `"n":1`))
	require.NoError(t, a.audit())
	require.Equal(t, []string{"q2: attributed ann?"}, a.who(Query{}))
	require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 2, "before the span, and of another object")
	tally, _, err := a.Tally(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, tally.Undetected)
	require.Equal(t, 1, tally.Pending)
	require.Equal(t, 1, unsettled(t, a.History))
	a.now = a.now.Add(keepAfter + time.Hour)
	require.NoError(t, a.audit())
	require.Equal(t, []string{"q2: attributed ann"}, a.who(Query{}))
	require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 2)
}

// What is asked for with every page of a console takes one read, however many changes are pending.
func TestTallyReadsNoFacts(t *testing.T) {
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`))
	require.NoError(t, a.audit())
	var b storage.Batch
	b.Put(a.keys.fact(1), []byte("damaged"))
	require.NoError(t, a.store.Commit(t.Context(), &b))
	_, isOn, err := a.Tally(t.Context())
	require.NoError(t, err)
	require.True(t, isOn)
}

// What is forgotten is pending no more.
func TestTallyAfterForget(t *testing.T) {
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`))
	require.NoError(t, a.audit())
	a.see("queues", obj("q1", `"n":2`))
	require.NoError(t, a.audit())
	tally, _, err := a.Tally(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, tally.Pending)
	require.NoError(t, a.Forget(t.Context(), "queues", "q1"))
	tally, _, err = a.Tally(t.Context())
	require.NoError(t, err)
	require.Zero(t, tally.Pending)
}

// A process that dies at any commit, made or not, leaves what the next one completes.
func TestAttributionsKilledAtAnyCommit(t *testing.T) {
	t.Parallel()
	edition := regexp.MustCompile(`"edition":\d+,`)
	live := func(batch, kill int, made bool) map[string]string {
		a := newAudited(t)
		a.batch = batch
		a.open()
		commits := 0
		audit := func(records ...Evidence) {
			a.store.set(func() (error, bool) {
				if commits++; commits == kill {
					return errStore, made
				}
				return nil, false
			})
			defer a.store.set(nil)
			if err := a.audit(records...); err != nil {
				require.ErrorIs(t, err, errStore)
				a.store.set(nil)
				a.open()
				require.NoError(t, a.audit(records...))
			}
		}
		a.see("queues", obj("q1", `"n":1`), obj("q2", `"n":1`))
		audit()
		a.see("queues", obj("q1", `"n":2`), obj("q2", `"n":2`))
		audit(a.did("ann", "q1", 20), a.did("eve", "q2", 10))
		audit(a.did("ann", "q1", 20), a.did("bob", "q1", 15), a.did("cid", "q3", 15))
		a.now = a.now.Add(25 * time.Hour)
		audit()
		a.see("queues", obj("q1", `"n":2`), obj("q2", `"n":3`))
		audit(a.did("bob", "q2", 20))
		a.now = a.now.Add(50 * time.Hour)
		audit()
		require.Equal(t, []string{"q1: several ann bob", "q2: attributed eve", "q2: attributed bob"}, a.who(Query{}))
		require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 1)
		a.see("queues", obj("q1", `"n":2`))
		gone := a.did("ann", "q2", 20)
		gone.Action = "Delete"
		audit(gone)
		a.now = a.now.Add(50 * time.Hour)
		audit()
		require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 2)
		a.see("queues", obj("q1", `"n":2`))
		audit()
		require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 1)
		shown := map[string]string{}
		for key, value := range dump(t, a.store) {
			if strings.Contains(key, "/who/") || strings.Contains(key, "/fact/") || strings.Contains(key, "/evidence/") || strings.Contains(key, "/undetected/") || strings.HasSuffix(key, "/audits") {
				shown[key] = edition.ReplaceAllString(value, "") // a call that begins again counts again
			}
		}
		if kill == 0 {
			require.Greater(t, commits, 5)
			shown["commits"] = strconv.Itoa(commits)
		}
		return shown
	}
	for _, batch := range []int{0, 1} {
		want := live(batch, 0, false)
		commits, err := strconv.Atoi(want["commits"])
		require.NoError(t, err)
		delete(want, "commits")
		for kill := 1; kill <= commits; kill++ {
			require.Equal(t, want, live(batch, kill, true), "%d changes a commit, killed after commit %d", batch, kill)
			require.Equal(t, want, live(batch, kill, false), "%d changes a commit, killed before commit %d", batch, kill)
		}
	}
}

// However many changes one reading of the audits explains, all are looked at at once, and again after a kill.
func TestAttributionsOfABurst(t *testing.T) {
	t.Parallel()
	for kill := range 12 {
		a := newAudited(t)
		a.batch = 3
		a.open()
		objects := func(n int) (all []Object) {
			for i := range 20 {
				all = append(all, obj(fmt.Sprint("q", i), `"n":%d`, n))
			}
			return all
		}
		a.see("queues", objects(1)...)
		require.NoError(t, a.audit())
		a.see("queues", objects(2)...)
		require.NoError(t, a.audit())
		var records []Evidence
		want := map[string]string{}
		for i := range 20 {
			queue, actor := fmt.Sprint("q", i), fmt.Sprint("person", i)
			records = append(records, a.did(actor, queue, 20))
			want[queue] = "attributed " + actor
		}
		commits := 0
		a.store.set(func() (error, bool) {
			if commits++; commits == kill {
				return errStore, kill%2 == 0
			}
			return nil, false
		})
		err := a.audit(records...)
		a.store.set(nil)
		if err != nil {
			require.ErrorIs(t, err, errStore)
			a.open()
			require.NoError(t, a.audit(records...))
		}
		require.True(t, kill > 0 || commits > 6, "%d commits", commits)
		got := map[string]string{}
		for c, err := range a.Changes(t.Context(), Query{}) {
			require.NoError(t, err)
			got[c.ID] = shownWho(*c.Who)
		}
		require.Equal(t, want, got, "killed at %d", kill)
		a.see("queues", objects(2)...)
		a.now = a.now.Add(50 * time.Hour)
		for range 10 {
			require.NoError(t, a.audit())
			a.now = a.now.Add(2 * time.Hour)
		}
		require.Empty(t, a.keysBelow("fact"))
		require.Empty(t, a.keysBelow("evidence"))
		require.Empty(t, a.keysBelow("undetected"))
	}
}

// What retention removes takes who made it with it, and what was undetected before.
func TestTrimRemovesAttributions(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`))
	require.NoError(t, a.audit())
	for n := range 5 {
		a.see("queues", obj("q1", `"n":%d`, n+2))
		require.NoError(t, a.audit(a.did("ann", "q1", 20), a.did("bob", "gone", 20)))
	}
	_, err := a.Trim(t.Context(), Retention{MaxChanges: 3}, nil)
	require.NoError(t, err)
	require.Len(t, a.keysBelow("who"), 3)
	a.now = a.now.Add(60 * time.Hour)
	a.see("queues", obj("q1", `"n":9`))
	require.NoError(t, a.audit(a.did("ann", "q1", 20)))
	require.Len(t, collect(t, a.Undetected(t.Context(), time.Time{})), 5)
	require.Len(t, collect(t, a.Undetected(t.Context(), joinDay.Add(3*time.Hour))), 3)
	_, err = a.Trim(t.Context(), Retention{MaxAge: 24 * time.Hour}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"q1: attributed ann", "q1: attributed ann?"}, a.who(Query{}))
	require.Empty(t, collect(t, a.Undetected(t.Context(), time.Time{})))
}

func (a *audited) keysBelow(part string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(dump(a.t, a.store))), func(key string) bool { return !strings.Contains(key, "/"+part+"/") })
}

// Forget leaves nothing of an object in audits, nor of a user who acted; and audits that are read again
// do not bring it back.
func TestForgetInAudits(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	ann := "ann-the-forgotten"
	a.see("queues", obj("q1", `"n":1`), obj("secret-queue", `"n":1`))
	a.see("members", Object{ID: "q1/" + ann, Parent: "q1", Body: []byte(`{"ring":1}`)})
	require.NoError(t, a.audit())
	a.see("queues", obj("q1", `"n":2`), obj("secret-queue", `"n":2`))
	a.see("members", Object{ID: "q1/" + ann, Parent: "q1", Body: []byte(`{"ring":2}`)})
	ring := a.did("bob", "q1", 5)
	ring.Targets = []Target{{Type: "members", ID: "q1/" + ann}}
	records := []Evidence{a.did(ann, "q1", 80), a.did("bob", "secret-queue", 80), a.did(ann, "never-seen", 70), ring}
	require.NoError(t, a.audit(records...))
	require.Equal(t, []string{"q1: attributed " + ann + "?", "secret-queue: attributed bob?", "q1/" + ann + ": attributed bob?"}, a.who(Query{}))

	require.NoError(t, a.Forget(t.Context(), "queues", "secret-queue"))
	require.NoError(t, a.Forget(t.Context(), "members", "q1/"+ann))
	require.NoError(t, a.Forget(t.Context(), "users", ann), "it is not known as an object, and acted")
	leftover := func() {
		t.Helper()
		for key, value := range dump(t, a.store) {
			require.NotContains(t, key+value, ann)
			require.NotContains(t, key+value, "secret-queue")
		}
	}
	leftover()
	require.NoError(t, a.audit(records...))
	leftover()
	require.Equal(t, []string{"q1: attributed ?"}, a.who(Query{ID: "q1", Types: []string{"queues"}}), "somebody")
	a.now = a.now.Add(60 * time.Hour)
	require.NoError(t, a.audit())
	leftover()
	require.ErrorIs(t, a.Forget(t.Context(), "users", ann), ErrNotFound)
	a.now = a.now.Add(60 * time.Hour)
	require.NoError(t, a.audit())
	require.Empty(t, a.keysBelow("erased"))
	require.Empty(t, a.keysBelow("evidence"))
}

func TestAttributeCommitsWhatIsAdded(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	require.NoError(t, a.Attribute(t.Context(), AuditsRead{}, func(b *storage.Batch) error { b.Put("cursor", []byte("1")); return nil }))
	text, err := a.store.Get(t.Context(), "cursor")
	require.NoError(t, err)
	require.Equal(t, "1", string(text))
	require.ErrorIs(t, a.ReadOnly().Attribute(t.Context(), AuditsRead{}, nil), ErrReadOnly)
}

func TestAttributionIsReadable(t *testing.T) {
	t.Parallel()
	ann, bob := Actor{ID: "1", Name: "Ann"}, Actor{ID: "2"}
	for want, a := range map[string]Attribution{
		"Ann":                   {Status: WhoAttributed, Actors: []Actor{ann}, Settled: true},
		"Ann (provisional)":     {Status: WhoAttributed, Actors: []Actor{ann}},
		"one or more of Ann, 2": {Status: WhoSeveral, Actors: []Actor{ann, bob}, Settled: true},
		"pending":               {Status: WhoPending},
		"unaudited":             {Status: WhoUnaudited},
		"somebody":              {Status: WhoAttributed, Actors: []Actor{{}}, Settled: true},
		"system (provisional)":  {Status: WhoSystem},
	} {
		require.Equal(t, want, a.String())
	}
}

// While anything is left of a history that is being deleted, nobody records: the mark goes last, also
// behind the many keys of who made changes.
func TestDeletionIsMarkedToItsEnd(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.see("queues", obj("q1", `"n":1`))
	var b storage.Batch
	for n := range uint64(2500) {
		b.Put(a.keys.who(n), []byte("{}"))
	}
	require.NoError(t, a.store.Store.Commit(t.Context(), &b))
	commits := 0
	a.store.set(func() (error, bool) {
		if commits++; commits > 1 {
			state, err := a.store.Get(t.Context(), a.keys.state())
			require.NoError(t, err)
			require.Contains(t, string(state), `"deleting":true`)
		}
		return nil, false
	})
	require.NoError(t, a.Delete(t.Context()))
	require.Greater(t, commits, 4)
	for e, err := range a.store.Scan(t.Context(), a.keys.all()) {
		require.NoError(t, err)
		require.Fail(t, "left", e.Key)
	}
}
