package environment

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage"
)

// Forget erases one object's whole history, as a law on personal data may demand, and leaves only
// the fact that it did. If the org still has the object, the next pass records it again. The type is
// given by name or label. It waits for a pass over the type that is under way. For a production
// environment confirm must be its name; otherwise the error is ErrUnconfirmed.
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

// forgetTraces erases what is kept of an object beside the history: errors of passes that name it.
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

// spellings returns how an error may name an object: by its ID or, as a path does, by the last part of
// that, each also quoted or escaped.
func spellings(id string) []string {
	if id == "" {
		return nil
	}
	parts := genesys.SplitID(id)
	all := []string{id, parts[len(parts)-1]}
	for _, text := range slices.Clone(all) {
		quoted := strconv.Quote(text)
		all = append(all, quoted[1:len(quoted)-1], url.PathEscape(text), url.QueryEscape(text))
	}
	return all
}

// forgetErrors replaces in b the errors that are remembered of any type where they name id.
func (s *session) forgetErrors(ctx context.Context, b *storage.Batch, id string) error {
	const forgotten = "it named an object that is forgotten"
	names := func(text string) bool {
		return slices.ContainsFunc(spellings(id), func(s string) bool { return s != "" && strings.Contains(text, s) })
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
