package environment

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/storage"
)

// Where client secrets are sealed and opened. A secret is in the clear in three places only: in the
// Record that a caller passes to Create, Update or Put, until it is sealed; in the client, once
// session.connect has opened it; and in what the client sends to the login service. Records that
// are stored, returned or passed to Authorize have none.

// A Vault decides how client secrets are kept. It must be safe for concurrent use.
//
// A secret is for one OAuth client at one org. Whoever can edit the store must not be able to have
// it sent elsewhere by editing the record. So a Vault that stores something binds it to r's ID,
// ClientID, BaseURL and LoginURL, and opens it for no other record; the two URLs are given in one
// form, however the record spells them.
type Vault interface {
	// Seal returns what is stored in place of the secret; nil stores nothing.
	Seal(ctx context.Context, r Record, secret Secret) ([]byte, error)
	// Open returns the secret again, for a new client, for Put and for Reseal. sealed is what
	// Seal returned; it is nil if Seal returned nil or the record was never given a secret. An
	// error should match ErrSealed or ErrNoSecret, which Validate explains to the user.
	Open(ctx context.Context, r Record, sealed []byte) (Secret, error)
}

// SecretFunc is a Vault that stores nothing and calls the function, such as one that asks a secret
// manager, for the secret of a record whenever a client is made.
type SecretFunc func(ctx context.Context, r Record) (Secret, error)

// Seal implements Vault.
func (f SecretFunc) Seal(context.Context, Record, Secret) ([]byte, error) { return nil, nil }

// Open implements Vault.
func (f SecretFunc) Open(ctx context.Context, r Record, _ []byte) (Secret, error) { return f(ctx, r) }

// Errors of what needs the client secret, for errors.Is. Both are mended by giving
// the secret again, in Update or Put.
var (
	// ErrSealed reports a secret that cannot be opened: its key is missing, or the
	// record was changed in the store to name another client or host.
	ErrSealed = errors.New("environment: the client secret cannot be opened")
	// ErrNoSecret reports a record that was never given a secret.
	ErrNoSecret = errors.New("environment: the record has no client secret; give it in Update or Put")
)

// keyVault is the Vault of NewKeyVault.
type keyVault struct {
	sealer  cipher.AEAD
	openers []cipher.AEAD // all keys, the sealer's first
}

// NewKeyVault returns a Vault that seals secrets with AES-256-GCM. Keys are 32 random bytes each,
// as NewKey makes them; processes that share a store need the same ones. The first one seals; the
// others only open, so that a key is rotated by putting the new one in front and calling
// Engine.Reseal.
func NewKeyVault(key []byte, older ...[]byte) (Vault, error) {
	v := &keyVault{}
	for i, k := range append([][]byte{key}, older...) {
		if len(k) != 32 {
			return nil, fmt.Errorf("environment: key %d has %d bytes; want the 32 that NewKey makes", i+1, len(k))
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("environment: key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("environment: key %d: %w", i+1, err)
		}
		v.openers = append(v.openers, aead)
	}
	v.sealer = v.openers[0]
	return v, nil
}

// Seal implements Vault.
func (v *keyVault) Seal(_ context.Context, r Record, secret Secret) ([]byte, error) {
	return v.sealer.Seal(nil, nil, []byte(secret.Reveal()), boundTo(r)), nil
}

// Open implements Vault.
func (v *keyVault) Open(_ context.Context, r Record, sealed []byte) (Secret, error) {
	if len(sealed) == 0 {
		return Secret{}, ErrNoSecret
	}
	for _, aead := range v.openers {
		if plain, err := aead.Open(nil, nil, sealed, boundTo(r)); err == nil {
			return NewSecret(string(plain)), nil
		}
	}
	return Secret{}, fmt.Errorf("%w: no key of the vault fits what is stored of environment %d (%s)", ErrSealed, r.ID, r.Name)
}

// boundTo is authenticated with the secret: the seal breaks when one of these differs.
func boundTo(r Record) []byte {
	return fmt.Appendf(nil, "cxsync client secret %d %q %q %q", r.ID, r.ClientID, r.BaseURL, r.LoginURL)
}

// A storedSecret is what the store holds of a client secret.
type storedSecret struct {
	For    string `json:"for"` // the audience, to tell an edited record from a missing key
	Sealed []byte `json:"sealed"`
}

// audience names whom the client secret may be shown to.
func (r Record) audience() string {
	r = r.resolved()
	return fmt.Sprintf("client %s at %s, login at %s", r.ClientID, r.BaseURL, r.LoginURL)
}

// resolved returns the record with both of its URLs in one form, so that another
// spelling of the same region is no other audience.
func (r Record) resolved() Record {
	if api, login, err := genesys.ResolveURLs(r.BaseURL, r.LoginURL); err == nil {
		r.BaseURL, r.LoginURL = api, login
	}
	return r
}

// putSecret adds to b the secret of r, sealed. A Vault that stores nothing adds nothing.
func (e *Engine) putSecret(ctx context.Context, b *storage.Batch, r Record, secret Secret) error {
	if e.opts.Vault == nil {
		return errors.New("a client secret cannot be kept without Options.Vault")
	}
	sealed, err := e.opts.Vault.Seal(ctx, r.withoutSecret().resolved(), secret)
	if err != nil || sealed == nil {
		return err
	}
	return b.PutJSON(ownKey(r.ID, "secret"), storedSecret{r.audience(), sealed})
}

// secret opens the client secret of a record. The error matches ErrSealed or ErrNoSecret if that is
// for a person to mend. That the record still names whom the secret was sealed for is checked
// here, to say so, and by the seal itself, against an edit of both.
func (e *Engine) secret(ctx context.Context, r Record) (Secret, error) {
	if e.opts.Vault == nil {
		return Secret{}, errors.New("the client secret cannot be opened without Options.Vault")
	}
	stored, err := e.storedSecret(ctx, r.ID)
	if err != nil {
		return Secret{}, err
	}
	if now := r.audience(); stored.Sealed != nil && stored.For != now {
		return Secret{}, fmt.Errorf("%w: it is for %s, and the record was changed to %s; give the secret again", ErrSealed, stored.For, now)
	}
	secret, err := e.opts.Vault.Open(ctx, r.resolved(), stored.Sealed)
	if err == nil && secret.IsZero() {
		err = ErrNoSecret
	}
	return secret, err
}

// storedSecret reads what the store holds of a secret, the zero storedSecret if nothing.
func (e *Engine) storedSecret(ctx context.Context, id int64) (stored storedSecret, err error) {
	raw, err := e.store.Get(ctx, ownKey(id, "secret"))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return stored, nil
	case err != nil:
		return stored, err
	case bytes.HasPrefix(raw, []byte(`"`)):
		// Such a seal bound the environment's ID alone: it opens whatever host the record names.
		return stored, fmt.Errorf("%w: it was sealed by an earlier version, which did not bind it to its host; give the secret again", ErrSealed)
	}
	return stored, json.Unmarshal(raw, &stored)
}

// checkAudience refuses an update that would have the stored secret of old sent to somebody else:
// who may edit a record need not know its secret, and must not learn it by naming a host of theirs.
func (e *Engine) checkAudience(ctx context.Context, old, r Record) error {
	if !r.ClientSecret.IsZero() || old.audience() == r.audience() {
		return nil
	}
	if stored, err := e.storedSecret(ctx, r.ID); err == nil && stored.Sealed == nil {
		return nil // the vault keeps it elsewhere, or there is none
	} else if err != nil && !errors.Is(err, ErrSealed) {
		return err
	}
	var invalid InvalidError
	invalid.add("client_secret", "is needed again: the stored one is for %s, and the record now names %s", old.audience(), r.audience())
	return &invalid
}

// Reseal seals every client secret anew, with the first key of the vault. Once it has returned nil
// the older keys are no longer needed. A secret that cannot be opened is in the error (ErrSealed), as
// is a record that cannot be read, and does not keep the others from being sealed. A record that Authorize denies ends it, because
// the older keys are then still needed. It can be interrupted and repeated.
func (e *Engine) Reseal(ctx context.Context) error {
	var errs []error
	for r, err := range e.records(ctx) {
		if _, one := errors.AsType[*unreadableError](err); one {
			errs = append(errs, err)
			continue
		}
		if err == nil {
			err = e.authorize(ctx, OpUpdate, r, r)
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := e.reseal(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("environment: sealing the secret of %q: %w", r.Name, err))
		}
	}
	return errors.Join(errs...)
}

// reseal seals the secret of one record anew, if the store holds one.
func (e *Engine) reseal(ctx context.Context, r Record) error {
	return storage.Update(ctx, e.store, func(b *storage.Batch) error {
		raw, err := e.store.Get(ctx, ownKey(r.ID, "secret"))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		secret, err := e.secret(ctx, r)
		if err != nil {
			return err
		}
		b.Require(ownKey(r.ID, "secret"), raw)
		return e.putSecret(ctx, b, r, secret)
	})
}

// NewKey returns a new random key for NewKeyVault.
func NewKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand.Read
	return key
}
