package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// A replay makes a directory of files, a Git repository for instance, follow the log: one step for
// each change, with just the files that it touches. The content of a file depends on its object
// alone, but its path depends on names: on its own, on those of its parents, and on whether another
// object has the same. So a replay holds the natural keys of all objects as of the step, and
// applies every change to them. Where one came, went or was renamed, all paths are made anew and
// compared; no rule has to say whose path a name takes part in.
//
// The invariant: after the last step of a time the files are those of Export at that time, byte for
// byte, whether the replay ran from the start or went on from an earlier one.

// A ReplayStep is what one change, or a run of imports, does to the files of an export. Where other
// fields are compared from now on, because the rules are others or the platform brought some, a step
// without Changes brings the files of the objects up to them.
type ReplayStep struct {
	Seq     uint64    // of the newest entry of the log in the step; 0 for what was there before the log begins
	At      time.Time // when it was recorded
	Changes []Change
	Files   []File   // that are new or have new content
	Gone    []string // paths that are no more, because their objects went or were renamed
}

// Replay iterates over the log behind the step that ended with a sequence number, 0 for all of it,
// as steps that keep the files of an Export up to date: after the last step of a time they are
// those of Export at that time. Imports that follow each other are one step. A Replay that starts
// behind the last step of an earlier one goes on where that one ended. It returns ErrTrimmed if
// retention has removed that entry. The files of what was forgotten stay where they are; only who
// begins at 0 again is rid of them.
func (h *History) Replay(ctx context.Context, afterSeq uint64) iter.Seq2[ReplayStep, error] {
	return func(yield func(ReplayStep, error) bool) {
		r := replay{History: h}
		if err := r.open(ctx, afterSeq); err != nil {
			yield(ReplayStep{}, err)
			return
		}
		if afterSeq == 0 {
			step, err := r.step(ctx, nil)
			if len(step.Files) > 0 && !yield(step, err) || err != nil {
				return
			}
		}
		for entries, err := range h.runs(ctx, afterSeq) {
			var step ReplayStep
			if err == nil {
				step, err = r.step(ctx, entries)
			}
			if !yield(step, err) || err != nil {
				return
			}
		}
	}
}

// runs iterates over the entries of the log behind one, those together that make one step.
func (h *History) runs(ctx context.Context, afterSeq uint64) iter.Seq2[[]record, error] {
	return func(yield func([]record, error) bool) {
		f := &filter{Query: Query{AfterSeq: afterSeq}}
		var run []record
		for r, err := range h.records(ctx, f) {
			if err != nil {
				yield(nil, err)
				return
			}
			if r.Seq <= afterSeq {
				continue
			}
			joins := len(run) > 0 && r.Kind == run[0].Kind && (r.Kind == KindImported || r.hidden())
			if len(run) > 0 && !joins {
				if !yield(run, nil) {
					return
				}
				run = nil
			}
			r.Step, r.Before = nil, nil
			run = append(run, r)
		}
		if len(run) > 0 {
			yield(run, nil)
		}
	}
}

// A replay keeps the names of all objects as of the step that was made last.
type replay struct {
	*History
	ring  *keyring
	lens  *lens
	seq   uint64 // the change of the step
	paths map[Ref]string

	earlier recall // entries up to that change
}

// open brings the replay to the state behind a change, or, for 0, before the first one. Changes may
// have one time, so it starts before that time and applies those up to the change.
func (r *replay) open(ctx context.Context, seq uint64) error {
	at := time.Unix(0, 0) // before everything
	if seq == 0 {
		for c, err := range r.Changes(ctx, Query{Imported: true, Limit: 1}) {
			if err != nil {
				return err
			}
			at = c.At
		}
	} else {
		e, err := r.record(ctx, seq)
		if err != nil {
			return fmt.Errorf("history: change %d: %w", seq, err)
		}
		at = e.at
	}
	var err error
	r.lens = r.History.lens(func(string) []string { return []string{"**.selfUri"} })
	r.paths = map[Ref]string{}
	r.earlier = recall{h: r.History, known: map[uint64]*record{}}
	if r.ring, err = r.keyring(ctx, at.Add(-1), nil); err != nil || seq == 0 {
		return err
	}
	for e, err := range r.records(ctx, &filter{Query: Query{Since: at, Until: at.Add(1)}}) {
		if err == nil && e.Seq <= seq {
			_, err = r.rename(ctx, &e)
		}
		if err != nil {
			return err
		}
	}
	r.paths = r.ring.paths()
	return nil
}

// step applies entries of the log, none for the state before the first one. Paths are made anew only
// where an object came, went or was renamed. Then every file whose path is another one than before is
// written too, although its object did not change.
//
// An object whose past retention has removed, or that was forgotten since, cannot be shown as it was,
// so the step goes without its file.
func (r *replay) step(ctx context.Context, entries []record) (ReplayStep, error) {
	s := ReplayStep{At: r.ring.at}
	touched := map[Ref]bool{}
	renamed := len(entries) == 0
	for i := range entries {
		c, err := r.withObjects(ctx, r.change(&entries[i]))
		if err != nil {
			return s, err
		}
		r.seq, s.Seq, s.At = c.Seq, c.Seq, c.At
		if !entries[i].hidden() {
			s.Changes = append(s.Changes, c)
		}
		if c.Kind == KindForgotten || c.Kind == KindShape {
			continue
		}
		touched[Ref{Type: c.Type, ID: c.ID}] = true
		other, err := r.rename(ctx, &entries[i])
		if err != nil {
			return s, err
		}
		renamed = renamed || other
	}
	before := r.paths
	if renamed {
		r.ring.reset()
		r.paths = r.ring.paths()
		for ref, path := range r.paths {
			if before[ref] != path {
				touched[ref] = true
			}
		}
		taken := make(map[string]bool, len(r.paths))
		for _, path := range r.paths {
			taken[path] = true
		}
		for _, path := range before {
			if !taken[path] {
				s.Gone = append(s.Gone, path)
			}
		}
		slices.Sort(s.Gone)
	}
	refs := slices.SortedFunc(maps.Keys(touched), func(a, b Ref) int { return strings.Compare(r.paths[a], r.paths[b]) })
	for _, ref := range refs {
		path, live := r.paths[ref]
		if !live {
			continue
		}
		f, err := r.content(ctx, ref)
		if errors.Is(err, ErrTrimmed) || errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return s, err
		}
		f.Path = path
		s.Files = append(s.Files, f)
	}
	return s, nil
}

// rename notes what an object is called after an entry of the log, and whether it is there, and
// reports whether paths may be others.
func (r *replay) rename(ctx context.Context, e *record) (bool, error) {
	if e.Kind == KindForgotten || e.Kind == KindShape {
		return false, nil // which are about no object
	}
	objects := r.ring.owns[e.typeName]
	if objects == nil {
		objects = map[string]*keyed{}
		r.ring.owns[e.typeName] = objects
	}
	one := objects[e.ID]
	if one == nil {
		hd, _, err := r.head(ctx, e.typeName, e.ID)
		if err != nil {
			return false, err
		}
		one = &keyed{Ref: Ref{e.typeName, e.ID, ""}, parent: hd.Parent}
		objects[e.ID] = one
	}
	was := *one
	one.Name, one.live, one.fields = e.Name, e.Kind != KindDeleted && e.Kind != kindSuperseded, nil
	if fields := r.opts.Models[e.typeName].NaturalKey; len(fields) > 0 && one.live {
		v, err := r.asOfChange(ctx, e.typeName, e.ID, e.Seq)
		if err != nil && !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		one.fields = keyFields(v.Body, fields)
	}
	return was.live != one.live || was.Name != one.Name || !slices.Equal(was.fields, one.fields), nil
}

// content returns the file of an object as of the step, without its path.
func (r *replay) content(ctx context.Context, ref Ref) (File, error) {
	v, err := r.asOfChange(ctx, ref.Type, ref.ID, r.seq)
	if err != nil {
		return File{}, err
	}
	f := File{Ref: Ref{ref.Type, ref.ID, v.Name}}
	f.Data, err = r.lens.file(ctx, snapshot{Ref: f.Ref, body: v.Body})
	return f, err
}

// asOfChange returns the version of an object after a change. Several changes may have one time, so
// ObjectAsOf would not do. Without a change it is the version before the log begins.
func (r *replay) asOfChange(ctx context.Context, typeName, id string, seq uint64) (Version, error) {
	if seq == 0 {
		return r.objectAsOf(ctx, typeName, id, r.ring.at)
	}
	o, err := r.load(ctx, typeName, id)
	if err != nil {
		return Version{}, err
	}
	r.earlier.seq = seq
	for s, err := range r.states(ctx, o, r.earlier.record) {
		switch {
		case err != nil:
			return Version{}, err
		case s.Seq > seq:
		case !s.live:
			return Version{}, ErrNotFound
		default:
			return r.version(s, time.Time{})
		}
	}
	return Version{}, ErrNotFound
}

// reset forgets the natural keys, so that they are made anew.
func (k *keyring) reset() {
	for _, objects := range k.owns {
		for _, one := range objects {
			one.state = keyOpen
		}
	}
}
