package ratelimit

import "context"

// A Priority says who goes first when slots are scarce.
type Priority uint8

const (
	// Background is work nobody waits for. It is spread evenly over the window, and
	// gets its guaranteed share however much interactive work there is. It is the
	// default.
	Background Priority = iota

	// Interactive is work a person waits for. It goes before background work and
	// may use all that is free at once.
	Interactive
)

// WithPriority returns a context whose requests have the priority p.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

type priorityKey struct{}

func priorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}
