package environment

import (
	"context"
	"encoding/json"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// An overview is what is known of all types of an environment. It is read with two scans and not
// with two reads a type, because the store may be on another machine.
type overview struct {
	states map[string]TypeState       // by type
	passes map[string]history.Summary // the last one of each type
}

// overview reads it.
func (s *session) overview(ctx context.Context) (overview, error) {
	o := overview{map[string]TypeState{}, map[string]history.Summary{}}
	for entry, err := range s.engine.store.Scan(ctx, storage.Prefix(ownKey(s.record.ID, "type")+"/")) {
		var state TypeState
		if err == nil {
			err = json.Unmarshal(entry.Value, &state)
		}
		if err != nil {
			return o, err
		}
		o.states[state.Type] = state
	}
	for pass, err := range s.history.Passes(ctx) {
		if err != nil {
			return o, err
		}
		o.passes[pass.Type] = pass
	}
	return o, nil
}

// cost returns what one pass over a type takes: as measured, or else a request for each list that
// the type has: its variants, or the known objects of its parent.
func (o overview) cost(t genesys.ObjectType) TypeForecast {
	cost := TypeForecast{Type: t.Name, Requests: float64(max(1, len(t.Variants)))}
	state := o.states[t.Name]
	switch {
	case state.Unavailable != "":
		cost.Requests, cost.Measured = 0, true // one try a day
	case state.Measured:
		cost.Requests, cost.Measured = float64(state.Requests), true
	case t.Parent != "":
		if parents, ok := o.passes[t.Parent]; ok {
			cost.Requests = float64(parents.Objects)
		}
	}
	return cost
}
