package environment

import (
	"context"
	"errors"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/ratelimit"
)

// Poll reads types of an environment now, given by name or label, parents first, one after the
// other and with interactive priority. They need not be among those that the record selects;
// without any, all selected types are read. If a pass over a type is under way, here or in another
// process, Poll waits for it and then makes its own, because the one under way may have passed an
// object before it was edited.
//
// The results are those of the passes that ended, in order. That there is no error does not say that
// all was read: PassResult.Unavailable is set for a type that this client cannot read, and Complete
// is false, with a Reason, where a list was not whole, so that no removal is recorded. An error of
// one type does not keep the others from being read; the error joins them. A deadline before which
// the quota has no slot is a *ratelimit.DeadlineError.
func (e *Engine) Poll(ctx context.Context, id int64, types ...string) ([]PassResult, error) {
	s, err := e.online(ctx, id, OpPoll)
	if err != nil {
		return nil, err
	}
	var wanted []genesys.ObjectType
	for _, nameOrLabel := range types {
		name, err := e.typeName(nameOrLabel)
		if err != nil {
			return nil, err
		}
		t, _ := s.client.Catalogue().Lookup(name)
		wanted = append(wanted, t)
	}
	if len(types) == 0 {
		wanted = e.Selected(s.record)
	}
	ctx = ratelimit.WithPriority(ctx, ratelimit.Interactive)
	var results []PassResult
	var errs []error
	for _, level := range e.opts.Catalogue.Levels(wanted) {
		for _, t := range level {
			result, err := s.pass(ctx, t, occasion{})
			if err != nil {
				errs = append(errs, err)
				continue
			}
			results = append(results, result)
		}
	}
	return results, errors.Join(errs...)
}
