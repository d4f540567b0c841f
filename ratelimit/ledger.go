package ratelimit

import "context"

// A Ledger is one cell of bytes that outlives the process and may be shared by many: the account of
// one quota. Limiters write their claims there before they use them.
//
// A store with conditional commits is a Ledger: Load gets a key, Swap puts it on
// condition that it still holds prev, and a failed condition is (false, nil).
// The content is JSON, at most about 10 kB for each process that is active.
//
// Every method is safe for concurrent use and linearizable: a Load that begins after a Swap has
// returned true sees that Swap, or a later one. It returns early when the context ends.
type Ledger interface {
	// Load returns the content, or nil if there is none yet. The caller may keep
	// the slice and does not change it.
	Load(ctx context.Context) ([]byte, error)

	// Swap makes next the content if the content is prev byte for byte, where nil
	// is no content yet, and reports whether it did. What it has stored is durable
	// when it returns true. After an error the content may be either, and may become
	// next later, as long as it is still prev. It does not change or keep the slices.
	Swap(ctx context.Context, prev, next []byte) (bool, error)
}
