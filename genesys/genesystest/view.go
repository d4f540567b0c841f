package genesystest

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"
)

// sees reports whether a request gets the object at a position.
func (o *Org) sees(s *shape, parentID string, pos int, f filter, hides bool) bool {
	for _, c := range f.conditions {
		if !c.holds(func(field string) string { return o.fieldAt(s, parentID, pos, field) }) {
			return false
		}
	}
	return !hides || o.covers(o.member(s, parentID, pos, "division"))
}

// fieldAt is what a field of the body at a position says; a dot leads below its member.
func (o *Org) fieldAt(s *shape, parentID string, pos int, path string) string {
	name, below, deeper := strings.Cut(path, ".")
	raw := o.member(s, parentID, pos, name)
	if deeper {
		return lookupText(raw, below)
	}
	return scalar(raw)
}

// member is one member of the body at a position, without the work of the others.
func (o *Org) member(s *shape, parentID string, pos int, name string) json.RawMessage {
	if e := o.editAt(s, parentID, pos); e != nil {
		if body, there := o.seen(e); !there || body != nil {
			return lookup(o.released(s, parentID, pos, body), name)
		}
	}
	if len(s.releases) > 0 {
		return lookup(o.render(s, parentID, pos, everything, false), name)
	}
	body, ok := s.body.(object)
	if !ok {
		return nil
	}
	c := o.scope(s, parentID, pos)
	c.expand = everything
	body.renderMember(c, name)
	return c.out
}

// positions walks the positions of a list that hold an object, in order, as requests see them now.
func (o *Org) positions(s *shape, parentID string) iter.Seq[int] {
	base := o.baseCount(s, parentID)
	l := o.list(s, parentID)
	if l == nil {
		l = &list{}
	}
	return func(yield func(int) bool) {
		for pos := range base + l.created {
			e := l.edited[pos]
			if e == nil && pos >= base {
				continue
			}
			if e != nil {
				if _, there := o.seen(e); !there {
					continue
				}
			}
			if !yield(pos) {
				return
			}
		}
	}
}

// A view is what a list request pages through.
type view struct {
	all  bool // every position below n
	n    int
	list []int32
}

func (v view) len() int {
	if v.all {
		return v.n
	}
	return len(v.list)
}

func (v view) at(i int) int {
	if v.all {
		return i
	}
	return int(v.list[i])
}

// from is the index of the first position that is not below pos.
func (v view) from(pos int) int {
	if v.all {
		return min(pos, v.n)
	}
	low, high := 0, len(v.list)
	for low < high {
		if mid := (low + high) / 2; int(v.list[mid]) < pos {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// A viewKey names a view that took work to make; a few are kept until an edit.
type viewKey struct {
	typ, parentID string
	filter        string
	revision      int
}

const keptViews = 16

// view returns the positions that a request sees.
func (o *Org) view(s *shape, parentID string, f filter) view {
	hides := o.hides(s)
	l := o.list(s, parentID)
	if f.empty() && !hides && l == nil {
		return view{all: true, n: o.baseCount(s, parentID)}
	}
	key := viewKey{s.t.Name, parentID, f.key(), o.revision}
	if v, ok := o.views[key]; ok {
		return v
	}
	v := view{list: []int32{}}
	for pos := range o.positions(s, parentID) {
		if !o.sees(s, parentID, pos, f, hides) {
			continue
		}
		v.list = append(v.list, int32(pos))
	}
	if f.sortBy != "" {
		o.sortView(s, parentID, v.list, f)
	}
	if o.lags() {
		return v // it moves with time
	}
	if len(o.views) >= keptViews {
		clear(o.views)
	}
	o.views[key] = v
	return v
}

// sortView orders positions by a field of their objects. Objects that say the same keep their order.
func (o *Org) sortView(s *shape, parentID string, list []int32, f filter) {
	texts := make(map[int32]string, len(list))
	for _, pos := range list {
		texts[pos] = strings.ToLower(o.fieldAt(s, parentID, int(pos), f.sortBy))
	}
	slices.SortStableFunc(list, func(a, b int32) int {
		if f.descending {
			a, b = b, a
		}
		return strings.Compare(texts[a], texts[b])
	})
}

// bodyAt is the body at a position as requests see it now.
func (o *Org) bodyAt(s *shape, parentID string, pos int, expand string, inList bool) (json.RawMessage, bool) {
	body, there := o.stillAt(s, parentID, pos, expand, inList)
	return o.moving(s, o.shuffled(s, body)), there
}

// stillAt is bodyAt in the order that the org has.
func (o *Org) stillAt(s *shape, parentID string, pos int, expand string, inList bool) (json.RawMessage, bool) {
	e := o.editAt(s, parentID, pos)
	if e == nil {
		return o.render(s, parentID, pos, expand, inList), true
	}
	body, there := o.seen(e)
	if !there {
		return nil, false
	}
	if body == nil { // not yet edited for those who ask
		return o.render(s, parentID, pos, expand, inList), true
	}
	return s.reduce(o.released(s, parentID, pos, body), expand, inList), true
}

// reduce drops the members of a whole body that a request does not get.
func (s *shape) reduce(body json.RawMessage, expand string, inList bool) json.RawMessage {
	if body == nil || len(s.detail)+len(s.listOnly)+len(s.expand) == 0 {
		return body
	}
	all, err := parseFields(body)
	if err != nil {
		return body
	}
	kept := all[:0]
	for _, f := range all {
		if need := s.expand[f.key]; s.detail[f.key] && inList || s.listOnly[f.key] && !inList || need != "" && !expands(expand, need) {
			continue
		}
		kept = append(kept, f)
	}
	return kept.bytes()
}

// seen returns what requests see of an edit: with a consistency delay, what was there before.
// A nil body that is there is the generated one.
func (o *Org) seen(e *edit) (body json.RawMessage, there bool) {
	if o.opts.ConsistencyDelay > 0 && time.Since(e.at) < o.opts.ConsistencyDelay {
		return e.before, e.beforeThere
	}
	return e.body, e.body != nil
}

func (o *Org) lags() bool { return o.opts.ConsistencyDelay > 0 }

// hides reports whether the client's divisions hide objects of a type.
func (o *Org) hides(s *shape) bool {
	return o.divisions != nil && !strings.HasPrefix(s.t.Name, "authorization.divisions")
}

// covers reports whether a division, the member of an object, is one of the client's.
func (o *Org) covers(division []byte) bool {
	id := lookupText(division, "id")
	return id == "" || o.divisions[id]
}
