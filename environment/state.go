package environment

import (
	"context"
	"errors"
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
	Requests    int64     `json:"requests"`              // of a pass in which nothing changes, from the last one that was neither
	Imported    int64     `json:"imported,omitempty"`    // number of the last import that read it
	Measured    bool      `json:"measured"`              // whether there was such a pass
}

// note remembers how a pass ended, and ends its turn. An interrupted pass is
// not over, so nothing is remembered of it.
func (s *session) note(ctx context.Context, turn *turn, t genesys.ObjectType, o occasion, result PassResult, passErr error) error {
	if ended(ctx) {
		return nil
	}
	state, err := s.typeState(ctx, t.Name)
	if err != nil {
		return err
	}
	state.Type, state.Checked = t.Name, time.Now().UTC()
	state.Unavailable, state.Failed = result.Unavailable, ""
	if o.importing > 0 && passErr == nil {
		state.Imported = o.importing
	}
	if passErr != nil {
		state.Failed = passErr.Error()
	} else if result.Unavailable == "" {
		state.Requests, state.Measured = result.steady, true
	}
	var b storage.Batch
	if err := b.PutJSON(ownKey(s.record.ID, "type", t.Name), state); err != nil {
		return err
	}
	if !o.tick.IsZero() {
		due := dueTimes{s.engine.store, s.record.ID}
		if err := due.put(&b, t.Name, o.tick); err != nil {
			return err
		}
	}
	return turn.finish(ctx, s.engine.store, &b)
}

func (s *session) typeState(ctx context.Context, objectType string) (TypeState, error) {
	state, err := storage.GetJSON[TypeState](ctx, s.engine.store, ownKey(s.record.ID, "type", objectType))
	if errors.Is(err, storage.ErrNotFound) {
		return TypeState{Type: objectType}, nil
	}
	return state, err
}
