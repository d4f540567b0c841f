package soak_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
)

// In the month people edit, each at random, and so do a supporter from another org and the platform. The org knows
// who did what.

// person draws who makes the next edit. The draw has a source of its own, so that the month is the same whoever edits.
func (o *monthOrg) person() string {
	if o.people == nil {
		o.dice = rand.New(rand.NewPCG(*monthSeed, 47))
		for id := range o.Objects("users") {
			if o.people = append(o.people, id); len(o.people) == 5 {
				break
			}
		}
		o.people = append(o.people, o.Support(), genesystest.System)
	}
	return o.people[o.dice.IntN(len(o.people))]
}

func (o *monthOrg) Update(typ, id string, patch any) error {
	return o.As(o.person()).Update(typ, id, patch)
}

func (o *monthOrg) CreateChild(typ, parentID string, fields any) (string, error) {
	return o.As(o.person()).CreateChild(typ, parentID, fields)
}

func (o *monthOrg) Delete(typ, id string) error { return o.As(o.person()).Delete(typ, id) }

// settle lets two quiet days go by in which a process reads audits alone: then it is settled who made the changes, and
// what no pass saw counts as undetected.
func (m *month) settle() {
	engine := open(m.t, m.orgs[0].Org, m.store, func(o *environment.Options) { o.Transport, o.Lease = transportFunc(m.route), 6*time.Hour })
	for _, o := range m.orgs {
		r, err := engine.Get(m.t.Context(), o.record.ID)
		require.NoError(m.t, err)
		r.AuditMinutes, r.Polling = 240, []poller.Entry{{Type: poller.AllObjects, Cron: "0 0 1 1 *"}}
		_, err = engine.Update(m.t.Context(), r, nil)
		require.NoError(m.t, err)
	}
	ctx, stop := context.WithTimeout(m.t.Context(), 56*time.Hour)
	defer stop()
	require.NoError(m.t, engine.Run(ctx))
}

// checkWho holds who is named against who did it.
func (m *month) checkWho(engine *environment.Engine) {
	m.settle()
	for _, o := range m.orgs {
		h, err := engine.History(m.t.Context(), o.record.ID)
		require.NoError(m.t, err)
		c := &monthCheck{month: m, monthOrg: o, h: h}
		c.checkWho()
	}
}

// checkWho holds who is named against who did it: nobody is named who did not edit the object, or what it is listed
// under or what is listed under it, in the span of the change; nobody alone where another did; and what is undetected is in no change.
func (c *monthCheck) checkWho() {
	type object struct{ typ, id string }
	acts := map[object][]genesystest.Edit{}
	for e := range c.Edits() {
		acts[object{e.Type, e.ID}] = append(acts[object{e.Type, e.ID}], e)
		if mt := c.byName[e.Type]; mt != nil && mt.Parent != "" { // it moves what it is listed under
			above := object{mt.Parent, monthParent(e.ID)}
			acts[above] = append(acts[above], e)
		}
	}
	undetected := map[string][]history.Undetected{}
	for u, err := range c.h.Undetected(c.t.Context(), time.Time{}) {
		require.NoError(c.t, err)
		for _, typ := range u.Types {
			undetected[typ] = append(undetected[typ], u)
		}
	}
	counts, byPeople, named := map[history.WhoStatus]int{}, 0, 0
	for change, err := range c.h.Changes(c.t.Context(), history.Query{}) {
		require.NoError(c.t, err)
		if change.Who == nil || !change.Who.Settled || c.isOlder(change) || c.hasRelease(change) {
			continue
		}
		who := change.Who
		counts[who.Status]++
		by := func(o object) map[string]bool {
			authors := map[string]bool{}
			for _, e := range acts[o] {
				if e.Time.After(change.After.Add(-time.Second)) && !e.Time.After(change.At) {
					authors[e.Author] = true
				}
			}
			return authors
		}
		did := by(object{change.Type, change.ID})
		could := maps.Clone(did) // who audits cannot be told from who did
		if mt := c.byName[change.Type]; mt.Parent != "" {
			above := by(object{mt.Parent, monthParent(change.ID)})
			if change.Kind == history.KindCreated || change.Kind == history.KindDeleted { // with what it is listed under
				maps.Copy(did, above)
			}
			if change.Kind != history.KindUpdated || mt.Audit.How == genesys.AuditParent {
				maps.Copy(could, above)
			}
		}
		isBySystem := did[genesystest.System]
		delete(did, genesystest.System)
		for _, a := range who.Actors {
			if !could[a.ID] {
				c.fail("%s is named in %v (%v after %v), but %v did it", a.ID, change, change.At, change.After, slices.Sorted(maps.Keys(did)))
			}
		}
		if who.Status == history.WhoSystem && !could[genesystest.System] {
			c.fail("the system is named in %v, but %v did it", change, slices.Sorted(maps.Keys(did)))
		}
		if len(did) == 1 && !isBySystem && who.Status != history.WhoUnaudited {
			byPeople++
			if len(who.Actors) == 1 {
				named++
			}
		}
		for _, u := range undetected[change.Type] {
			isAbout := slices.ContainsFunc(u.Targets, func(t history.Target) bool {
				return t.Type == change.Type && (t.ID == change.ID || t.Below != "" && strings.HasPrefix(change.ID, t.Below+"/") && strings.HasSuffix(change.ID, t.Last))
			})
			if isAbout && u.At.After(change.After) && !u.At.After(change.At) {
				c.fail("%v is undetected, and in %v", u, change)
			}
		}
	}
	if byPeople-named > 2+byPeople*3/100 { // two, as few changes have no share to speak of
		c.fail("of %d changes by one person %d name somebody", byPeople, named)
	}
	tally, _, err := c.h.Tally(c.t.Context())
	require.NoError(c.t, err)
	c.t.Logf("%s: who made changes: %v, of %d by one person %d are named; %d corrected, %d undetected; from an act to its change %v, to its name %v more",
		c.record.Name, counts, byPeople, named, tally.Corrected, tally.Undetected, tally.Delay.Round(time.Second), tally.Naming.Round(time.Second))
}
