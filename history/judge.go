package history

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cxsync/cxsync/storage"
)

// judgeTouched says who made the changes of the touched objects.
func (a *attribution) judgeTouched() error {
	for _, o := range slices.SortedFunc(maps.Keys(a.touched), objectKey.compare) {
		var facts []fact
		for _, f := range a.objects[o] {
			facts = append(facts, *f)
		}
		if err := a.judge(o, facts, a.about.explaining(a.h.opts.Models[o.typeName].Parent, facts)); err != nil {
			return err
		}
	}
	return nil
}

func (o objectKey) compare(other objectKey) int {
	return cmp.Or(cmp.Compare(o.typeName, other.typeName), cmp.Compare(o.id, other.id))
}

// judge says who made the changes of one object that are not settled, by the records of when
// they may have happened. All known changes of the object are joined anew, the settled ones too,
// because a record that made one of them did not make its neighbour; their verdicts are not written.
//
// A record that a settled change of the object has taken (Claims) is left out, unless that change
// may still be among the facts: then the join gives it the record again.
func (a *attribution) judge(o objectKey, facts []fact, records []*keptRecord) error {
	claim := o.typeName + " " + o.id
	records = filtered(records, func(e *keptRecord) bool {
		return !slices.Contains(e.Claims, claim) || slices.ContainsFunc(facts, func(f fact) bool { return f.Settled && inSpan(&f, e) })
	})
	model := a.h.opts.Models[o.typeName]
	for i, v := range join(model.Parent, facts, records) {
		f := a.facts[facts[i].Seq]
		if f.Settled {
			continue
		}
		if err := a.conclude(f, &v, model.AuditService, claim); err != nil {
			return err
		}
	}
	return nil
}

// conclude stores what was found about a change, for good if its time has come. A verdict counts only
// if the audits of the service were read from before the change may have happened, and, to be final,
// until after it was recorded; otherwise the change is unaudited, whatever was found.
//
// An attribution that is not in the store any more, though it was, has been trimmed together with its
// change. It is not written again; only the fact is, so that its records still count as explained.
func (a *attribution) conclude(f *fact, v *verdict, service, claim string) error {
	read, now := a.state.of(service), a.state.now()
	who := v.attribution(f.Seq)
	isRead := !f.After.IsZero() && !read.Since.After(f.After)
	who.Settled = now.Sub(f.At) >= settleAfter
	switch {
	case !isRead, who.Settled && read.Until.Before(f.At.Add(joinSlack)):
		who = Attribution{Seq: f.Seq, Status: WhoUnaudited, Settled: who.Settled}
	case who.Status == WhoNone && !who.Settled:
		who.Status = WhoPending
	}
	h, b := a.h, &a.tx.batch
	var old Attribution
	isNew, isTrimmed := !a.stored[f.Seq], false
	if !isNew {
		data, err := h.store.Get(a.ctx, h.keys.who(f.Seq))
		switch isTrimmed = errors.Is(err, storage.ErrNotFound); {
		case isTrimmed:
		case err != nil:
			return fmt.Errorf("history: %w", err)
		default:
			b.Require(h.keys.who(f.Seq), data) // it may be trimmed meanwhile
			if err := decode(h.keys.who(f.Seq), data, &old); err != nil {
				return err
			}
		}
	}
	if who.names() && (isNew || old.Status == WhoPending) {
		a.state.Naming.add(now.Sub(f.At))
	}
	if who.Settled {
		f.Settled = true
		if who.names() {
			a.state.Delay.add(f.At.Sub(who.At))
		}
		if !isTrimmed {
			a.state.Tally.Settled[who.Status]++
		}
		for _, e := range v.candidates {
			e.Spanned = true
			a.dirty[e.key] = e
		}
		for _, e := range v.chosen {
			e.Claims = append(e.Claims, claim)
		}
	}
	switch {
	case who.Settled && now.Sub(f.At) >= keepAfter:
		a.dropFact(f)
	case isNew || who.Settled:
		if err := b.PutJSON(h.keys.fact(f.Seq), f); err != nil {
			return err
		}
		a.stored[f.Seq] = true
	}
	if isTrimmed || !isNew && who.equal(old) {
		return nil
	}
	if old.Status != "" && old.Status != WhoPending && !sameActors(who.Actors, old.Actors) {
		a.state.Tally.Corrected++
	}
	return b.PutJSON(h.keys.who(f.Seq), who)
}

// names reports whether audits told of the act.
func (a Attribution) names() bool {
	return a.Status == WhoAttributed || a.Status == WhoSeveral || a.Status == WhoSystem
}

func (a Attribution) equal(b Attribution) bool {
	return a.Status == b.Status && a.At.Equal(b.At) && a.Settled == b.Settled && slices.Equal(a.Actors, b.Actors)
}

func sameActors(a, b []Actor) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x Actor) bool { return len(addActor(slices.Clone(b), x)) > len(b) })
}
