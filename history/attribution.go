package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// Audits are read by somebody else, late and in no order; this file takes them in and keeps the
// result up to date. It works in commits that follow from what is stored: facts of changes that are
// not settled (or are neighbours of such), and records that may still explain one. A commit takes
// in new records, makes facts of new changes, and judges those objects anew that either is about
// (join.go finds, judge.go writes). So it does not matter what comes first, and a commit that is
// repeated changes nothing.
//
// All ages count by how far audits were read, not by the clock: where reading stands still, nothing
// settles and nothing is swept.

const (
	// settleAfter is how long after a change was recorded late audits may still correct who made it.
	settleAfter = 24 * time.Hour
	// keepAfter is how long facts and records stay, so that what comes next can be told from them.
	keepAfter = 2 * settleAfter
	// maxUnread is how long a record waits for a complete pass over what it may be about.
	maxUnread = 30 * 24 * time.Hour
	// sweepEvery is how often all records are looked through for those that nothing waits for.
	sweepEvery = time.Hour
)

// AuditsRead is what was read of an org's audits.
type AuditsRead struct {
	Records []Evidence // in any order; those that were given before are left out
	// Read says, by service, between which times all records are known with these. The service ""
	// stands for all that are not named. A span that does not meet the one before leaves a gap, and
	// changes that may have happened in it are not attributed.
	Read map[string]Span
}

// A Span is from one time to another.
type Span struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// auditState is the value of the audits key.
type auditState struct {
	Edition uint64          `json:"edition"` // moves with every commit that changes facts or records
	First   uint64          `json:"first"`   // changes up to this one are from before the audits that were read first
	Visited uint64          `json:"visited"` // changes up to this one have been looked at
	Behind  *behind         `json:"behind,omitempty"`
	Read    map[string]Span `json:"read,omitempty"`
	Swept   time.Time       `json:"swept,omitzero"`
	Tally   Tally           `json:"tally"`
	Delay   mean            `json:"delay"`
	Naming  mean            `json:"naming"`
}

// behind is what is left to look at: the changes behind Seq, by the records of Since to Until.
type behind struct {
	Seq uint64 `json:"seq"`
	Span
}

func (h *History) auditState(ctx context.Context) (auditState, bool, error) {
	st, err := storage.GetJSON[auditState](ctx, h.store, h.keys.audits())
	if errors.Is(err, storage.ErrNotFound) {
		return auditState{}, false, nil
	}
	if err != nil {
		return auditState{}, false, fmt.Errorf("history: %w", err)
	}
	return st, true, nil
}

// AuditEdition returns a number that moves whenever it may have become known who made a change. It is 0
// while audits were never read.
func (h *History) AuditEdition(ctx context.Context) (uint64, error) {
	st, _, err := h.auditState(ctx)
	return st.Edition, err
}

// now is until when audits were read, which is the time that attributions settle by.
func (st *auditState) now() (now time.Time) {
	for _, s := range st.Read {
		now = instant.Later(now, s.Until)
	}
	return now
}

// of returns what was read of a service.
func (st *auditState) of(service string) Span {
	if s, ok := st.Read[service]; ok {
		return s
	}
	return st.Read[""]
}

// add notes that a span was read as well.
func (st *auditState) add(service string, s Span) {
	s = Span{plain(s.Since), plain(s.Until)}
	if old, ok := st.Read[service]; ok && !s.Since.After(old.Until) {
		s = Span{instant.Earlier(old.Since, s.Since), instant.Later(old.Until, s.Until)}
	}
	st.Read[service] = s
}

// Attribute takes in audits that were read and says who made the changes that they may be about. What
// add puts into the Batch, such as how far audits were read, is committed together with the audits;
// it may be called more than once. An audit may be given again, and be late: until a change is
// settled, a day after it was recorded as far as audits were read, it corrects who made it.
//
// The first call begins: changes that were recorded before what it has read have no attribution.
func (h *History) Attribute(ctx context.Context, r AuditsRead, add func(*storage.Batch) error) error {
	a := attribution{h: h, ctx: ctx}
	for more := true; more; {
		err := errBesideTrim
		for try := 0; errors.Is(err, errBesideTrim) && try < 10; try++ {
			more, err = a.step(r, add)
		}
		if err != nil {
			return err
		}
		r, add = AuditsRead{}, nil // they are stored
	}
	return nil
}

// errBesideTrim reports that a change was removed while somebody looked at who made it.
var errBesideTrim = errors.New("history: the log was trimmed meanwhile")

type objectKey struct{ typeName, id string }

// An attribution is one call of Attribute. It works in commits of bounded size, each of which
// leaves a state that another call can go on from: which changes were looked at, and what is left
// of them.
//
// What it has read of facts and records it keeps from commit to commit, so that a burst of changes
// costs each of them the same. The invariant: if edition is that of the stored state, facts and
// records are what the store has. A commit that fails, a Forget or another call between two commits
// break it, and all is read anew.
type attribution struct {
	h   *History
	ctx context.Context //nolint:containedctx // it lives as long as the call of Attribute

	edition uint64
	facts   map[uint64]*fact
	order   []uint64 // the numbers of the facts, and of some that are gone, in order
	objects map[objectKey][]*fact
	stored  map[uint64]bool        // the facts that are in the store
	old     []string               // keys of facts that were settled long ago
	records map[string]*keptRecord // by key
	about   recordIndex            // the same, by what they are about
	loaded  Span                   // all records from then are there

	// Of one commit:
	tx      *tx
	state   auditState
	touched map[objectKey]bool     // objects whose changes are looked at again
	dirty   map[string]*keptRecord // records that are new, or of which something became
}

// step makes one commit. It returns whether there is more to do.
func (a *attribution) step(r AuditsRead, add func(*storage.Batch) error) (more bool, err error) {
	h := a.h
	err = h.commit(a.ctx, origin{}, func(t *tx) error {
		a.tx, a.touched, a.dirty = t, map[objectKey]bool{}, map[string]*keptRecord{}
		more, err = a.run(r)
		if err == nil && add != nil {
			err = add(&t.batch)
		}
		return err
	})
	if err == nil {
		a.edition = a.state.Edition
	}
	if refused, ok := errors.AsType[*storage.KeyError](err); ok && errors.Is(err, storage.ErrConflict) &&
		slices.ContainsFunc([]string{"who", "log", "undetected"}, func(s string) bool { return strings.HasPrefix(refused.Key, h.keys.key(s)+"/") }) {
		err = errBesideTrim
	}
	return more, err
}

// run builds the commit. It returns whether there is more to do than one commit holds.
func (a *attribution) run(r AuditsRead) (more bool, err error) {
	if err = a.begin(r.Read); err != nil {
		return false, err
	}
	if err = a.take(r.Records); err != nil {
		return false, err
	}
	visited := a.state.Visited
	if more, err = a.visit(); err != nil {
		return false, err
	}
	if err = a.recall(visited); err != nil {
		return false, err
	}
	left := a.touch()
	left = a.dropOld() || left
	if err := a.loadFor(); err != nil {
		return false, err
	}
	if err := a.judgeTouched(); err != nil {
		return false, err
	}
	a.state.Tally.Pending = a.pending()
	if now := a.state.now(); !more && !left && now.Sub(a.state.Swept) >= sweepEvery {
		if left, err = a.sweep(now); err != nil {
			return false, err
		}
	}
	if err := a.putRecords(); err != nil {
		return false, err
	}
	return more || left, a.tx.batch.PutJSON(a.h.keys.audits(), a.state)
}

// begin reads the state, and facts anew unless those of the commit before are what is stored. The very
// first time it notes which changes are never looked at, because audits of that time were not read.
//
// It clears a.edition until the commit has succeeded. If it fails, what is in memory is ahead of the
// store, no edition matches, and the next try reads everything anew.
func (a *attribution) begin(read map[string]Span) error {
	state, found, err := a.h.auditState(a.ctx)
	if err != nil {
		return err
	}
	isKnown := a.edition > 0 && a.edition == state.Edition
	a.edition = 0 // from here on what is known is ahead of the store
	a.state = state
	st := &a.state
	st.Edition++
	if !found {
		if st.First, err = a.first(read); err != nil {
			return err
		}
		st.Visited = st.First
	}
	if st.Read == nil {
		st.Read = map[string]Span{}
	}
	if st.Tally.Settled == nil {
		st.Tally.Settled = map[WhoStatus]int64{}
	}
	for service, s := range read {
		st.add(service, s)
	}
	if st.Behind == nil {
		st.Behind = &behind{}
	}
	if isKnown {
		return nil
	}
	a.facts, a.order, a.objects, a.stored, a.old = map[uint64]*fact{}, nil, map[objectKey][]*fact{}, map[uint64]bool{}, nil
	a.records, a.about, a.loaded = map[string]*keptRecord{}, recordIndex{}, Span{}
	return a.readFacts()
}

// first returns the newest change that was recorded before all that is read, 0 if there is none.
func (a *attribution) first(read map[string]Span) (uint64, error) {
	oldest := a.tx.now.At
	for _, s := range read {
		oldest = instant.Earlier(oldest, s.Since)
	}
	r, err := a.h.frameRange(a.ctx, Query{Since: oldest})
	if err != nil {
		return 0, err
	}
	next, found, err := a.h.firstFrame(a.ctx, r)
	if !found {
		return a.tx.now.Seq, err
	}
	return next.first - 1, nil
}

// touch notes the objects whose changes the records of Behind may be about, and those that have a
// change to settle. It returns whether it left some to the next commit. Where it stopped is in
// Behind, which is stored: a process that dies here leaves it to the next call of Attribute.
func (a *attribution) touch() (left bool) {
	now, n, st := a.state.now(), 0, &a.state
	from, _ := slices.BinarySearch(a.order, st.Behind.Seq+1)
	for _, seq := range a.order[from:] {
		f := a.facts[seq]
		if f == nil || f.Settled || now.Sub(f.At) < settleAfter && !a.isToldIn(f, st.Behind.Span) {
			continue
		}
		if n >= a.h.opts.BatchObjects {
			return true
		}
		a.touched[objectKey{f.Type, f.ID}] = true
		st.Behind.Seq = seq
		n++
	}
	st.Behind = nil
	return false
}

// isToldIn reports whether a record of a span may be about a change.
func (a *attribution) isToldIn(f *fact, s Span) bool {
	parent := a.h.opts.Models[f.Type].Parent
	for e := range a.about.of(parent, f) {
		if !e.At.Before(s.Since) && !e.At.After(s.Until) && mayExplain(parent, f, e) {
			return true
		}
	}
	return false
}
