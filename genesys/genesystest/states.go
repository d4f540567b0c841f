package genesystest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A statePath leads to a member that moves by itself.
type statePath struct {
	fieldPath
	settles map[string]string // the values that are on their way to another one; nil if it moves on
}

// statesOf are the states in the bodies of a type, as the catalogue has them: progress, health and results move on, and
// what settles is on its way or there.
func statesOf(t genesys.ObjectType) []statePath {
	var states []statePath
	for _, u := range t.Uncompared() {
		if u.Class != genesys.FieldState || strings.Contains(u.Path, "*") || identifies(t, u.Path) {
			continue
		}
		states = append(states, statePath{newFieldPath(u.Path), u.Settles})
	}
	return states
}

// moving is a body with the states of this answer, if the org's options say that states move.
func (o *Org) moving(s *shape, body json.RawMessage) json.RawMessage {
	if !o.opts.MoveStates || body == nil {
		return body
	}
	by := o.author("")
	for _, state := range s.states {
		name := state.names[len(state.names)-1]
		body = state.rewrite(body, func(old json.RawMessage) json.RawMessage {
			if state.settles != nil {
				return unsettled(old, state.settles, o.access.requests)
			}
			for range 1 + o.access.requests%5 {
				now, isMoved := bumped(name, old, by)
				if !isMoved {
					break
				}
				old = now
			}
			return old
		})
	}
	return body
}

// unsettled is one of the values that settle at a member's value, or that value.
func unsettled(raw json.RawMessage, settles map[string]string, turn int) json.RawMessage {
	value, ok := jsonscan.String(raw)
	if !ok {
		return raw
	}
	values := []string{value}
	for _, from := range slices.Sorted(maps.Keys(settles)) {
		if settles[from] == value {
			values = append(values, from)
		}
	}
	return quote(values[turn%len(values)])
}
