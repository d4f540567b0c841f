package environment

import "context"

// Thaw ends the times for which the org has asked this process to wait (Status: Quota.Frozen),
// for a person who knows better. The org's next answer may ask anew.
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
