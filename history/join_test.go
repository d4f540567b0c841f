package history

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	joinDay   = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	queueJoin = Audits{Service: "ContactCenter", Entity: "Queue", Of: AuditsOfObject}
	partJoin  = Audits{Service: "ContactCenter", Entity: "Queue", Of: AuditsOfParent}
)

func clock(text string) time.Time {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return joinDay.Add(d)
}

// rec is a record of an update of the queue q; edits change it.
func rec(at, actor string, edits ...func(*keptRecord)) *keptRecord {
	e := &keptRecord{Evidence: Evidence{ID: at + actor, At: clock(at), Service: "ContactCenter", Entity: "Queue", Object: "q", Action: "Update", Actor: Actor{ID: actor}}}
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
func object(id string) func(*keptRecord)      { return func(e *keptRecord) { e.Object = id } }

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
func member(id string) func(*fact) {
	return func(f *fact) { f.Type, f.ID, f.Parent = "members", "q/"+id, "q" }
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		audits    Audits
		singleton bool
		facts     []fact
		records   []*keptRecord
		want      []string // "status actors", by fact
	}{
		{"nobody", queueJoin, false, []fact{change("1h", "2h")}, nil, []string{"none"}},
		{"one", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann")}, []string{"attributed ann"}},
		{"before and behind the span", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("1h", "ann"), rec("59m", "bob"), rec("2h1m", "cid")}, []string{"none"}},
		{"at the end of the span", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("2h", "ann")}, []string{"attributed ann"}},
		{"late by the org's clocks", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("2h5s", "ann")}, []string{"attributed ann"}},
		{"late, but another one was in time", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("2h5s", "ann"), rec("100m", "bob")}, []string{"attributed bob"}},
		{"another object", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann", object("r"))}, []string{"none"}},
		{"another entity", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "ann", func(e *keptRecord) { e.Entity = "Flow" })}, []string{"none"}},
		{"several", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann"), rec("95m", "bob")}, []string{"several ann bob"}},
		{"one who did it twice", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "ann"), rec("95m", "ann")}, []string{"attributed ann"}},
		{"a person before the service", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", ""), rec("95m", "bob"), rec("99m", "")}, []string{"attributed bob"}},
		{"the service alone", queueJoin, false, []fact{change("1h", "2h")}, []*keptRecord{rec("90m", "")}, []string{"system"}},
		{"of three records one has the author", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "x", func(e *keptRecord) { e.Actor = Actor{} }), rec("91m", "ann")}, []string{"attributed ann"}},
		{"a record without an author", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "x", func(e *keptRecord) { e.Actor = Actor{} })}, []string{"none"}},
		{"the one whose property changed", queueJoin, false, []fact{change("1h", "2h", paths("/acwSettings/timeoutMs"))},
			[]*keptRecord{rec("90m", "ann", props("name")), rec("95m", "bob", props("acw_settings.timeoutMs"))}, []string{"attributed bob"}},
		{"properties that say nothing", queueJoin, false, []fact{change("1h", "2h", paths("/skills/3"))},
			[]*keptRecord{rec("90m", "ann", props("name")), rec("95m", "bob", props("version"))}, []string{"several ann bob"}},
		{"who created it, not who edited it next", queueJoin, false, []fact{change("1h", "2h", kind(KindCreated))},
			[]*keptRecord{rec("90m", "ann", action("Create")), rec("95m", "bob")}, []string{"attributed ann"}},
		{"who deleted it", queueJoin, false, []fact{change("1h", "2h", kind(KindDeleted))},
			[]*keptRecord{rec("90m", "ann"), rec("95m", "bob", action("Delete"))}, []string{"attributed bob"}},
		{"an edit of a member is none of the queue", queueJoin, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "ann", parts("u")), rec("95m", "bob", props("name"))}, []string{"attributed bob"}},
		{"an edit of the queue is none of a member", partJoin, false, []fact{change("1h", "2h", member("u"))},
			[]*keptRecord{rec("90m", "ann", parts("u")), rec("95m", "bob", props("name"))}, []string{"attributed ann"}},
		{"another member", partJoin, false, []fact{change("1h", "2h", member("u"))}, []*keptRecord{rec("90m", "ann", parts("v"))}, []string{"none"}},
		{"members of another queue", partJoin, false, []fact{change("1h", "2h", member("u"))}, []*keptRecord{rec("90m", "ann", object("r"), parts("u"))}, []string{"none"}},
		{"members went with their queue", partJoin, false, []fact{change("1h", "2h", member("u"), kind(KindDeleted))},
			[]*keptRecord{rec("90m", "ann", action("Delete")), rec("80m", "bob", props("name"))}, []string{"attributed ann"}},
		{"listed under the user, audited as the queue's", partJoin, false,
			[]fact{change("1h", "2h", func(f *fact) { f.ID, f.Parent = "u/q", "u" })},
			[]*keptRecord{rec("90m", "ann", parts("u")), rec("91m", "bob", parts("v"))}, []string{"attributed ann"}},
		{"one for each parent", partJoin, true, []fact{change("1h", "2h", func(f *fact) { f.ID, f.Parent = "q", "q" })},
			[]*keptRecord{rec("90m", "ann", props("x"))}, []string{"attributed ann"}},
		{"settings of the org, under any id", Audits{Entity: "Queue", Of: AuditsOfOrg}, false, []fact{change("1h", "2h")},
			[]*keptRecord{rec("90m", "ann", object("org"))}, []string{"attributed ann"}},
		{"in two spans, and only one has the property", queueJoin, false,
			[]fact{change("1h", "2h5m", paths("/a")), change("2h", "3h", paths("/b"))},
			[]*keptRecord{rec("90m", "ann", props("a")), rec("2h3m", "bob", props("b"))}, []string{"attributed ann", "attributed bob"}},
		{"in two spans, the first has no other", queueJoin, false,
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("2h3m", "ann"), rec("150m", "bob")}, []string{"attributed ann", "attributed bob"}},
		{"in two spans, the second has no other", queueJoin, false,
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("90m", "ann"), rec("2h3m", "bob")}, []string{"attributed ann", "attributed bob"}},
		{"in two spans, both have others", queueJoin, false,
			[]fact{change("1h", "2h5m"), change("2h", "3h")},
			[]*keptRecord{rec("90m", "ann"), rec("2h3m", "bob"), rec("150m", "cid")}, []string{"several ann bob", "several bob cid"}},
		{"late for the first is in time for the second", queueJoin, false,
			[]fact{change("1h", "2h"), change("119m", "3h")}, []*keptRecord{rec("2h5s", "ann")}, []string{"none", "attributed ann"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the order of records says nothing
				var got []string
				for i, v := range join(tc.audits, tc.singleton, tc.facts, tc.records) {
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
	text := string(a.Status)
	for _, id := range ids {
		text += " " + id
	}
	return text
}

func TestActionsThatWrite(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Update": true, "Create": true, "MemberAdd": true, "PUBLISH": true, "Checkin": true, "": false,
		"View": false, "Read": false, "Download": false, "Login": false, "export": false,
	} {
		require.Equal(t, want, writes(name), name)
	}
	e := Evidence{Action: "MemberRemove"}
	require.True(t, e.ends())
	require.False(t, e.makes())
}
