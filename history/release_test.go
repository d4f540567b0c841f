package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// many returns n objects with these members, in which %d stands for the number of the object.
func many(n int, members string) []Object {
	var objects []Object
	for i := range n {
		objects = append(objects, obj(fmt.Sprintf("o%02d", i), "%s", strings.ReplaceAll(members, "%d", strconv.Itoa(i))))
	}
	return objects
}

// A field that comes to all objects of a type, or goes from them, is one change of the type where nothing speaks for
// edits, and else an edit of each.
func TestReleasesAreToldFromEdits(t *testing.T) {
	rules := diff.Rules{Ignore: []string{"version", "dateModified"}}
	one := func(o Object) func([]Object) { return func(objects []Object) { objects[7] = o } }
	for name, test := range map[string]struct {
		n             int
		before, after string
		but           func([]Object)
		want          string // kinds, ids of edits and their paths
	}{
		"60 of 60":                   {60, `"n":%d`, `"n":%d,"precise":false`, nil, "shape(60) add /precise"},
		"10 of 10":                   {10, `"n":%d`, `"n":%d,"precise":false`, nil, "shape(10) add /precise"},
		"9 of 9":                     {9, `"n":%d`, `"n":%d,"precise":false`, nil, strings.Repeat("edit ", 9)},
		"a singleton":                {1, `"n":%d`, `"n":%d,"precise":false`, nil, "edit "},
		"a lost field":               {60, `"n":%d,"old":{"x":1}`, `"n":%d`, nil, "shape(60) remove /old"},
		"a nested field":             {20, `"m":{"n":%d},"l":[{"id":"a"},{"id":"b"}]`, `"m":{"n":%d,"new":null},"l":[{"id":"a","x":1},{"id":"b","x":1}]`, nil, "shape(20) add /l/x shape(20) add /m/new"},
		"another name of a field":    {20, `"n":%d`, `"n":%d,"a.b/c":1`, nil, "shape(20) add /a.b~1c"},
		"a value per object":         {20, `"n":%d`, `"n":%d,"key":"k%d"`, nil, strings.Repeat("edit ", 20)},
		"one with another value":     {20, `"n":%d`, `"n":%d,"precise":false`, one(obj("o07", `"n":7,"precise":true`)), strings.Repeat("edit ", 20)},
		"80 % of them":               {20, `"n":%d`, `"n":%d,"precise":false`, func(o []Object) { copy(o[16:], many(20, `"n":%d`)[16:]) }, "shape(16) add /precise"},
		"less than 80 %":             {20, `"n":%d`, `"n":%d,"precise":false`, func(o []Object) { copy(o[15:], many(20, `"n":%d`)[15:]) }, strings.Repeat("edit ", 15)},
		"a version that moved":       {20, `"n":%d,"version":1`, `"n":%d,"version":2,"precise":false`, nil, strings.Repeat("edit ", 20)},
		"a date that moved":          {20, `"dateModified":"1"`, `"dateModified":"2","precise":false`, nil, strings.Repeat("edit ", 20)},
		"a version with more in it":  {20, `"n":%d,"publishedVersion":{"id":%d}`, `"n":%d,"publishedVersion":{"id":%d,"precise":false}`, nil, "shape(20) add /publishedVersion/precise"},
		"a version that is another":  {20, `"n":%d,"publishedVersion":{"id":1}`, `"n":%d,"publishedVersion":{"id":2,"precise":false},"precise":false`, nil, strings.Repeat("edit ", 20)},
		"a version that came":        {20, `"n":%d,"publishedVersions":[{"id":1}]`, `"n":%d,"publishedVersions":[{"id":1},{"id":2}],"precise":false`, nil, strings.Repeat("edit ", 20)},
		"a changed value":            {20, `"n":1`, `"n":2`, nil, strings.Repeat("edit ", 20)},
		"an edit beside it":          {60, `"n":%d`, `"n":%d,"precise":false`, one(obj("o07", `"n":"a person","precise":false`)), "shape(60) add /precise edit:/n "},
		"an edit with its witness":   {60, `"n":%d,"version":1`, `"n":%d,"version":1,"precise":false`, one(obj("o07", `"n":"a person","precise":false,"version":2`)), "shape(59+1) add /precise edit:/n "},
		"5 of 10 edited beside it":   {10, `"n":%d,"version":1`, `"n":%d,"version":1,"precise":false`, func(o []Object) { copy(o[:5], many(5, `"n":%d,"version":2,"precise":false`)) }, "shape(10) add /precise"},
		"6 of 10 edited beside it":   {10, `"n":%d,"version":1`, `"n":%d,"version":1,"precise":false`, func(o []Object) { copy(o[:6], many(6, `"n":%d,"version":2,"precise":false`)) }, strings.Repeat("edit ", 10)},
		"an edit that added a field": {60, `"n":%d`, `"n":%d,"precise":false`, one(obj("o07", `"n":7,"precise":false,"mine":1`)), "shape(60) add /precise edit:/mine "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t)
				before := many(test.n, test.before)
				pass(t, h, rules, before...)
				then := time.Now()
				tick()
				after := many(test.n, test.after)
				if test.but != nil {
					test.but(after)
				}
				pass(t, h, rules, after...)
				got, edits := []string{}, ""
				changes := collect(t, h.Changes(t.Context(), Query{}))
				for _, c := range changes {
					switch {
					case c.Kind == KindShape:
						count := strconv.Itoa(len(c.Objects))
						if c.Number != len(c.Objects) || name == "an edit with its witness" {
							count = "59+1"
						}
						got = append(got, fmt.Sprintf("shape(%s) %s %s ", count, c.Fields[0].Op, c.Fields[0].Path))
					case len(got) > 0:
						edits += "edit:" + c.Fields[0].Path + " "
						require.Len(t, c.Fields, 1)
						require.Equal(t, "o07", c.ID)
					default:
						edits += "edit "
					}
				}
				if len(got) == 2 && got[0] > got[1] {
					got[0], got[1] = got[1], got[0]
				}
				require.Equal(t, strings.TrimSpace(test.want), strings.TrimSpace(strings.Join(got, "")+edits))

				require.Zero(t, pass(t, h, rules, after...).Updated)
				require.Len(t, collect(t, h.Changes(t.Context(), Query{})), len(changes), "a second pass")
				for i, o := range after {
					v, err := h.ObjectAsOf(t.Context(), "queues", o.ID, time.Now())
					require.NoError(t, err)
					requireCanonical(t, rules, o.Body, v.Body)
					v, err = h.ObjectAsOf(t.Context(), "queues", o.ID, then)
					require.NoError(t, err)
					requireCanonical(t, rules, before[i].Body, v.Body)
				}
				updated := 0
				for _, c := range changes {
					if c.Kind == KindUpdated {
						updated++
					}
				}
				require.Len(t, collect(t, h.Between(t.Context(), then, time.Now(), Query{})), updated)
			})
		})
	}
}

// Objects that somebody had saved without a change are no less a part of a release: their bodies are not stored again, so
// these have an older version than the markers.
func TestReleaseAfterSavesWithoutAChange(t *testing.T) {
	rules := diff.Rules{Ignore: []string{"version"}}
	h := newHistory(t)
	for i, members := range []string{`"n":%d,"version":1`, `"n":%d,"version":2`, `"n":%d,"version":2,"precise":false`} {
		objects := many(20, members)
		for j := range objects {
			objects[j].Marker = strconv.Itoa(min(i, 1))
		}
		pass(t, h, rules, objects...)
	}
	changes := collect(t, h.Changes(t.Context(), Query{}))
	require.Len(t, changes, 1)
	require.Equal(t, KindShape, changes[0].Kind)
	require.Len(t, changes[0].Objects, 20)
}

// A release that is met first in objects that are seen alone, who are too few to tell, is one of the others all the same.
// Those that have the field from elsewhere speak against it.
func TestReleaseAfterAFewWereRead(t *testing.T) {
	for name, test := range map[string]struct {
		n, few int    // objects, and how many of them are read alone
		had    string // the members of these before the release
		want   string
	}{
		"read alone before": {30, 9, `"n":%d`, "shape"},
		"had it always":     {30, 9, `"n":%d,"precise":false`, "updated"},
		"few, read alone":   {12, 3, `"n":%d`, "shape"},
		"few, that have it": {12, 3, `"n":%d,"precise":false`, "updated"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t)
				before, after := many(test.n, `"n":%d`), many(test.n, `"n":%d,"precise":false`)
				few := many(test.few, test.had)
				pass(t, h, diff.Rules{}, slices.Concat(few, before[test.few:])...)
				passOver(t, h, "queues", diff.Rules{}, Walk{Complete: true, Coverage: "one division"}, after[:test.few]...)
				cursor := cursorOf(t, h)
				pass(t, h, diff.Rules{}, after...)
				changes := collect(t, h.Changes(t.Context(), Query{AfterSeq: cursor}))
				require.Equal(t, test.want, string(changes[0].Kind))
				if test.want == "shape" {
					require.Len(t, changes, 1)
					require.Len(t, changes[0].Objects, test.n-test.few)
				}
			})
		})
	}
}

// Edits that bring fields to a few of a large type cost a look at some of the others, not one at all
// of them for each field.
func TestEditsOfALargeTypeCostLittle(t *testing.T) {
	t.Parallel()
	const n, edited, fields = 1000, 30, 10
	s := &countingStore{Store: memory.New()}
	h := open(t, s, nil)
	objects := many(n, `"n":%d`)
	pass(t, h, diff.Rules{}, objects...)
	for i := range edited {
		objects[i].Body = slices.Clone(objects[i].Body[:len(objects[i].Body)-1])
		for f := range fields {
			objects[i].Body = fmt.Appendf(objects[i].Body, `,"f%d":1`, f)
		}
		objects[i].Body = append(objects[i].Body, '}')
	}
	s.read = 0
	require.Equal(t, edited, pass(t, h, diff.Rules{}, objects...).Updated)
	require.Less(t, s.read, 3*n)
}

func requireCanonical(t *testing.T, rules diff.Rules, body, got []byte) {
	t.Helper()
	c, err := diff.Compile(rules)
	require.NoError(t, err)
	want, err := c.Canonical(nil, body)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// Objects that are read again later, because their markers do not move, join the release that a pass has recognised.
// What a person edits as well stays an edit, and what is forgotten is no longer among its objects.
func TestReleaseByRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		before, after := many(60, `"n":%d`), many(60, `"n":%d,"precise":false`)
		for i := range 60 {
			before[i].Marker, after[i].Marker = "1", "1"
		}
		pass(t, h, diff.Rules{}, before...)
		after[33] = obj("o33", `"n":"a person","precise":false`)
		after[33].Marker = "2"
		for start := 0; start < 60; start += 12 {
			tick()
			p, err := h.Begin(t.Context(), "queues", diff.Rules{})
			require.NoError(t, err)
			for i := range 60 {
				if start <= i && i < start+12 {
					require.NoError(t, p.Observe(t.Context(), after[i]))
				} else {
					require.NoError(t, p.Keep(after[i].ID))
				}
			}
			_, err = p.Settle(t.Context(), Walk{Complete: true})
			require.NoError(t, err)
			sum, err := p.End(t.Context())
			require.NoError(t, err)
			require.True(t, sum.Complete, sum.Reason)
		}
		changes := collect(t, h.Changes(t.Context(), Query{}))
		require.Len(t, changes, 2)
		require.Equal(t, KindShape, changes[0].Kind)
		require.Len(t, changes[0].Objects, 60)
		require.Equal(t, []diff.FieldChange{{Path: "/precise", Op: diff.OpAdd, New: []byte("false")}}, changes[0].Fields)
		require.Equal(t, "o33", changes[1].ID)
		require.Len(t, changes[1].Fields, 1)

		require.NoError(t, h.Forget(t.Context(), "queues", "o12"))
		for key, value := range dump(t, h.store) {
			require.NotContains(t, key+value, "o12")
		}
	})
}

// A release of a type whose bodies are more than a pass holds back is recognised by those that it has compared by then.
func TestReleaseOfLargeBodies(t *testing.T) {
	h := newHistory(t)
	long := `"x":"` + strings.Repeat("y", 1<<20) + `","n":%d` // more than one commit takes
	pass(t, h, diff.Rules{}, many(34, long)...)
	sum := pass(t, h, diff.Rules{}, many(34, long+`,"new":1`)...)
	require.Zero(t, sum.Updated)
	changes := collect(t, h.Changes(t.Context(), Query{}))
	require.Len(t, changes, 1)
	require.Len(t, changes[0].Objects, 34)
}

func TestChangesPrintThemselves(t *testing.T) {
	field := diff.FieldChange{Path: "/n", Op: diff.OpAdd, New: []byte("1")}
	for want, c := range map[string]Change{
		"updated  queues \"Sales\" (a)\n    + /n: 1":                    {Type: "queues", ID: "a", Name: "Sales", Kind: KindUpdated, Fields: []diff.FieldChange{field}},
		"shape    queues: the platform changed 60 objects\n    + /n: 1": {Type: "queues", Kind: KindShape, Number: 60, Fields: []diff.FieldChange{field}},
		"forgotten queues: an object was forgotten":                     {Type: "queues", Kind: KindForgotten},
	} {
		require.Equal(t, want, c.String())
	}
	require.NotContains(t, Change{Type: "q", ID: "\x1b[2J", Name: "a\nb"}.String(), "\x1b")
}

// Bodies that were all edited are not held back without a bound.
func TestHeldBodiesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{BatchObjects: 1})
		pass(t, h, diff.Rules{}, many(releaseObjects+5, `"version":1,"n":%d`)...)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for i, o := range many(releaseObjects+5, `"version":2,"mine":%d`) {
			require.NoError(t, p.Observe(t.Context(), o))
			if i == releaseObjects-1 {
				p.heldBytes += maxHeld // as if they were large
			}
		}
		require.Less(t, p.heldBytes, maxHeld)
	})
}

// Nothing is decided by fewer than ten objects because their bodies are large.
func TestFewLargeBodiesDecideNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, memory.New(), &Options{BatchObjects: 1})
		pass(t, h, diff.Rules{}, many(releaseObjects+2, `"n":%d`)...)
		cursor := cursorOf(t, h)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		for _, o := range many(releaseObjects+2, `"n":%d,"new":false`) {
			require.NoError(t, p.Observe(t.Context(), o))
			p.heldBytes += maxHeld // as if they were large
		}
		_, err = p.Settle(t.Context(), Walk{Complete: true})
		require.NoError(t, err)
		_, err = p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"shape "}, kindsOf(t, h, cursor))
	})
}
