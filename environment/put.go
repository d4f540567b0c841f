package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Put makes an environment of that name agree with the record: it creates one, or updates the one
// that is there, whatever ID and Revision r has. A record that says what is stored already changes
// nothing. So a program can put its configuration each time it starts, in many processes at once.
// A paused environment stays paused. It returns the record as it is stored now, without the secret.
// The errors are those of Create and Update, but not ErrStale.
func (e *Engine) Put(ctx context.Context, r Record, opts *UpdateOptions) (Record, error) {
	for {
		known, err := e.Find(ctx, r.Name)
		switch {
		case errors.Is(err, ErrNotFound):
			created, err := e.Create(ctx, r)
			if errors.Is(err, ErrNameTaken) && ctx.Err() == nil {
				continue // somebody else created it just now
			}
			return created, err
		case err != nil:
			return r, err
		}
		after := r.withDefaults()
		after.ID, after.Revision, after.Paused, after.Created = known.ID, known.Revision+1, known.Paused, known.Created
		// Before the secrets are compared, which would tell a guess from the secret.
		if err := e.authorize(ctx, OpUpdate, known, after); err != nil {
			return r, err
		}
		if same, err := e.same(ctx, known, r.withDefaults()); same || err != nil {
			return known, err
		}
		r.ID, r.Revision = known.ID, known.Revision
		updated, err := e.Update(ctx, r, opts)
		if errors.Is(err, ErrStale) && ctx.Err() == nil {
			continue
		}
		return updated, err
	}
}

// same reports whether a record, its secret included, says what a stored one says. It opens the
// stored secret to compare, since a seal is another one each time.
func (e *Engine) same(ctx context.Context, known, r Record) (bool, error) {
	a, err := known.said()
	if err != nil {
		return false, err
	}
	b, err := r.said()
	if err != nil || !bytes.Equal(a, b) || !known.Deleting.IsZero() {
		return false, err
	}
	if r.ClientSecret.IsZero() {
		return true, nil
	}
	secret, err := e.secret(ctx, known) // what cannot be opened is written anew
	return err == nil && secret.Reveal() == r.ClientSecret.Reveal(), nil
}

// said returns, as JSON, what a person decides in a record, without the secret.
func (r Record) said() ([]byte, error) {
	r.ID, r.Revision, r.Paused, r.ClientSecret = 0, 0, false, Secret{}
	r.Created, r.Updated, r.Deleting = time.Time{}, time.Time{}, time.Time{}
	return json.Marshal(r)
}
