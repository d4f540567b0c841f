package environment

import (
	"context"
	"errors"

	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// A ledger keeps the quota record of an OAuth client under one key of the store, so that it
// outlives the process and is shared by all that use the store. Two processes that write at once
// are told apart by Swap: one of them has to read again.
type ledger struct {
	store storage.Store
	key   string
}

var _ ratelimit.Ledger = (*ledger)(nil)

// Load implements ratelimit.Ledger; nil is a quota that nobody has used.
func (l *ledger) Load(ctx context.Context) ([]byte, error) {
	content, err := l.store.Get(ctx, l.key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return content, err
}

// Swap implements ratelimit.Ledger.
func (l *ledger) Swap(ctx context.Context, prev, next []byte) (bool, error) {
	var b storage.Batch
	if prev == nil {
		b.RequireAbsent(l.key)
	} else {
		b.Require(l.key, prev)
	}
	b.Put(l.key, next)
	err := l.store.Commit(ctx, &b)
	if errors.Is(err, storage.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}
