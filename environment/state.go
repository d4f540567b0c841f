package environment

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage"
)

// What is remembered between passes. The objects themselves, which of them are missing, and how
// the last pass ended are in history. What the environment needs beside that to judge the next
// pass is a TypeState, one key of the store for each type. It is written by the commit that ends
// the pass, so it never says more than what was recorded. When each type was last due is in due.go.

// A TypeState is what is remembered of a type beside its history.
type TypeState struct {
	Type        string    `json:"type"`                  // its name
	Checked     time.Time `json:"checked"`               // when the last pass ended
	Unavailable string    `json:"unavailable,omitempty"` // why this client cannot read the type
	Failed      string    `json:"failed,omitempty"`      // the error of the last pass

	// Since is when the present outcome began: passes fail, find the type unavailable, or neither.
	Since time.Time `json:"since,omitzero"`

	// Requests that a pass without changes needs, measured by the last pass that succeeded.
	Requests int64 `json:"requests"`
	Measured bool  `json:"measured"` // whether there was such a pass

	// Imported is the number of the last import that read the type; an import that goes on after
	// an interruption leaves out the types that have its own number.
	Imported int64 `json:"imported,omitempty"`

	// Coverage is what the client saw in the last complete pass: IDs of divisions, "" for all.
	// Selects is what the list was asked to hold in that pass. Both are nil before there was one,
	// and in a store of a version that did not record them. If either grew since, what shows up
	// is not new.
	Coverage *string `json:"sight,omitempty"`
	Selects  *string `json:"selects,omitempty"`

	// From is the ID of the parent that the next pass asks first, after a pass in which no parent
	// let what is below it be read. So one parent that always refuses does not hide the others.
	From string `json:"from,omitempty"`

	// Unproven is since when no pass was complete, so that deletions may not be on record.
	Unproven time.Time `json:"unproven,omitzero"`

	// Masked is set while there are secrets under names that customers chose,
	// such as a column of a data table: genesys.SecretMark stands for them, and
	// they are not compared. What else is not is in the type's Uncompared.
	Masked bool `json:"masked,omitempty"`
}

// selectsMore reports whether the list of t may hold objects that the list of the last complete
// pass left out, because the catalogue asks for more by now.
func (state TypeState) selectsMore(t genesys.ObjectType) bool {
	if state.Selects == nil { // a store of a version that did not record it
		return t.OnceNarrower()
	}
	return *state.Selects != t.Selects()
}

// note remembers how a pass ended that history has no record of, because it failed or the type is
// unavailable, and gives the lease back. A pass that history has recorded was noted by the commit
// that ended it; see session.walk.
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

// after returns what is to be remembered after a pass that ended at now. failed is the text of its
// error, "" if it has none. A failed pass leaves the measured requests and the import as they were.
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

// putState adds to b what is remembered of a type, and that the tick has had its pass if the pass
// was made for one. It is in the commit that ends the pass, or the pass would be made twice after
// a kill between the two.
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

// typeState reads what is remembered of a type, the zero TypeState of that name if nothing is.
func (s *session) typeState(ctx context.Context, typeName string) (TypeState, error) {
	state, err := storage.GetJSON[TypeState](ctx, s.engine.store, ownKey(s.record.ID, "type", typeName))
	if errors.Is(err, storage.ErrNotFound) {
		return TypeState{Type: typeName}, nil
	}
	return state, err
}
