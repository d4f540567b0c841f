package storage

import (
	"context"
	"errors"
)

// A ManyGetter is a Store that reads many keys at the price of one.
type ManyGetter interface {
	// GetMany returns the values of those keys that have one. A key may be
	// there twice. Each value is what Get would have returned at some moment of
	// the call; that moment need not be the same for all. An invalid key fails
	// the whole call with ErrInvalid. The caller owns what it gets.
	GetMany(ctx context.Context, keys []string) (map[string][]byte, error)
}

// GetMany returns the values of those keys that have one, as [ManyGetter] says.
// A Store without that power reads them one by one.
func GetMany(ctx context.Context, s Store, keys []string) (map[string][]byte, error) {
	if m, ok := s.(ManyGetter); ok {
		return m.GetMany(ctx, keys)
	}
	values := make(map[string][]byte, len(keys))
	for _, key := range keys {
		value, err := s.Get(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, err
		default:
			values[key] = value
		}
	}
	return values, nil
}
