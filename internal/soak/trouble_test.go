package soak_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// disturb stops, kills or starts a process.
func (m *month) disturb() {
	slot := m.random.IntN(len(m.procs))
	p := m.procs[slot]
	switch kind := m.random.IntN(3); {
	case p != nil && kind == 0:
		p.store.dieAfter(m.random.IntN(40), m.random.IntN(2) == 0)
		m.counts["killed at a commit"]++
		m.at(m.soon(90*time.Minute), func() { m.revive(slot, p) })
		return
	case p != nil && kind == 1:
		m.end(slot, true)
		m.counts["killed"]++
	case p != nil:
		m.end(slot, false)
		m.counts["restarted"]++
	}
	m.at(m.soon(90*time.Minute), func() { m.revive(slot, nil) })
}

// revive starts a process if there is none, in the place of one that may have died.
func (m *month) revive(slot int, dying *monthProcess) {
	if p := m.procs[slot]; p != nil && p == dying {
		m.end(slot, true)
	}
	if m.procs[slot] == nil && !m.down {
		m.startProcess(slot)
	}
}

// trouble lets an org misbehave for a while.
func (m *month) trouble(o *monthOrg) {
	if o.troubled {
		return
	}
	o.troubled = true
	m.at(m.soon(90*time.Minute), func() {
		o.Recover()
		o.troubled = false
	})
	all := monthFaults()
	one := func() genesystest.Fault { return m.next(all) }
	mt := o.types[m.random.IntN(len(o.types))]
	switch m.random.IntN(7) {
	case 0:
		o.Chaos(0.02+0.2*m.random.Float64(), all...)
	case 1:
		o.Chaos(0.02+0.2*m.random.Float64(), one())
	case 2:
		o.Fail(mt.Name, one(), 1+m.random.IntN(20))
	case 3:
		logins := []genesystest.Fault{
			genesystest.LoginRefused(http.StatusBadRequest, "unauthorized_client", "client is disabled"), genesystest.Status(http.StatusBadGateway),
			genesystest.LoginRefused(http.StatusUnauthorized, "invalid_client", "client not found: it is not known here"), genesystest.Reset(),
		}
		o.Fail("POST /oauth/token", logins[m.random.IntN(len(logins))], -1)
		o.RevokeTokens()
	case 4:
		denials := []genesystest.Fault{genesystest.Forbidden("routing:queue:view"), genesystest.FeatureOff(), genesystest.AddressRefused()}
		o.Fail(mt.Name, denials[m.random.IntN(len(denials))], -1)
	case 5:
		m.lie(o, mt)
	case 6:
		m.breakOff(o)
	}
}

// lie lets an org answer lists that are wrong and look right. Where nothing but
// a second look can tell, it happens once.
func (m *month) lie(o *monthOrg, mt *monthType) {
	i := slices.IndexFunc(o.types, func(mt *monthType) bool {
		return mt.Get == "" && mt.Paging != genesys.PagingSingleton && !mt.lied
	})
	if i >= 0 {
		mt = o.types[i]
		mt.lied = true
		o.Fail(mt.Name, genesystest.LostPage(), 1)
		m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
		return
	}
	if mt.Get == "" {
		return
	}
	lies := []genesystest.Fault{
		genesystest.LostPage(), genesystest.EmptyPage(), genesystest.RepeatedPage(), genesystest.Shift(1), genesystest.Shift(-1), genesystest.NoTotals(),
	}
	o.Fail(mt.Name, m.next(lies), 1+m.random.IntN(6))
	m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
}

// next draws the faults of a list in turn, so that none is left out.
func (m *month) next(faults []genesystest.Fault) genesystest.Fault {
	m.drawn++
	return faults[m.drawn%len(faults)]
}

// breakOff lets a list end after its first page, while what comes later is edited.
func (m *month) breakOff(o *monthOrg) {
	for _, mt := range o.types {
		if mt.Paging != genesys.PagingPage || mt.Parent != "" || len(mt.live) <= mt.PageSize {
			continue
		}
		path, _, _ := strings.Cut(mt.Path, "?")
		o.Fail(path+"?pageNumber=2", genesystest.Status(http.StatusInternalServerError), -1)
		for range 3 {
			m.modify(o, mt, mt.live[len(mt.live)-1-m.random.IntN(3)])
		}
		m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
	}
}

// monthFaults are all that a client can tell from an answer that is right.
func monthFaults() []genesystest.Fault {
	all := []genesystest.Fault{
		genesystest.Throttle(3 * time.Second), genesystest.Throttle(2 * time.Minute), genesystest.HTML(http.StatusBadGateway), genesystest.HTML(http.StatusForbidden),
		genesystest.Reset(), genesystest.CutBody(), genesystest.SlowBody(7 * time.Second), genesystest.Garbage(), genesystest.EvictedToken(), genesystest.ExpiredToken(),
		genesystest.TooLarge(30), genesystest.PageSizeRefused(20), genesystest.Ceiling(60), genesystest.ShortPage(), genesystest.RepeatedCursor(),
		genesystest.Endless(), genesystest.WrongTotal(3), genesystest.WrongTotal(-2), genesystest.Announce("nextUri", `{"href": "/more"}`),
		genesystest.Announce("total", `"7"`), genesystest.Announce("pageCount", `900.0`), genesystest.Announce("nextUri", `"/more"`),
	}
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		all = append(all, genesystest.Status(status))
	}
	return all
}

// see sets the divisions that the client sees; none: all.
func (m *month) see(o *monthOrg, divisions []string) {
	o.SetDivisions(divisions...)
	o.sights = append(o.sights, monthSight{time.Now(), divisions})
	m.edited(o, "oauth.clients", genesystest.ClientID) // it shows its grants
}

// narrow hides some divisions for a while.
func (m *month) narrow(o *monthOrg) {
	var some []string
	for id := range o.Objects("authorization.divisions") {
		if m.random.IntN(2) == 0 {
			some = append(some, id)
		}
	}
	if m.see(o, some); some == nil {
		return
	}
	m.counts["narrowed"]++
	for range 6 {
		m.at(m.soon(2*time.Hour), func() { m.move(o) })
	}
	m.at(m.soon(20*time.Hour), func() { m.see(o, nil) })
}

// move moves an object to another division.
func (m *month) move(o *monthOrg) {
	mt := o.types[m.random.IntN(len(o.types))]
	if id := m.one(mt); mt.objects[id] != nil && mt.objects[id].states[0].division != "" {
		require.NoError(m.t, o.Update(mt.Name, id, map[string]any{"division": map[string]any{"id": m.division(o), "name": "Moved"}}))
		m.counts["moved"]++
		m.edited(o, mt.Name, id)
	}
}

// division draws a division.
func (m *month) division(o *monthOrg) string {
	ids := slices.Sorted(maps.Keys(maps.Collect(o.Objects("authorization.divisions"))))
	return ids[m.random.IntN(len(ids))]
}

// forbid takes permissions away for a while.
func (m *month) forbid(o *monthOrg) {
	sets := [][]string{
		{"routing:*:*", "authorization:*:*"}, {"authorization:*:*", "architect:*:*", "groups:*:*", "directory:*:*"}, {"routing:queue:view"},
	}
	o.SetPermissions(sets[m.random.IntN(len(sets))]...)
	m.counts["forbidden"]++
	m.edited(o, "oauth.clients", genesystest.ClientID)
	m.at(m.soon(6*time.Hour), func() {
		o.SetPermissions()
		m.edited(o, "oauth.clients", genesystest.ClientID)
		m.lookAt(o, true) // somebody has mended it, and wants to know
	})
}
