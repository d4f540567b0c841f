package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/storage"
)

// How records are stored and read back. A record and its secret lie apart, so that whatever reads,
// shows or copies records cannot show a secret.

// Get returns a record without its client secret, or ErrNotFound.
func (e *Engine) Get(ctx context.Context, id int64) (Record, error) {
	r, _, err := e.read(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpRead, r, r)
	}
	if err != nil {
		return Record{}, err
	}
	return r, nil
}

// Find returns the record of that name, in any letter case, without its client secret, or
// ErrNotFound.
func (e *Engine) Find(ctx context.Context, name string) (Record, error) {
	if len(name) > 200 { // as no record has
		return Record{}, fmt.Errorf("%w named %q", ErrNotFound, printable.Brief(name, 200))
	}
	id, err := storage.GetJSON[int64](ctx, e.store, nameKey(foldName(name)))
	if errors.Is(err, storage.ErrNotFound) {
		return Record{}, fmt.Errorf("%w named %q", ErrNotFound, name)
	} else if err != nil {
		return Record{}, err
	}
	return e.Get(ctx, id)
}

// All returns the records that Options.Authorize lets the caller read, in the order
// of their IDs, without client secrets. One that cannot be read is an error, behind which the
// others come; an error of the store ends it.
func (e *Engine) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range e.records(ctx) {
			if err == nil && e.authorize(ctx, OpRead, r, r) != nil {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// records iterates over all records, also those that are being deleted. One that cannot be read, as
// it is damaged or of a newer version, is an *unreadableError, and hides no other; another error
// ends it.
func (e *Engine) records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for entry, err := range e.store.Scan(ctx, recordRange()) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			r, err := storedRecord(entry.Value)
			if err != nil {
				var id int64
				if _, scanErr := fmt.Sscanf(entry.Key, "environments/%d", &id); scanErr != nil {
					continue // no key of ours
				}
				err = &unreadableError{id, err}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// unreadableError reports a record that cannot be decoded.
type unreadableError struct {
	id  int64
	err error
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("environment: record %d cannot be read: %v", e.id, e.err)
}

func (e *unreadableError) Unwrap() error { return e.err }

// read returns a record and its bytes in the store, which a commit that changes the record requires
// (storage.Batch.Require), so that it fails if somebody else was faster. It asks nobody whether the
// caller may see the record.
func (e *Engine) read(ctx context.Context, id int64) (Record, []byte, error) {
	raw, err := e.store.Get(ctx, recordKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Record{}, nil, fmt.Errorf("%w with ID %d", ErrNotFound, id)
	} else if err != nil {
		return Record{}, nil, err
	}
	r, err := storedRecord(raw)
	if err != nil {
		return Record{}, nil, fmt.Errorf("environment: record %d: %w", id, err)
	}
	return r, raw, nil
}

// claimName adds to b that the record's name is taken, and makes the commit fail if it was taken
// meanwhile.
func (e *Engine) claimName(ctx context.Context, b *storage.Batch, r Record) error {
	key := nameKey(foldName(r.Name))
	if _, err := e.store.Get(ctx, key); err == nil {
		return fmt.Errorf("%w: %q", ErrNameTaken, r.Name)
	} else if !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	b.RequireAbsent(key)
	return b.PutJSON(key, r.ID)
}

// put adds the record to b, its secret apart and sealed.
func (e *Engine) put(ctx context.Context, b *storage.Batch, r Record) error {
	if !r.ClientSecret.IsZero() {
		if err := e.putSecret(ctx, b, r, r.ClientSecret); err != nil {
			return err
		}
	}
	return e.putRecord(b, r)
}

// putRecord adds to b a record that every process is to notice.
func (e *Engine) putRecord(b *storage.Batch, r Record) error {
	announce(b)
	return b.PutJSON(recordKey(r.ID), r.withoutSecret())
}

func (r Record) withoutSecret() Record {
	r.ClientSecret = Secret{}
	return r
}

// foldName returns the form in which names are compared.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// storedRecord reads a record as the store holds it, also one that was stored when
// types were called objects. The next update stores it under the names of today.
func storedRecord(raw []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, err
	}
	if !bytes.Contains(raw, []byte(`"object`)) {
		return r.withDefaults(), nil
	}
	type typed struct {
		Object string `json:"object"`
	}
	var old struct {
		Polling []typed  `json:"polling"`
		Ignore  []typed  `json:"ignore"`
		Objects []string `json:"objects"`
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		return Record{}, err
	}
	if r.Types == nil {
		r.Types = old.Objects
	}
	for i, entry := range old.Polling {
		if r.Polling[i].Type == "" {
			r.Polling[i].Type = entry.Object
		}
	}
	for i, rule := range old.Ignore {
		if r.Ignore[i].Type == "" {
			r.Ignore[i].Type = rule.Object
		}
	}
	return r.withDefaults(), nil
}
