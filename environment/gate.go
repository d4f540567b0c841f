package environment

import "context"

// A gate is a mutex whose waiters give up when their context ends. It guards what takes requests or
// commits, as a plain mutex guards memory.
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
