package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/storage"
)

// What Forget erases is also in audits: as the object that they are about, in their list of parts, and,
// if it is a user, as who acted. The first commit of a Forget erases it from the records that are kept,
// so that no later look at a change finds it again, and notes its digest, so that a record that is
// read again is not taken in. Then the attributions are gone through in steps, which may be repeated.

// erasedIDs are the digests of ids that were erased, and when.
type erasedIDs map[string]time.Time

func (h *History) erasedIDs(ctx context.Context) (erasedIDs, error) {
	all := erasedIDs{}
	for e, err := range h.store.Scan(ctx, h.keys.below("erased")) {
		var at time.Time
		digest := ""
		if err == nil {
			err = decode(e.Key, e.Value, &at)
		}
		if err == nil {
			digest, err = h.keys.last(e.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("history: erased ids: %w", err)
		}
		all[digest] = at
	}
	return all, nil
}

func (h *History) idDigest(id string) string {
	return diff.RawDigest(h.secret, []byte(id)).String()
}

// covers reports whether a record names what was erased since. A record of something that was done
// later is about an object that came back, and is taken in.
func (ids erasedIDs) covers(h *History, e *Evidence) bool {
	if len(ids) == 0 {
		return false
	}
	return slices.ContainsFunc(append(e.objects(), e.Actor.ID), func(id string) bool {
		at, erased := ids[h.idDigest(id)]
		return erased && !e.At.After(at)
	})
}

// sweepErased drops the digests of ids that were erased more than keepAfter ago. It counts on the
// reader of audits to give no older records any more: one from before the Forget that came even later
// would be taken in.
func (a *attribution) sweepErased(now time.Time) error {
	ids, err := a.h.erasedIDs(a.ctx)
	for digest, at := range ids {
		if now.Sub(at) >= keepAfter {
			a.tx.batch.Delete(a.h.keys.erased(digest))
		}
	}
	return err
}

// erasedMargin is how much later than a Forget records still count as older: the org's time is not
// known exactly.
const erasedMargin = 15 * time.Minute

// forgetInAudits erases an object from the records that are kept. It returns whether there was
// something. A record about the object, or one that names it among others, goes as a whole. A record
// of what the object did, which is a user then, stays without the user, because it still explains
// the change of another object. It is in the first commit of a Forget, whatever its size: as long
// as one record was left, an Attribute could write the id into an attribution again.
func (h *History) forgetInAudits(ctx context.Context, t *tx, typeName, id string) (found bool, err error) {
	st, isOn, err := h.auditState(ctx)
	if err != nil || !isOn {
		return false, err
	}
	own := lastPart(id)
	for e, err := range h.keptRecords(ctx, h.keys.below("evidence")) {
		switch {
		case err != nil:
			return false, err
		case e.isAbout(id, own):
			t.batch.Delete(e.key)
		case e.Actor.ID == id:
			e.Actor, e.Erased = Actor{}, true
			if err := t.batch.PutJSON(e.key, e); err != nil {
				return false, err
			}
		default:
			continue
		}
		found = true
	}
	for e, err := range h.store.Scan(ctx, h.keys.below("fact")) {
		var f fact
		if err == nil {
			err = decode(e.Key, e.Value, &f)
		}
		if err != nil {
			return false, fmt.Errorf("history: who made changes: %w", err)
		}
		if f.Type != typeName || f.ID != id {
			continue
		}
		t.batch.Delete(e.Key)
		if !f.Settled {
			st.Tally.Pending = max(0, st.Tally.Pending-1) // an older version counted otherwise
		}
	}
	st.Edition++ // what an Attribute under way knows of them is old
	if err := t.batch.PutJSON(h.keys.audits(), st); err != nil {
		return false, err
	}
	at := instant.Later(t.now.At, st.now()).Add(erasedMargin)
	for _, text := range []string{id, own} {
		if err := t.batch.PutJSON(h.keys.erased(h.idDigest(text)), at); err != nil {
			return false, err
		}
	}
	return found, nil
}

// objects returns the ids of all that a record names, and their last parts.
func (e *Evidence) objects() []string {
	ids := append([]string{e.Object}, e.Parts...)
	for _, t := range e.Targets {
		ids = append(ids, t.ID, lastPart(t.ID), t.Last)
	}
	return ids
}

func (e *Evidence) isAbout(id, own string) bool {
	return slices.ContainsFunc(e.objects(), func(o string) bool { return o == id || o == own })
}

// forgetStep bounds the entries of one commit of forgetActor.
const forgetStep = 500

// forgetActor erases a user from attributions, and an object from what was undetected.
func (h *History) forgetActor(ctx context.Context, id string) (found bool, err error) {
	if _, isOn, err := h.auditState(ctx); err != nil || !isOn {
		return false, err
	}
	own := lastPart(id)
	edits := []struct {
		r    storage.Range
		edit func(b *storage.Batch, e storage.Entry) error
	}{
		{h.keys.below("who"), func(b *storage.Batch, e storage.Entry) error {
			var a Attribution
			if err := decode(e.Key, e.Value, &a); err != nil || !isActor(a.Actors, id) {
				return err
			}
			for i := range a.Actors {
				if a.Actors[i].ID == id {
					a.Actors[i] = Actor{}
				}
			}
			b.Require(e.Key, e.Value)
			return b.PutJSON(e.Key, a)
		}},
		{h.keys.below("undetected"), func(b *storage.Batch, e storage.Entry) error {
			var u Undetected
			if err := decode(e.Key, e.Value, &u); err != nil {
				return err
			}
			switch {
			case u.isAbout(id, own):
				b.Delete(e.Key)
			case u.Actor.ID == id:
				u.Actor = Actor{}
				b.Require(e.Key, e.Value) // it may be taken back meanwhile
				return b.PutJSON(e.Key, u)
			}
			return nil
		}},
	}
	for _, x := range edits {
		edited, err := h.rewriteEach(ctx, x.r, x.edit)
		if found = found || edited; err != nil {
			return found, err
		}
	}
	return found, nil
}

func isActor(all []Actor, id string) bool {
	return slices.ContainsFunc(all, func(a Actor) bool { return a.ID == id })
}

// rewriteEach commits, in steps, what edit makes of each entry of a range. It returns whether that was anything.
func (h *History) rewriteEach(ctx context.Context, r storage.Range, edit func(*storage.Batch, storage.Entry) error) (found bool, err error) {
	var b storage.Batch
	commit := func() error {
		if b.Len() == 0 {
			return nil
		}
		found = true
		h.fence(&b)
		if err := h.store.Commit(ctx, &b); err != nil {
			return fmt.Errorf("history: removing from attributions: %w", err)
		}
		b.Reset()
		return nil
	}
	for e, err := range h.store.Scan(ctx, r) {
		if err == nil {
			err = edit(&b, e)
		}
		if err == nil && b.Len() >= forgetStep {
			err = commit()
		}
		if err != nil {
			return found, fmt.Errorf("history: %w", err)
		}
	}
	return found, commit()
}

// trimUndetected removes what was undetected before a time.
func (h *History) trimUndetected(ctx context.Context, cut time.Time) error {
	r := h.keys.below("undetected")
	r.End = h.keys.key("undetected", plain(cut).Format(logTime))
	_, err := h.rewriteEach(ctx, r, func(b *storage.Batch, e storage.Entry) error {
		b.Delete(e.Key)
		return nil
	})
	return err
}
