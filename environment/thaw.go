package environment

import "context"

// Thaw ends the waits that the org has asked of this process with 429 and Retry-After (Quota.Frozen
// of Status), because a person knows better. Other processes still wait. The org's next answer may
// ask anew.
func (e *Engine) Thaw(ctx context.Context, id int64) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpUpdate, s.record, s.record)
	}
	if err == nil {
		s.limiter.Thaw()
	}
	return err
}
