package environment

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// AcceptRemovals records objects as deleted whose removal a pass withheld. The
// type is given by name or label.
func (e *Engine) AcceptRemovals(ctx context.Context, id int64, typeName string, ids ...string) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpAccept, s.record, s.record)
	}
	if err == nil {
		typeName, err = e.recordedType(ctx, s.history, typeName)
	}
	if err != nil {
		return err
	}
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		return s.history.Fenced(lease.Fence).AcceptRemovals(ctx, typeName, ids...)
	}, "pass", typeName)
	e.recordedOf(id).notify()
	return err
}

// Forget erases one object's whole history and leaves only the fact that it
// did. The type is given by name or label. For a production environment confirm
// must be its name.
func (e *Engine) Forget(ctx context.Context, id int64, typeName, objectID, confirm string) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpForget, s.record, s.record)
	}
	if err == nil {
		err = s.record.confirmed(confirm, "erases the history of an object")
	}
	if err == nil {
		typeName, err = e.recordedType(ctx, s.history, typeName)
	}
	if err != nil {
		return err
	}
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		// First, because a Forget that has erased the object may not find it again.
		if err := s.forgetTraces(ctx, lease, objectID); err != nil {
			return err
		}
		return s.history.Fenced(lease.Fence).Forget(ctx, typeName, objectID)
	}, "pass", typeName)
	e.recordedOf(id).notify()
	return err
}

// recordedType returns the name of an object type, which may be one that the
// catalogue no longer has.
func (e *Engine) recordedType(ctx context.Context, h *history.History, nameOrLabel string) (string, error) {
	name, unknown := e.typeName(nameOrLabel)
	if unknown == nil {
		return name, nil
	}
	for pass, err := range h.Passes(ctx) { // a type that an earlier catalogue had
		if err != nil {
			return "", err
		}
		if pass.Type == nameOrLabel {
			return nameOrLabel, nil
		}
	}
	return "", unknown
}

// forgetTraces erases what is kept of an object beside the history: errors that
// name it.
func (s *session) forgetTraces(ctx context.Context, lease *lease, objectID string) error {
	for {
		var b storage.Batch
		lease.Fence(&b)
		b.Require(aliveKey(s.record.ID), alive)
		if err := s.forgetErrors(ctx, &b, objectID); err != nil {
			return err
		}
		err := s.engine.store.Commit(ctx, &b)
		if !errors.Is(err, storage.ErrConflict) || lease.Lost(err) || isDeleted(s.record.ID, err) {
			return err
		} // else another type was read meanwhile
	}
}

// forgetErrors replaces in b what is remembered of types where it names id.
func (s *session) forgetErrors(ctx context.Context, b *storage.Batch, id string) error {
	const forgotten = "it named an object that is forgotten"
	quoted := strconv.Quote(id)
	names := func(text string) bool {
		return id != "" && (strings.Contains(text, id) || strings.Contains(text, quoted[1:len(quoted)-1]))
	}
	for entry, err := range s.engine.store.Scan(ctx, storage.Prefix(ownKey(s.record.ID, "type")+"/")) {
		var state TypeState
		if err == nil {
			err = json.Unmarshal(entry.Value, &state)
		}
		if err != nil {
			return err
		}
		found := false
		for _, text := range []*string{&state.Failed, &state.Unavailable} {
			if names(*text) {
				*text, found = forgotten, true
			}
		}
		if id != "" && state.From == id {
			state.From, found = "", true
		}
		if !found {
			continue
		}
		b.Require(entry.Key, entry.Value)
		if err := b.PutJSON(entry.Key, state); err != nil {
			return err
		}
	}
	return nil
}
