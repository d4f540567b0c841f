package environment

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/ratelimit"
	"github.com/cxsync/cxsync/storage"
)

// A hint says that something may just have been edited. It only brings a reading forward: what is
// recorded is what the org answers, so that one that lies costs requests, and these have a budget
// of their own. Hints are not kept: those of a process that ends are lost, and the schedule sees
// what they named.

const (
	// hintShare is the part of the quota that readings on hints take at most.
	hintShare = 0.1
	// hintBurst is how long the budget is saved up.
	hintBurst = time.Hour
	// hintIDs is how many ids are kept of a type. So many are dearer than any budget, and leave the
	// type to a pass or to the schedule; in a process that does not poll nobody takes them away.
	hintIDs = 2000
	// hintPause is at least between two looks at the hints, so that those of one edit come together.
	hintPause = 5 * time.Second
)

// Hint says that objects may just have been edited, as events of the org's audits tell: what
// genesys.ParseAuditEvent reads, genesys.Catalogue.Audited translates. While Run polls the environment
// in this process, they are read now: the object alone where its list can be asked for it
// (genesys.ObjectType.ByID), what is below one parent where that is known, else the type wholly. Hints of
// a type come together, and all take at most a tenth of the quota. What is not selected is left out.
func (e *Engine) Hint(ctx context.Context, id int64, targets ...genesys.AuditTarget) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpPoll, s.record, s.record)
	}
	if err != nil {
		return err
	}
	for _, t := range targets {
		s.hint(history.Target{Type: t.Type, ID: t.ID, Below: t.Below, Last: t.Last}, s.now())
	}
	return nil
}

// hints are what was heard of one environment and not read since.
type hints struct {
	mu     sync.Mutex
	types  map[string]*hinted
	wake   chan struct{}
	tokens float64 // requests that may be made
	at     time.Time
	read   map[[2]string]time.Time // when an object was last read alone, or what is below a parent, by type and id
}

// hinted is what was heard of one type.
type hinted struct {
	at     time.Time // of the newest edit, by the org's time
	count  int
	ids    map[string]time.Time // when objects were edited that can be read alone, or something below parents
	wholly bool                 // it is not known which object, or below which parent
}

func (e *Engine) hintsOf(id int64) *hints {
	h, _ := e.heard.LoadOrStore(id, &hints{types: map[string]*hinted{}, wake: make(chan struct{}, 1), read: map[[2]string]time.Time{}})
	return h.(*hints)
}

// hint notes that something was edited at a time.
func (s *session) hint(t history.Target, at time.Time) {
	named, ok := s.engine.opts.Catalogue.Lookup(t.Type)
	if !ok || !s.types()[named.Name] {
		return
	}
	h := s.engine.hintsOf(s.record.ID)
	h.mu.Lock()
	defer h.mu.Unlock()
	id := t.Below
	if named.Parent == "" && named.ByID != "" {
		id = t.ID
	}
	if id != "" && h.read[[2]string{named.Name, id}].After(at) {
		return
	}
	known := h.of(named.Name)
	known.count++
	known.at = instant.Later(known.at, at)
	if _, isKnown := known.ids[id]; id != "" && (isKnown || len(known.ids) < hintIDs) {
		known.ids[id] = instant.Later(known.ids[id], at)
	}
	known.wholly = known.wholly || id == "" && named.Parent == ""
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// of returns what was heard of a type.
func (h *hints) of(name string) *hinted {
	if h.types[name] == nil {
		h.types[name] = &hinted{ids: map[string]time.Time{}}
	}
	return h.types[name]
}

// none reports whether there is nothing to be read.
func (h *hints) none() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.types) == 0
}

// followHints reads what hints name for as long as Run polls the environment.
func (e *Engine) followHints(ctx context.Context, id int64) {
	h := e.hintsOf(id)
	for {
		wait, err := e.readHinted(ctx, id, h)
		if err != nil && ctx.Err() == nil {
			e.opts.Logger.WarnContext(ctx, "what a hint named could not be read", "environment_id", id, "error", err)
		}
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(max(wait, hintPause))
		}
		select {
		case <-ctx.Done():
			return
		case <-timer:
		case <-h.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(hintPause):
			}
		}
	}
}

// readHinted reads what is worth most for its requests and within the budget, and returns when to
// look again, 0 if nothing is left.
func (e *Engine) readHinted(ctx context.Context, id int64, h *hints) (wait time.Duration, err error) {
	if h.none() {
		return 0, nil
	}
	s, err := e.online(ctx, id, "")
	if err != nil {
		return retryTrim, err
	}
	known, err := s.overview(ctx)
	if err != nil {
		return retryTrim, err
	}
	for {
		t, what, cost, wait := s.nextHinted(h, known)
		if what == nil {
			return wait, nil
		}
		began := s.now()
		requests, needsPass, err := s.readHint(ctx, t, what)
		h.settle(t.Name, what, requests-cost, began)
		if needsPass {
			h.wholly(t.Name, what)
		}
		if errors.Is(err, storage.ErrLocked) || errors.Is(err, errTakenOver) {
			h.again(t.Name, what)
			return e.glance(), nil
		}
		if err != nil {
			return retryTrim, err
		}
	}
}

// nextHinted takes the next type to be read, with what it is thought to cost.
func (s *session) nextHinted(h *hints, known overview) (genesys.ObjectType, *hinted, float64, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rate := hintShare * s.requestsPerDay() / (24 * time.Hour).Seconds() // requests a second
	burst := max(20, rate*hintBurst.Seconds())
	if h.at.IsZero() {
		h.tokens = burst
	} else {
		h.tokens = min(burst, h.tokens+rate*time.Since(h.at).Seconds())
	}
	h.at = time.Now()
	var best genesys.ObjectType
	cost, missing := math.Inf(1), math.Inf(1)
	worth := 0.0
	for _, name := range slices.Sorted(maps.Keys(h.types)) {
		what := h.types[name]
		t, _ := s.engine.opts.Catalogue.Lookup(name)
		last, wasRead := known.passes[name]
		maps.DeleteFunc(what.ids, func(_ string, at time.Time) bool { return !last.Started.Before(at) })
		price := float64(len(what.ids))
		if list := max(1, known.cost(t).Requests); what.wholly || t.Parent == "" && price > list {
			what.wholly, price = true, list
		}
		switch stale := last.Started.Before(what.at); {
		case !wasRead, !stale, price == 0, price > burst, known.states[name].Unavailable != "":
			delete(h.types, name) // read since, or left to the schedule
		case price > h.tokens:
			missing = min(missing, price-h.tokens)
		case float64(what.count)/price > worth:
			best, cost, worth = t, price, float64(what.count)/price
		}
	}
	if worth == 0 {
		if math.IsInf(missing, 1) {
			return best, nil, 0, 0
		}
		return best, nil, 0, time.Duration(missing / rate * float64(time.Second))
	}
	what := h.types[best.Name]
	delete(h.types, best.Name)
	h.tokens -= cost
	return best, what, cost, 0
}

// settle corrects the budget by what a reading took beside what it was thought to, and notes when it began.
func (h *hints) settle(name string, what *hinted, more float64, began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens -= more
	maps.DeleteFunc(h.read, func(_ [2]string, read time.Time) bool { return began.Sub(read) > 2*auditOverlap })
	for id := range what.ids {
		h.read[[2]string{name, id}] = began
	}
}

// wholly notes that it takes a pass to tell what was hinted at.
func (h *hints) wholly(name string, what *hinted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.of(name)
	known.wholly, known.count, known.at = true, known.count+1, instant.Later(known.at, what.at)
}

// again takes a hint back that could not be followed.
func (h *hints) again(name string, what *hinted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.types[name] == nil {
		h.types[name] = what
	}
}

// readHint reads what a hint names. It returns how many requests that took, and whether it takes a pass to tell more.
func (s *session) readHint(ctx context.Context, t genesys.ObjectType, what *hinted) (requests float64, needsPass bool, err error) {
	err = s.engine.tryAlone(ctx, s.record.ID, func(ctx context.Context, lease *lease) error {
		if what.wholly {
			result, err := s.underLease(ctx, lease, t, occasion{hinted: true})
			requests = float64(result.Requests)
			return err
		}
		requests, needsPass, err = s.readSome(ctx, lease, t, slices.Sorted(maps.Keys(what.ids)))
		return err
	}, "pass", t.Name)
	if _, late := errors.AsType[*ratelimit.DeadlineError](err); late {
		err = nil
	}
	return requests, needsPass && err == nil, err
}

// readSome reads what is below some parents, or some objects alone.
func (s *session) readSome(ctx context.Context, lease *lease, t genesys.ObjectType, ids []string) (requests float64, needsPass bool, err error) {
	state, err := s.typeState(ctx, t.Name)
	if err != nil {
		return 0, false, err
	}
	if t, err = s.readable(ctx, t); err != nil {
		return 0, false, err
	}
	seen, p, err := s.begin(ctx, lease, t, state, occasion{hinted: true})
	if err != nil {
		return 0, false, err
	}
	ctx, reading := withReading(ctx)
	defer reading.stop(nil)
	from := &source{session: s, t: t}
	opts := history.ReadOptions{
		Parent: t.Parent, ParentMarked: t.Parent != "" && len(t.Marker) > 0, Coverage: seen.forHistory(), Requests: reading.requests.Load, Clean: t.Clean,
	}
	if t.Parent != "" {
		_, err = p.ReadBelow(ctx, from, opts, ids...)
	} else {
		_, needsPass, err = p.ReadObjects(ctx, from, opts, ids...)
	}
	s.engine.recordedOf(s.record.ID).notify()
	return float64(reading.requests.Load()), needsPass, err
}
