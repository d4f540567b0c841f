package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

const (
	// settleAfter is how long after a change was recorded late audits may still correct who made it.
	settleAfter = 24 * time.Hour
	// keepAfter is how long facts and records stay, so that what comes next can be told from them.
	keepAfter = 2 * settleAfter
	// maxUnread is how long a record waits for a complete pass over what it may be about.
	maxUnread = 30 * 24 * time.Hour
	// sweepEvery is how often all records are looked through for those that nothing waits for.
	sweepEvery = time.Hour
	// stepFacts bounds the changes that one commit looks at.
	stepFacts = 2000
)

// AuditsRead is what was read of an org's audits.
type AuditsRead struct {
	Records []Evidence // in any order; those that were given before are left out
	// Read says, by service, between which times all records are known with these. The service "" stands
	// for all that are not named. A span that does not meet the one before leaves a gap, and changes
	// that may have happened in it are not attributed.
	Read map[string]Span
}

// A Span is from one time to another.
type Span struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// auditState is the value of the audits key.
type auditState struct {
	First   uint64          `json:"first"`   // changes up to this one were recorded before audits were read
	Visited uint64          `json:"visited"` // changes up to this one have been looked at
	Read    map[string]Span `json:"read,omitempty"`
	Swept   time.Time       `json:"swept,omitzero"`
	Tally   Tally           `json:"tally"`
}

// A Tally counts what came of audits.
type Tally struct {
	Settled    map[WhoStatus]int64 `json:"settled"`    // attributions that are final, by status
	Corrected  int64               `json:"corrected"`  // times that a late audit made another attribution of a provisional one
	Undetected int64               `json:"undetected"` // records of writes that no change explains
	Pending    int                 `json:"pending"`    // attributions that are not settled yet
	Until      time.Time           `json:"until,omitzero"`
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
// The first call begins: changes from before it have no attribution.
func (h *History) Attribute(ctx context.Context, r AuditsRead, add func(*storage.Batch) error) error {
	for more := true; more; {
		err := errBesideTrim
		for try := 0; errors.Is(err, errBesideTrim) && try < 10; try++ {
			more, err = h.attributeStep(ctx, r, add)
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

func (h *History) attributeStep(ctx context.Context, r AuditsRead, add func(*storage.Batch) error) (more bool, err error) {
	err = h.commit(ctx, origin{}, func(t *tx) error {
		a := attribution{
			h: h, ctx: ctx, tx: t, facts: map[uint64]*fact{}, stored: map[uint64]bool{},
			records: map[string]*keptRecord{}, touched: map[objectKey]bool{},
		}
		more, err = a.run(r)
		if err == nil && add != nil {
			err = add(&t.batch)
		}
		return err
	})
	if refused, ok := errors.AsType[*storage.KeyError](err); ok && errors.Is(err, storage.ErrConflict) &&
		(strings.HasPrefix(refused.Key, h.keys.key("who")+"/") || strings.HasPrefix(refused.Key, h.keys.key("log")+"/")) {
		err = errBesideTrim
	}
	return more, err
}

type objectKey struct{ typeName, id string }

// An attribution is one commit of Attribute in the making.
type attribution struct {
	h     *History
	ctx   context.Context //nolint:containedctx // it lives as long as the call of Attribute
	tx    *tx
	state auditState

	facts   map[uint64]*fact
	stored  map[uint64]bool        // the facts that are in the store
	records map[string]*keptRecord // those that were read, by key
	touched map[objectKey]bool     // objects whose changes are looked at again
}

// run builds the commit. It returns whether there is more to do than one commit holds.
func (a *attribution) run(r AuditsRead) (more bool, err error) {
	found := false
	if a.state, found, err = a.h.auditState(a.ctx); err != nil {
		return false, err
	}
	if !found {
		a.state.First, a.state.Visited = a.tx.now.Seq, a.tx.now.Seq
	}
	if a.state.Read == nil {
		a.state.Read = map[string]Span{}
	}
	if a.state.Tally.Settled == nil {
		a.state.Tally.Settled = map[WhoStatus]int64{}
	}
	for service, s := range r.Read {
		a.state.add(service, s)
	}
	if err = a.readFacts(); err != nil {
		return false, err
	}
	fresh, err := a.take(r.Records)
	if err != nil {
		return false, err
	}
	if more, err = a.visit(); err != nil {
		return false, err
	}
	left := a.touch(fresh)
	if err := a.loadFor(); err != nil {
		return false, err
	}
	if err := a.judgeTouched(); err != nil {
		return false, err
	}
	if err := a.putRecords(); err != nil {
		return false, err
	}
	if now := a.state.now(); !more && !left && now.Sub(a.state.Swept) >= sweepEvery {
		if err := a.sweep(now); err != nil {
			return false, err
		}
		a.state.Swept = now
	}
	return more || left, a.tx.batch.PutJSON(a.h.keys.audits(), a.state)
}

// readFacts reads the facts, and lets those go that have been settled for long.
func (a *attribution) readFacts() error {
	now := a.state.now()
	for e, err := range a.h.store.Scan(a.ctx, a.h.keys.below("fact")) {
		f := new(fact)
		if err == nil {
			f.Seq, err = a.h.keys.lastSeq(e.Key)
		}
		if err == nil {
			err = decode(e.Key, e.Value, f)
		}
		if err != nil {
			return fmt.Errorf("history: who made changes: %w", err)
		}
		if f.Settled && now.Sub(f.At) >= keepAfter {
			a.tx.batch.Delete(e.Key)
			continue
		}
		a.facts[f.Seq], a.stored[f.Seq] = f, true
	}
	return nil
}

// visit makes facts of the changes behind the last one that was looked at.
func (a *attribution) visit() (more bool, err error) {
	st := &a.state
	if st.Visited >= a.tx.now.Seq {
		return false, nil
	}
	r, err := a.h.frameRange(a.ctx, Query{AfterSeq: st.Visited})
	if err != nil {
		return false, err
	}
	n, visited := 0, st.Visited
	for f, err := range a.h.frames(a.ctx, r, anyType) {
		if err != nil {
			return false, err
		}
		if n >= stepFacts {
			return true, nil
		}
		required := false
		for i := range f.records {
			e := &f.records[i]
			if e.Seq <= visited || !isAct(e.Kind) || a.h.opts.Models[e.typeName].AuditService == "" {
				continue
			}
			if !required { // it may be trimmed meanwhile
				a.tx.batch.Require(f.Key, f.Value)
				required = true
			}
			if err := a.newFact(e); err != nil {
				return false, err
			}
			n++
		}
		if last := len(f.records); last > 0 {
			st.Visited = max(st.Visited, f.records[last-1].Seq)
		}
	}
	st.Visited = a.tx.now.Seq
	return false, nil
}

// maxPaths bounds the paths that are kept of a change.
const maxPaths = 64

func (a *attribution) newFact(e *record) error {
	hd, found, err := a.h.head(a.ctx, e.typeName, e.ID)
	if err != nil || !found { // it is being forgotten
		return err
	}
	f := &fact{Seq: e.Seq, Type: e.typeName, ID: e.ID, Parent: hd.Parent, Kind: e.Kind, After: e.After, At: e.at}
	for _, c := range e.Fields[:min(maxPaths, len(e.Fields))] {
		f.Paths = append(f.Paths, clip(c.Path))
	}
	a.facts[f.Seq] = f
	a.touched[objectKey{f.Type, f.ID}] = true
	return nil
}

// touch notes the objects whose changes the fresh records may be about, and those that have a change to
// settle. It returns whether it left some to the next commit.
func (a *attribution) touch(fresh []*keptRecord) (left bool) {
	now, n := a.state.now(), 0
	for _, seq := range slices.Sorted(maps.Keys(a.facts)) {
		f := a.facts[seq]
		if f.Settled {
			continue
		}
		parent := a.h.opts.Models[f.Type].Parent
		if now.Sub(f.At) >= settleAfter || slices.ContainsFunc(fresh, func(e *keptRecord) bool { return mayExplain(parent, f, e) }) {
			if n >= stepFacts {
				return true
			}
			a.touched[objectKey{f.Type, f.ID}] = true
			n++
		}
	}
	return false
}
