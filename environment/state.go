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

// note remembers how a pass ended. It is written even when the pass was
// interrupted, but not for the interruption itself.
func (s *session) note(ctx context.Context, t genesys.ObjectType, result PassResult, passErr error, importNumber int64) error {
	select {
	case <-ctx.Done():
		return nil
	default:
	}
	state, err := s.typeState(ctx, t.Name)
	if err != nil {
		return err
	}
	state.Type, state.Checked = t.Name, time.Now().UTC()
	state.Unavailable, state.Failed = result.Unavailable, ""
	if importNumber > 0 && passErr == nil {
		state.Imported = importNumber
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
	return s.engine.store.Commit(ctx, &b)
}

func (s *session) typeState(ctx context.Context, objectType string) (TypeState, error) {
	state, err := storage.GetJSON[TypeState](ctx, s.engine.store, ownKey(s.record.ID, "type", objectType))
	if errors.Is(err, storage.ErrNotFound) {
		return TypeState{Type: objectType}, nil
	}
	return state, err
}
