package environment

import "context"

// AcceptRemovals records objects as deleted whose removal passes withhold, because a person knows
// that they are gone; History.Withheld lists them. The type is given by name or label. If one of
// the ids is not withheld, nothing is recorded and the error matches history.ErrNotFound. It waits
// for a pass over the type that is under way.
func (e *Engine) AcceptRemovals(ctx context.Context, id int64, typeName string, ids ...string) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpAccept, s.record, s.record)
	}
	if err == nil {
		typeName, err = e.recordedType(ctx, s.history, typeName)
	}
	if err != nil {
		return err
	}
	err = e.alone(ctx, id, func(ctx context.Context, lease *lease) error {
		return s.history.Fenced(lease.Fence).AcceptRemovals(ctx, typeName, ids...)
	}, "pass", typeName)
	e.recordedOf(id).notify()
	return err
}
