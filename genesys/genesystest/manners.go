package genesystest

import (
	"encoding/json"
	"net/http"
	"time"
)

// manners are ways of the service that differ from type to type, and that look
// like something else to a client that has not heard of them.
type manners struct {
	burial    Burial
	lag       time.Duration
	withdrawn int // status; 0: the API is there
}

// A Burial is how the service answers a GET of an object that was deleted.
type Burial uint8

// The burials. The lists leave the object out in any case.
const (
	BuryNotFound  Burial = iota // 404, as most services do
	BuryGone                    // 410, as flows do
	BuryTombstone               // 200, and the object says "deleted": true, as schemas do
	BuryState                   // 200, and the object says "state": "deleted"
)

// Bury sets how deleted objects of a type are answered for.
func (o *Org) Bury(typ string, as Burial) { o.mannersOf(typ, func(m *manners) { m.burial = as }) }

// Lag makes a GET of an object of a type answer what the object was before its
// newest edit, for so long after that, as a replica does that lags behind the one
// that answers lists. 0 ends it.
func (o *Org) Lag(typ string, by time.Duration) { o.mannersOf(typ, func(m *manners) { m.lag = by }) }

// Withdraw takes the API of a type away: every request of it is answered with
// that status. Its objects stay as they are. 0 brings the API back.
func (o *Org) Withdraw(typ string, status int) {
	o.mannersOf(typ, func(m *manners) { m.withdrawn = status })
}

func (o *Org) mannersOf(typ string, set func(*manners)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.shapeOf(typ)
	if err != nil {
		panic(err) // a test that names a type wrongly would pass for the wrong reason
	}
	m := o.manners[s.t.Name]
	set(&m)
	if o.manners == nil {
		o.manners = map[string]manners{}
	}
	o.manners[s.t.Name] = m
}

// buried is the answer about an object that is not there.
func (o *Org) buried(s *shape, parentID string, pos int) *reply {
	if e := o.editAt(s, parentID, pos); e == nil || e.body != nil {
		return nil
	}
	var mark string
	switch o.manners[s.t.Name].burial {
	case BuryGone:
		return fail(http.StatusGone, s.t.Name+".deleted", "The resource was deleted.")
	case BuryTombstone:
		mark = "deleted"
	case BuryState:
		mark = "state"
	default:
		return nil
	}
	body, err := parseFields(o.render(s, parentID, pos, allExpanded, false))
	if err != nil {
		return nil
	}
	value := json.RawMessage("true")
	if mark == "state" {
		value = quote("deleted")
	}
	body.put(mark, value)
	return newReply(http.StatusOK, body.bytes())
}

// lagging returns what a replica that lags knows of the object at a position.
func (o *Org) lagging(s *shape, parentID string, pos int, expand string) (body json.RawMessage, there, lags bool) {
	e := o.editAt(s, parentID, pos)
	if lag := o.manners[s.t.Name].lag; e == nil || time.Since(e.at) >= lag {
		return nil, false, false
	}
	switch {
	case !e.beforeThere:
		return nil, false, true
	case e.before == nil:
		return o.render(s, parentID, pos, expand, false), true, true
	}
	return s.reduce(o.released(s, parentID, pos, e.before), expand, false), true, true
}

// Announce puts a member into the page beside its objects, as it stands:
// Announce("nextUri", `{"href": "/more"}`). It is there although the list is whole.
func Announce(member, value string) Fault {
	return Fault{Name: "announce " + member + " " + value, twist: func(p *page) {
		p.announced = append(p.announced, field{member, json.RawMessage(value)})
	}}
}
