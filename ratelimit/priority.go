package ratelimit

import (
	"context"
	"fmt"
)

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

// String returns "background", "interactive" or, for an unknown one, "priority 7".
func (p Priority) String() string {
	switch p {
	case Background:
		return "background"
	case Interactive:
		return "interactive"
	}
	return fmt.Sprintf("priority %d", uint8(p))
}

// WithPriority returns a context whose requests have the priority p.
func WithPriority(ctx context.Context, p Priority) context.Context {
	c := classOf(ctx)
	c.priority = p
	return context.WithValue(ctx, classKey{}, c)
}

// WithKey returns a context whose requests belong to the key: a group of requests
// to which the server applies a limit of its own, such as one route. When the
// answer to such a request asks to wait (Retry-After), only requests of this key
// do so. Requests without a key, which is the default, hold up all requests.
func WithKey(ctx context.Context, key string) context.Context {
	c := classOf(ctx)
	c.key = key
	return context.WithValue(ctx, classKey{}, c)
}

type classKey struct{}

// A class is what the context says about a request.
type class struct {
	priority Priority
	key      string
}

func classOf(ctx context.Context) class {
	c, _ := ctx.Value(classKey{}).(class)
	return c
}
