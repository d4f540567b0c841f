package history

import (
	"fmt"
	"slices"
)

// The facts of changes that are kept: how they are read, made of new changes, and let go. A fact
// stays until two days after its change, so that what comes next can be told from it.

// readFacts reads the facts, but for those that were settled long ago.
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
			a.old = append(a.old, e.Key)
			continue
		}
		a.addFact(f)
		a.stored[f.Seq] = true
	}
	return nil
}

func (a *attribution) addFact(f *fact) {
	a.facts[f.Seq] = f
	a.order = append(a.order, f.Seq)
	o := objectKey{f.Type, f.ID}
	a.objects[o] = append(a.objects[o], f)
}

// pending counts the facts that are not settled. It is kept with the state, so that who asks reads no
// facts.
func (a *attribution) pending() (n int) {
	for _, f := range a.facts {
		if !f.Settled {
			n++
		}
	}
	return n
}

// dropFact lets a fact go that was settled long ago.
func (a *attribution) dropFact(f *fact) {
	o := objectKey{f.Type, f.ID}
	delete(a.facts, f.Seq)
	a.objects[o] = slices.DeleteFunc(a.objects[o], func(x *fact) bool { return x == f })
	a.tx.batch.Delete(a.h.keys.fact(f.Seq))
}

// dropOld lets facts go that were settled long ago. It returns whether it left some to the next
// commit. They were never put into a.facts, so only their keys are at hand and only the store
// has to forget them.
func (a *attribution) dropOld() (left bool) {
	n := min(len(a.old), a.h.opts.BatchObjects)
	for _, key := range a.old[:n] {
		a.tx.batch.Delete(key)
	}
	a.old = a.old[n:]
	return len(a.old) > 0
}

// visit makes facts of the changes behind the last one that was looked at, up to the newest one at the
// time of this commit. Hidden entries, changes that are nobody's act and those of types without
// audits are passed over; they stay without an attribution for good. It requires each frame that it
// takes a change from, so that a Trim cannot remove it unnoticed.
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
		if n >= a.h.opts.BatchObjects {
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
	a.addFact(f)
	a.touched[objectKey{f.Type, f.ID}] = true
	return nil
}
