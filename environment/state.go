package environment

import (
	"context"
	"encoding/json"
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
	Measured    bool      `json:"measured"`              // whether there was such a pass
}

// note remembers how a pass ended. It is written even when the pass was
// interrupted, but not for the interruption itself.
func (s *session) note(ctx context.Context, t genesys.ObjectType, result PassResult, passErr error) error {
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

// walkedBefore returns the parents whose children were all read, with the
// marker that the parent had then.
func (w *walker) walkedBefore(ctx context.Context) (map[string]string, error) {
	walked := map[string]string{}
	if len(w.t.Marker) == 0 {
		return walked, nil
	}
	for entry, err := range w.engine.store.Scan(ctx, storage.Prefix(w.walkedKey("")+"/")) {
		if err != nil {
			return nil, err
		}
		parts, err := storage.SplitKey(entry.Key)
		if err != nil {
			return nil, err
		}
		var marker string
		if err := json.Unmarshal(entry.Value, &marker); err != nil {
			return nil, err
		}
		walked[parts[len(parts)-1]] = marker
	}
	return walked, nil
}

// remember stores the parents whose children are all known now that the pass
// is recorded, so that a pass that was cut short is walked again.
func (w *walker) remember(ctx context.Context) error {
	if len(w.t.Marker) == 0 || w.t.Parent == "" {
		return nil
	}
	before, err := w.walkedBefore(ctx)
	if err != nil {
		return err
	}
	var b storage.Batch
	for parent, marker := range w.walked {
		if before[parent] != marker {
			if err := b.PutJSON(w.walkedKey(parent), marker); err != nil {
				return err
			}
		}
		delete(before, parent)
	}
	for parent := range before {
		b.Delete(w.walkedKey(parent))
	}
	if b.Len() == 0 {
		return nil
	}
	return w.engine.store.Commit(ctx, &b)
}

func (w *walker) walkedKey(parent string) string {
	if parent == "" {
		return ownKey(w.record.ID, "walked", w.t.Name)
	}
	return ownKey(w.record.ID, "walked", w.t.Name, parent)
}
