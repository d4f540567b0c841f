package environment

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage"
)

// A TypeState is what is remembered of an object type beside its history.
type TypeState struct {
	Type        string    `json:"type"`
	Checked     time.Time `json:"checked"`               // when the last pass ended
	Unavailable string    `json:"unavailable,omitempty"` // why this client cannot read it
	Failed      string    `json:"failed,omitempty"`      // the error of the last pass
	Since       time.Time `json:"since,omitzero"`        // since when passes end as the last one did: fail, find it unavailable, or neither
	Requests    int64     `json:"requests"`              // of a pass in which nothing changes, from the last one that was neither
	Imported    int64     `json:"imported,omitempty"`    // number of the last import that read it
	Measured    bool      `json:"measured"`              // whether there was such a pass
	Coverage    *string   `json:"sight,omitempty"`       // what the client saw in the last complete pass: divisions, "" for all
	Selects     *string   `json:"selects,omitempty"`     // what the list was asked to hold in that pass
	From        string    `json:"from,omitempty"`        // the parent to begin with, while none lets what is below it be read
	Unproven    time.Time `json:"unproven,omitzero"`     // since when passes do not prove what is gone

	// Masked is set while there are secrets under names that customers chose,
	// such as a column of a data table: genesys.SecretMark stands for them, and
	// they are not compared. What else is not is in the type's Uncompared.
	Masked bool `json:"masked,omitempty"`
}

// selectsMore reports whether the list may hold what the one of the last complete pass left out.
func (state TypeState) selectsMore(t genesys.ObjectType) bool {
	if state.Selects == nil { // a store of a version that did not record it
		return t.OnceNarrower()
	}
	return *state.Selects != t.Selects()
}

// note remembers how a pass ended that was not recorded, and ends its lease.
func (s *session) note(ctx context.Context, lease *lease, o occasion, result PassResult, passErr error) error {
	failed := ""
	if passErr != nil {
		failed = passErr.Error()
	}
	state, err := s.typeState(ctx, result.Type)
	if err != nil {
		return err
	}
	var b storage.Batch
	if err := s.putState(&b, o, state.after(o, result, failed, s.now())); err != nil {
		return err
	}
	return lease.finish(ctx, s.engine.store, &b)
}

// after returns what is to be remembered after a pass.
func (state TypeState) after(o occasion, result PassResult, failed string, now time.Time) TypeState {
	if state.Since.IsZero() || (state.Failed != "") != (failed != "") || (state.Unavailable != "") != (result.Unavailable != "") {
		state.Since = now
	}
	state.Checked, state.Unavailable, state.Failed = now, result.Unavailable, failed
	state.From = result.next
	if result.Complete {
		state.Unproven = time.Time{}
	} else if state.Unproven.IsZero() && result.Unavailable == "" {
		state.Unproven = state.Checked
	}
	if failed != "" {
		return state
	}
	if result.Unavailable == "" {
		state.Requests, state.Measured = int64(math.Round(result.steady)), true
	}
	state.Imported = max(state.Imported, o.importing)
	return state
}

// putState adds to b what is remembered of a type, and that the tick has had its pass.
func (s *session) putState(b *storage.Batch, o occasion, state TypeState) error {
	if err := b.PutJSON(ownKey(s.record.ID, "type", state.Type), state); err != nil {
		return err
	}
	if o.tick.IsZero() {
		return nil
	}
	due := dueTimes{s.engine.store, s.record.ID}
	return due.put(b, state.Type, o.tick)
}

func (s *session) typeState(ctx context.Context, typeName string) (TypeState, error) {
	state, err := storage.GetJSON[TypeState](ctx, s.engine.store, ownKey(s.record.ID, "type", typeName))
	if errors.Is(err, storage.ErrNotFound) {
		return TypeState{Type: typeName}, nil
	}
	return state, err
}
