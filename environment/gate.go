package environment

import "context"

// A gate lets one in at a time, and those who wait can leave with their context.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

// do runs f inside the gate.
func (g gate) do(ctx context.Context, f func() error) error {
	select {
	case g <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-g }()
	return f()
}
