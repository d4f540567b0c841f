package soak_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// A monthLag is a time in which the GETs of a type lag behind its lists.
type monthLag struct {
	typ         string
	from, until time.Time // zero: to the end
}

// bury draws how each type answers for what is deleted.
func (m *month) bury(o *monthOrg) {
	for _, mt := range o.types {
		o.Bury(mt.Name, genesystest.Burial(m.random.IntN(4)))
	}
}

// lag lets the GETs of a type lag behind its lists for a while, by less than two of its passes.
func (m *month) lag(o *monthOrg) {
	var apart []*monthType // their bodies do not come with the list
	for _, mt := range o.types {
		if !mt.Whole || mt.Paging == genesys.PagingSingleton && mt.Parent != "" {
			apart = append(apart, mt)
		}
	}
	if len(apart) == 0 {
		return
	}
	mt := apart[m.random.IntN(len(apart))]
	if slices.ContainsFunc(o.lags, func(l monthLag) bool { return l.typ == mt.Name && l.until.IsZero() }) {
		return
	}
	at := len(o.lags)
	o.lags = append(o.lags, monthLag{typ: mt.Name, from: time.Now()})
	o.Lag(mt.Name, monthLagsBy)
	m.counts["lagged"]++
	for range 3 {
		m.modifyAny(o, mt)
	}
	m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
	m.at(m.soon(90*time.Minute), func() { m.catchUp(o, at) })
}

// monthLagsBy is less than the time between two passes.
const monthLagsBy = 4 * time.Minute

func (m *month) catchUp(o *monthOrg, lag int) {
	if l := &o.lags[lag]; l.until.IsZero() {
		l.until = time.Now().Add(monthLagsBy)
		o.Lag(l.typ, 0)
	}
}

func (m *month) modifyAny(o *monthOrg, mt *monthType) {
	if len(mt.live) > 0 {
		m.modify(o, mt, m.one(mt))
	}
}

// lagged reports whether what was read of a type at t may be what an object was before.
func (o *monthOrg) lagged(typ string, t time.Time) bool {
	return slices.ContainsFunc(o.lags, func(l monthLag) bool {
		return l.typ == typ && !t.Before(l.from) && (l.until.IsZero() || !t.After(l.until))
	})
}

// laggedIn reports whether a type lagged in a pass, or so short before that the pass may not have caught up.
func (o *monthOrg) laggedIn(typ string, from, to time.Time) bool {
	return slices.ContainsFunc(o.lags, func(l monthLag) bool {
		return l.typ == typ && l.from.Before(to) && (l.until.IsZero() || from.Before(l.until))
	})
}

// withdraw takes the API of a type away for a while. Where 404 says that something is
// not configured, that would be a deletion.
func (m *month) withdraw(o *monthOrg) {
	mt := o.types[m.random.IntN(len(o.types))]
	status := []int{http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotFound}[m.random.IntN(3)]
	if mt.Absent && status == http.StatusNotFound {
		return
	}
	o.Withdraw(mt.Name, status)
	m.counts["withdrawn"]++
	m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
	m.at(m.soon(4*time.Hour), func() {
		o.Withdraw(mt.Name, 0)
		m.lookAt(o, true) // somebody noticed
	})
}

var monthVariable = regexp.MustCompile(`{[^{}=]*}`)

// refuse lets what is below one parent, or some, be refused for a while.
func (m *month) refuse(o *monthOrg) {
	var below []*monthType
	for _, mt := range o.types {
		if mt.Parent != "" && !mt.NeedsParentBody() && len(o.byName[mt.Parent].live) > 0 {
			below = append(below, mt)
		}
	}
	if len(below) == 0 {
		return
	}
	mt := below[m.random.IntN(len(below))]
	statuses := []int{400, 403, 405, 409, 422, 500, 501}
	if !mt.Absent { // they would say that there is no such object below the parent
		statuses = append(statuses, http.StatusNotFound, http.StatusGone)
	}
	path, _, _ := strings.Cut(mt.Path, "?")
	for range 1 + m.random.IntN(3) {
		id := m.one(o.byName[mt.Parent])
		o.Fail("GET "+monthVariable.ReplaceAllString(path, id), genesystest.Status(statuses[m.random.IntN(len(statuses))]), 1+m.random.IntN(30))
	}
	m.counts["parents refused"]++
	m.at(m.later(time.Second, time.Minute), func() { m.lookAt(o, false, mt.Name) })
}

// impostor puts another org behind the record for a while, with the same address and credentials.
func (m *month) impostor(o *monthOrg) {
	if o.other != nil {
		return
	}
	opts := genesystest.Options{Seed: 1_000_000 + uint64(m.random.IntN(1000)), Size: 5, Domain: o.domain, Name: "Impostor"}
	o.setOther(genesystest.New(&opts))
	m.counts["impostors"]++
	m.at(m.later(time.Second, time.Minute), func() { m.look(o) })
	m.at(m.soon(90*time.Minute), func() { o.setOther(nil) })
}

func (o *monthOrg) setOther(other *genesystest.Org) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.other = other
}

// answering returns the org that answers for the record's address.
func (o *monthOrg) answering() *genesystest.Org {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.other != nil {
		return o.other
	}
	return o.Org
}
