package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// A pass reads one type and records what changed. The steps are:
//
//   - take the lease for the type (pass waits for it, tryPass does not);
//   - see that nobody has made the same pass meanwhile (had);
//   - find out what the client sees of the type and that its parents are known (begin, parentFirst);
//   - let history read the source to its end (makePass): it compares and commits batch by batch, each
//     fenced by the lease, and decides about removals at the end;
//   - with the last commit store what is remembered for the next pass, mark the tick as served, and
//     give the lease back: a kill leaves a pass that is either over in every respect, or to be made
//     again, and then finds recorded what it had committed;
//   - tell those who wait for news (conclude).
//
// A pass that its context cancelled is not over: nothing is remembered or told of it.

// A PassResult tells how a pass over one type ended.
type PassResult struct {
	history.Summary

	// Unavailable says why this client cannot read the type: a permission that
	// is missing, a feature that is off. Nothing was compared then.
	Unavailable string `json:"unavailable,omitempty"`

	// Requests that the pass sent, retries included.
	Requests int64 `json:"requests"`

	steady float64 // requests that a pass without changes needs
	next   string  // the parent to begin with the next time, if none let what is below it be read
}

// A PassStart tells of a pass that begins.
type PassStart struct {
	Environment int64  // its ID
	Name        string // of the environment
	Type        string
}

// A PassEvent is a PassResult of an environment, and the error that ended the pass if one did.
type PassEvent struct {
	PassStart
	Took   time.Duration // the waits for the quota included
	Result PassResult
	Err    error
}

// An occasion is why a pass is made; at most one field is set. The zero occasion is that somebody
// called Poll. It says when a pass that somebody else has made meanwhile serves as well.
type occasion struct {
	tick      time.Time // the schedule's intended time; a pass for this tick or a later one serves
	importing int64     // number of the import that it is part of; one pass for each import serves
	first     bool      // a child type needs its parents: any earlier pass serves
	hinted    bool      // an edit was heard of: no other pass serves
}

// pass waits for its lease, reads one type and records what changed. A type that is not available
// to this client is a result, not an error. The result has no Type if somebody else has made the
// pass meanwhile.
func (s *session) pass(ctx context.Context, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	err = s.engine.alone(ctx, s.record.ID, func(ctx context.Context, lease *lease) error {
		result, err = s.underLease(ctx, lease, t, o)
		return err
	}, "pass", t.Name)
	return result, err
}

// tryPass is pass for a tick. While somebody else reads the type it fails with a
// *storage.LockedError. It does nothing if the tick has had its pass.
func (s *session) tryPass(ctx context.Context, t genesys.ObjectType, tick time.Time) error {
	o := occasion{tick: tick}
	if had, err := s.had(ctx, t, o); had || err != nil {
		return err // without a lease, which takes two commits
	}
	return s.engine.tryAlone(ctx, s.record.ID, func(ctx context.Context, lease *lease) error {
		_, err := s.underLease(ctx, lease, t, o)
		return err
	}, "pass", t.Name)
}

// underLease makes a pass, unless one that serves was made before the lease was had.
func (s *session) underLease(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	if had, err := s.had(ctx, t, o); had || err != nil {
		return result, err
	}
	start, began := PassStart{s.record.ID, s.record.Name, t.Name}, time.Now()
	if s.engine.opts.Begun != nil {
		ctx = s.engine.opts.Begun(ctx, start)
	}
	result, err = s.makePass(ctx, lease, t, o)
	return s.conclude(ctx, lease, o, PassEvent{start, time.Since(began), result, err})
}

// had reports whether a pass that serves the occasion was made already.
func (s *session) had(ctx context.Context, t genesys.ObjectType, o occasion) (bool, error) {
	switch {
	case o.first:
		_, known, err := s.history.LastPass(ctx, t.Name)
		return known, err
	case o.importing > 0:
		state, err := s.typeState(ctx, t.Name)
		return state.Imported >= o.importing, err
	case !o.tick.IsZero():
		due := dueTimes{s.engine.store, s.record.ID}
		return due.settled(ctx, t.Name, o.tick)
	}
	return false, nil
}

// conclude handles the end of a pass: it remembers one that history has no record of, calls the
// Observer, and wakes those who follow the changes. A pass that its context cancelled, or for whose
// deadline the quota has no slot, is neither remembered nor observed; its commits still wake. One that
// lost its lease is left to the process that took over.
func (s *session) conclude(ctx context.Context, lease *lease, o occasion, e PassEvent) (PassResult, error) {
	result, err := e.Result, e.Err
	if lease.Lost(err) || errors.Is(context.Cause(ctx), errTakenOver) {
		return result, err
	}
	result.Type = e.Type
	if unavailable := new(unavailableError); errors.As(err, &unavailable) {
		result.Unavailable, result.next, err = unavailable.reason, unavailable.next, nil
	}
	if err != nil {
		err = fmt.Errorf("environment: %s: %w", e.Type, err)
	}
	interrupted := ended(ctx) || tooLate(err)
	if !lease.over && !interrupted {
		if noteErr := s.note(ctx, lease, o, result, err); err == nil {
			err = noteErr
		}
	}
	if err == nil && result.Unavailable == "" && !result.Complete {
		s.engine.opts.Logger.InfoContext(ctx, "a walk was not complete, so it removes nothing",
			"environment", e.Name, "environment_id", e.Environment, "type", e.Type, "reason", result.Reason)
	}
	if s.engine.opts.Observer != nil && !interrupted {
		e.Result, e.Err = result, err
		s.engine.opts.Observer(e)
	}
	s.engine.recordedOf(s.record.ID).notify()
	return result, err
}

// makePass makes the pass, under its lease. What is remembered of it is stored together with its end.
func (s *session) makePass(ctx context.Context, lease *lease, t genesys.ObjectType, o occasion) (result PassResult, err error) {
	state, err := s.typeState(ctx, t.Name)
	if err != nil {
		return result, err
	}
	if t, err = s.readable(ctx, t); err != nil {
		return result, err
	}
	covered, p, err := s.begin(ctx, lease, t, state, o)
	if err != nil {
		return result, err
	}
	ctx, reading := withReading(ctx)
	defer reading.stop(nil)
	defer func() {
		result.Requests = reading.requests.Load()
		if late := context.Cause(ctx); err != nil && tooLate(late) {
			err = late // err is what the cancelled reading led to
		}
	}()
	if err := s.parentFirst(ctx, t); err != nil {
		return result, err
	}
	from := &source{session: s, t: t}
	if t.Whole && len(t.Parts) == 0 {
		from.recognize = p.Recognize
	}
	finish := func(b *storage.Batch, r history.Reading) error { // adds to the commit that ends the pass
		lease.ReleaseWith(b)
		result.Summary, result.steady = r.Summary, r.Steady
		now := state.after(o, result, "", s.now())
		masked, all := from.masked.Load() > 0, r.Complete && t.Whole && t.Parent == ""
		now.Masked = masked || state.Masked && !all // what was not read may hold some still
		if r.Complete {
			now.Coverage, now.Selects = new(r.Coverage.Name), new(t.Selects())
		}
		return s.putState(b, o, now)
	}
	_, err = p.Read(ctx, from, history.ReadOptions{
		Parent: t.Parent, ParentMarked: t.Parent != "" && len(t.Marker) > 0, From: state.From, AskAll: o.importing > 0, Optional: t.Absent,
		Coverage: covered.forHistory(), Requests: reading.requests.Load, Clean: t.Clean, Finish: finish,
	})
	if refused := new(history.RefusedError); errors.As(err, &refused) {
		err = &unavailableError{reason: err.Error(), next: refused.Next}
	}
	lease.over = err == nil
	return result, err
}

// readable returns a type without the parts that the client may not read: leaving them out
// is not recorded as a change.
func (s *session) readable(ctx context.Context, t genesys.ObjectType) (genesys.ObjectType, error) {
	if len(t.Parts) == 0 {
		return t, nil
	}
	may, err := s.permissions(ctx, time.Now().Add(-accessFor))
	if err != nil {
		return t, err
	}
	return may.Readable(t), nil
}

// begin loads what is known of a type for a pass over what the client sees of it. It sends no
// request to the type itself.
func (s *session) begin(ctx context.Context, lease *lease, t genesys.ObjectType, state TypeState, o occasion) (coverage, *history.Pass, error) {
	now := time.Now()
	covered, err := s.coverage(ctx, t, now.Add(-accessFor))
	if _, lacking := errors.AsType[*unavailableError](err); lacking && o == (occasion{}) {
		covered, err = s.coverage(ctx, t, now) // who calls Poll may just have given the permission
	}
	if err != nil {
		return covered, nil, err
	}
	if err := s.learnTime(ctx); err != nil {
		return covered, nil, err
	}
	p, err := s.history.Fenced(lease.Fence).Begin(ctx, t.Name, s.rules(t))
	if err == nil && state.Coverage != nil && (covered.widens(*state.Coverage) || state.selectsMore(t)) {
		p.Widened()
	}
	return covered, p, err
}

// parentFirst sees to it that the type under which t is listed was read before: t has one
// list below each of its objects. If the parent type is unavailable, so is t.
func (s *session) parentFirst(ctx context.Context, t genesys.ObjectType) error {
	if t.Parent == "" {
		return nil
	}
	parent, ok := s.client.Catalogue().Lookup(t.Parent)
	if !ok {
		return fmt.Errorf("its parent type %s is unknown", t.Parent)
	}
	state, err := s.typeState(ctx, parent.Name)
	if err != nil {
		return err
	}
	if state.Unavailable == "" {
		_, known, err := s.history.LastPass(ctx, parent.Name)
		if known || err != nil {
			return err
		}
		result, err := s.pass(ctx, parent, occasion{first: true})
		if err != nil {
			return err
		}
		state.Unavailable = result.Unavailable
	}
	if state.Unavailable != "" {
		return &unavailableError{reason: fmt.Sprintf("%s is not available: %s", parent.Name, state.Unavailable)}
	}
	return nil
}
