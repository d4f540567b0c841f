package environment

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/cxsync/cxsync/storage"
)

// A Vault decides how client secrets are kept.
type Vault interface {
	// Seal returns what may be stored in place of the secret; nil stores nothing.
	Seal(ctx context.Context, r Record, secret Secret) ([]byte, error)
	// Open returns the secret again. sealed is what Seal returned, nil if that was nothing.
	Open(ctx context.Context, r Record, sealed []byte) (Secret, error)
}

// SecretFunc is a Vault that stores nothing and asks f for the secret whenever
// a client is made.
type SecretFunc func(ctx context.Context, r Record) (Secret, error)

// Seal implements Vault.
func (f SecretFunc) Seal(context.Context, Record, Secret) ([]byte, error) { return nil, nil }

// Open implements Vault.
func (f SecretFunc) Open(ctx context.Context, r Record, _ []byte) (Secret, error) { return f(ctx, r) }

// ErrSealed is in the error of an Open that no key fits.
var ErrSealed = errors.New("environment: no key opens the client secret")

type keyVault struct {
	sealer  cipher.AEAD
	openers []cipher.AEAD
}

// NewKeyVault returns a Vault that seals secrets with AES-256-GCM. Keys are 32
// random bytes each. The first one seals; the others only open, so that a key
// is rotated by putting the new one in front and calling Engine.Reseal.
func NewKeyVault(key []byte, older ...[]byte) (Vault, error) {
	v := &keyVault{}
	for i, k := range append([][]byte{key}, older...) {
		if len(k) != 32 {
			return nil, fmt.Errorf("environment: key %d has %d bytes; AES-256 takes 32", i+1, len(k))
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

// Seal implements Vault. The environment's ID is bound in, so that a sealed
// secret is of no use in another record.
func (v *keyVault) Seal(_ context.Context, r Record, secret Secret) ([]byte, error) {
	return v.sealer.Seal(nil, nil, []byte(secret.Reveal()), boundTo(r)), nil
}

// Open implements Vault.
func (v *keyVault) Open(_ context.Context, r Record, sealed []byte) (Secret, error) {
	for _, aead := range v.openers {
		if plain, err := aead.Open(nil, nil, sealed, boundTo(r)); err == nil {
			return NewSecret(string(plain)), nil
		}
	}
	return Secret{}, fmt.Errorf("%w of environment %d (%s)", ErrSealed, r.ID, r.Name)
}

func boundTo(r Record) []byte { return strconv.AppendInt([]byte("cxsync client secret "), r.ID, 10) }

// Reseal seals every client secret anew, with the first key of the vault. Once it
// has returned nil the older keys are no longer needed. A secret that cannot be
// opened is in the error (ErrSealed), and does not keep the others from being
// sealed. It can be interrupted and repeated.
func (e *Engine) Reseal(ctx context.Context) error {
	var errs []error
	for r, err := range e.records(ctx) {
		if err == nil {
			err = e.authorize(ctx, OpUpdate, r)
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
