package genesystest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// moving is a body with the states of this answer, if the org's options say that states move. What is a state is what
// the catalogue says of the type: progress, health and results move on, and what settles is on its way or there.
func (o *Org) moving(s *shape, body json.RawMessage) json.RawMessage {
	if !o.opts.MoveStates || body == nil {
		return body
	}
	by := o.author("")
	for _, u := range s.t.Uncompared() {
		if u.Class != genesys.FieldState || strings.Contains(u.Path, "*") || s.identifies(u.Path) {
			continue
		}
		body = rewrite(body, strings.Split(u.Path, "."), func(f *fields, name string) {
			if u.Settles != nil {
				unsettle(f, name, u.Settles, o.access.requests)
				return
			}
			for range 1 + o.access.requests%5 {
				bump(f, name, by)
			}
		})
	}
	return body
}

// unsettle puts one of the values that settle at a member's value in its place, or that value.
func unsettle(f *fields, name string, settles map[string]string, turn int) {
	raw, _ := f.get(name)
	value, ok := jsonscan.String(raw)
	if !ok {
		return
	}
	values := []string{value}
	for _, from := range slices.Sorted(maps.Keys(settles)) {
		if settles[from] == value {
			values = append(values, from)
		}
	}
	f.set(name, quote(values[turn%len(values)]))
}
