package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var joinDay = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func clock(text string) time.Time {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return joinDay.Add(d)
}

// rec is a record of an update of the queue q; edits change it.
func rec(at, actor string, edits ...func(*keptRecord)) *keptRecord {
	e := &keptRecord{Evidence: Evidence{ID: at + actor, At: clock(at), Targets: []Target{{Type: "queues", ID: "q"}}, Entity: "Queue", Object: "q", Action: "Update", Actor: Actor{ID: actor}}}
	if actor == "" {
		e.System = true
	}
	for _, edit := range edits {
		edit(e)
	}
	return e
}

func props(names ...string) func(*keptRecord) { return func(e *keptRecord) { e.Properties = names } }
func parts(ids ...string) func(*keptRecord)   { return func(e *keptRecord) { e.Parts = ids } }
func action(name string) func(*keptRecord)    { return func(e *keptRecord) { e.Action = name } }
func about(targets ...Target) func(*keptRecord) {
	return func(e *keptRecord) { e.Targets = targets }
}

// ofMember makes a record one of a member of the queue, as a record of the queue tells it.
func ofMember(user string) func(*keptRecord) {
	return about(Target{Type: "members", ID: "q/" + user, Below: "q", Last: user})
}

// ofMembers makes a record one of the members of the queue, whichever.
func ofMembers(e *keptRecord) { e.Targets = []Target{{Type: "members", Below: "q"}} }

// change is an update of the queue q between two times.
func change(after, at string, edits ...func(*fact)) fact {
	f := fact{Type: "queues", ID: "q", Kind: KindUpdated, After: clock(after), At: clock(at)}
	for _, edit := range edits {
		edit(&f)
	}
	return f
}

func paths(p ...string) func(*fact) { return func(f *fact) { f.Paths = p } }
func kind(k Kind) func(*fact)       { return func(f *fact) { f.Kind = k } }
func member(f *fact)                { f.Type, f.ID, f.Parent = "members", "q/u", "q" }

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		facts   []fact
		records []*keptRecord
		want    []string // "status actors", by fact
	}{
		{"nobody", []fact{change("1h", "2h")}, nil, []string{"none"}},
		{"one", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann")}, []string{"attributed ann"}},
		{
			"before and behind the span",
			[]fact{change("1h", "2h")},
			[]*keptRecord{rec("59m59s", "ann"), rec("59m", "bob"), rec("2h1m", "cid")},
			[]string{"none"},
		},
		{"at the end of the span", []fact{change("1h", "2h")}, []*keptRecord{rec("2h", "ann")}, []string{"attributed ann"}},
		{"late by the org's clocks", []fact{change("1h", "2h")}, []*keptRecord{rec("2h5s", "ann")}, []string{"attributed ann"}},
		{
			"late, but another one was in time",
			[]fact{change("1h", "2h")},
			[]*keptRecord{rec("2h5s", "ann"), rec("100m", "bob")},
			[]string{"attributed bob"},
		},
		{"another object", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann", about(Target{Type: "queues", ID: "r"}))}, []string{"none"}},
		{"another type", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann", about(Target{Type: "flows", ID: "q"}))}, []string{"none"}},
		{"any of the type", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann", about(Target{Type: "queues"}))}, []string{"attributed ann"}},
		{"known by the last part of its id", []fact{change("1h", "2h", member)}, []*keptRecord{rec("90m", "ann", about(Target{Type: "members", Last: "u"}))}, []string{"attributed ann"}},
		{"several", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann"), rec("95m", "bob")}, []string{"several ann bob"}},
		{"one who did it twice", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann"), rec("95m", "ann")}, []string{"attributed ann"}},
		{"a person before the service", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", ""), rec("95m", "bob"), rec("99m", "")}, []string{"attributed bob"}},
		{
			"what the service did before, and did again too late, leaves the record of a person to the second change",
			[]fact{change("1h", "2h"), change("110m", "3h")},
			[]*keptRecord{rec("90m", ""), rec("115m", "ann"), rec("3h5s", "")},
			[]string{"system", "attributed ann"},
		},
		{"the service alone", []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "")}, []string{"system"}},
		{
			"of three records one has the author",
			[]fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "x", func(e *keptRecord) { e.Actor = Actor{} }), rec("91m", "ann")},
			[]string{"attributed ann"},
		},
		{
			"a record without an author",
			[]fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "x", func(e *keptRecord) { e.Actor = Actor{} })},
			[]string{"none"},
		},
		{
			"the one whose property changed",
			[]fact{change("1h", "2h", paths("/acwSettings/timeoutMs"))},
			[]*keptRecord{rec("90m", "ann", props("name")), rec("95m", "bob", props("acw_settings.timeoutMs"))},
			[]string{"attributed bob"},
		},
		{
			"properties that say nothing",
			[]fact{change("1h", "2h", paths("/skills/3"))},
			[]*keptRecord{rec("90m", "ann", props("name")), rec("95m", "bob", props("version"))},
			[]string{"several ann bob"},
		},
		{
			"who created it, not who edited it next",
			[]fact{change("1h", "2h", kind(KindCreated))},
			[]*keptRecord{rec("90m", "ann", action("Create")), rec("95m", "bob")},
			[]string{"attributed ann"},
		},
		{
			"who deleted it",
			[]fact{change("1h", "2h", kind(KindDeleted))},
			[]*keptRecord{rec("90m", "ann"), rec("95m", "bob", action("Delete"))},
			[]string{"attributed bob"},
		},
		{
			"an edit of a member is none of the queue",
			[]fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "ann", ofMember("u")), rec("95m", "bob", props("name"))},
			[]string{"attributed bob"},
		},
		{
			"an edit of the queue is none of a member",
			[]fact{change("1h", "2h", member)},
			[]*keptRecord{rec("90m", "ann", ofMember("u")), rec("95m", "bob", props("name"))},
			[]string{"attributed ann"},
		},
		{"another member", []fact{change("1h", "2h", member)}, []*keptRecord{rec("90m", "ann", ofMember("v"))}, []string{"none"}},
		{"some member of the queue", []fact{change("1h", "2h", member)}, []*keptRecord{rec("90m", "ann", ofMembers)}, []string{"attributed ann"}},
		{
			"the one that names it before those that name others or nothing",
			[]fact{change("1h", "2h", member)},
			[]*keptRecord{rec("90m", "ann", ofMembers), rec("91m", "bob", ofMembers, parts("u")), rec("92m", "cid", ofMembers, parts("v"))},
			[]string{"attributed bob"},
		},
		{
			"members of another queue",
			[]fact{change("1h", "2h", member)},
			[]*keptRecord{rec("90m", "ann", about(Target{Type: "members", Below: "r", Last: "u"}))},
			[]string{"none"},
		},
		{
			"members went with their queue",
			[]fact{change("1h", "2h", member, kind(KindDeleted))},
			[]*keptRecord{rec("90m", "ann", action("Delete")), rec("80m", "bob", props("name"))},
			[]string{"attributed ann"},
		},
		{
			"in two spans, and only one has the property",
			[]fact{change("1h", "2h5m", paths("/a")), change("2h", "3h", paths("/b"))},
			[]*keptRecord{rec("90m", "ann", props("a")), rec("2h3m", "bob", props("b"))},
			[]string{"attributed ann", "attributed bob"},
		},
		{
			"in two spans, the first has no other",
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("2h3m", "ann"), rec("150m", "bob")},
			[]string{"attributed ann", "attributed bob"},
		},
		{
			"in two spans, the second has no other",
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("90m", "ann"), rec("2h3m", "bob")},
			[]string{"attributed ann", "attributed bob"},
		},
		{
			"in two spans, both have others",
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("90m", "ann"), rec("2h3m", "bob"), rec("150m", "cid")},
			[]string{"several ann bob", "several bob cid"},
		},
		{
			"late for the first is in time for the second",
			[]fact{change("1h", "2h"), change("119m", "3h")},
			[]*keptRecord{rec("2h5s", "ann")},
			[]string{"none", "attributed ann"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the order of records says nothing
				var got []string
				for i, v := range join("queues", tc.facts, tc.records) {
					got = append(got, shownWho(v.attribution(uint64(i))))
				}
				require.Equal(t, tc.want, got)
				slices.Reverse(tc.records)
			}
		})
	}
}

// shownWho is an attribution in short: its status and actors, sorted.
func shownWho(a Attribution) string {
	var ids []string
	for _, actor := range a.Actors {
		ids = append(ids, actor.ID)
	}
	slices.Sort(ids)
	return strings.Join(append([]string{string(a.Status)}, ids...), " ")
}

func TestActionsThatBringAndTake(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{
		"Update": {}, "Create": {true, false}, "MemberAdd": {true, false}, "MemberRemove": {false, true}, "DELETE": {}, "delete": {false, true}, "": {},
	} {
		e := Evidence{Action: name}
		require.Equal(t, want, [2]bool{e.makes(), e.ends()}, name)
	}
}

// The index leaves out no record that the join would take.
func TestRecordIndex(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	one := func(all ...string) string { return all[r.IntN(len(all))] }
	found := 0
	for range 2000 {
		f := fact{
			Type: one("queues", "members"), ID: one("a", "b", "a/x", "a/y", "a/b/x"), Parent: one("", "a", "b", "a/b"),
			Kind: []Kind{KindCreated, KindUpdated, KindDeleted}[r.IntN(3)], After: joinDay, At: joinDay.Add(time.Hour),
		}
		parent := one("queues", "members", "")
		index, want := recordIndex{}, map[string]bool{}
		for i := range 12 {
			e := &keptRecord{key: fmt.Sprintf("%02d", i), Evidence: Evidence{At: joinDay.Add(time.Duration(r.IntN(90)) * time.Minute), Action: one("Create", "Update", "Delete")}}
			for range 1 + r.IntN(2) {
				e.Targets = append(e.Targets, Target{
					Type: one("queues", "members"), ID: one("", "", "a", "a/x", "b"), Below: one("", "", "a", "a/b", "b"), Last: one("", "", "x", "b"),
				})
			}
			index.add(e)
			if mayExplain(parent, &f, e) {
				want[e.key] = true
			}
		}
		got := map[string]bool{}
		for _, e := range index.explaining(parent, []fact{f}) {
			if mayExplain(parent, &f, e) {
				require.False(t, got[e.key], "given twice")
				got[e.key] = true
			}
		}
		require.Equal(t, want, got, "%+v", f)
		found += len(got)
	}
	require.Greater(t, found, 1000)
}
