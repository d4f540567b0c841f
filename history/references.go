package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Bodies refer to other objects by id, in thousands of fields, and nobody keeps a complete list of
// these. But ids are UUIDs, and a UUID that is the id of a known object is no accident. So every text
// of a body is searched for UUIDs, wherever they stand, and the index of all ids says what each means
// (idindex.go). Only ids that are no UUIDs need a list of the fields that hold them
// (Model.References). Nothing is stored for it: the answer is made of the bodies, now or at a time.

// A Reference says that one object names another by its id.
type Reference struct {
	From  Ref      `json:"from"`
	To    Ref      `json:"to"`
	Paths []string `json:"paths"` // where in the body of From, as RFC 6901 pointers, in their order
	Live  bool     `json:"live"`  // To exists at the time asked for
}

// ReferenceOptions say where to look for references. The zero value looks at what is now.
type ReferenceOptions struct {
	// At is the time asked for. Defaults to now.
	At time.Time

	// Types are those of the objects that refer, as in Query. Defaults to all.
	Types []string

	// Everything counts ids that do not configure anything as well: selfUri, who made and
	// changed an object, and, now, the fields that are not compared.
	Everything bool
}

// References iterates over the objects that an object refers to.
//
// A UUID refers to the known object whose id it is, wherever it stands: as a value, as a
// member's name, inside a path or inside JSON that is the text of a string. Of several objects
// with one id, those count that are listed under no other; where no id equals it, the only one
// whose id ends with it, behind that of its parent. Other ids, such as "en-us", count
// only in the fields that Model.References names. An object does not refer to itself.
//
// What is looked up by its name while a flow or a script runs, such as a data table's row, is
// no reference that a body shows.
//
// References returns ErrNotFound for an object that did not exist at the time asked for.
func (h *History) References(ctx context.Context, typeName, id string, opts *ReferenceOptions) ([]Reference, error) {
	q, err := h.references(ctx, opts, "")
	if err != nil {
		return nil, err
	}
	if typeName, err = q.known(ctx, typeName); err != nil {
		return nil, err
	}
	o, err := h.snapshotOf(ctx, typeName, id, q.opts.At)
	if err != nil {
		return nil, err
	}
	found, err := q.from(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Live, err = q.live(ctx, found[i].To); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Referrers iterates over the references to an object: where it is used, by type and id of
// who refers to it. The object itself may be deleted: what refers to it then is broken.
//
// For an object of which retention has removed what At needs, it yields an error that matches
// ErrTrimmed, with a Reference that names the object in From, and goes on. Any other error ends
// the iteration. An object that was never seen is ErrNotFound.
func (h *History) Referrers(ctx context.Context, typeName, id string, opts *ReferenceOptions) iter.Seq2[Reference, error] {
	return func(yield func(Reference, error) bool) {
		q, err := h.references(ctx, opts, lastPart(id))
		if err == nil {
			typeName, err = q.known(ctx, typeName)
		}
		if err != nil {
			yield(Reference{}, err)
			return
		}
		hd, known, err := h.head(ctx, typeName, id)
		if err == nil && !known {
			err = fmt.Errorf("history: %s %q: %w", typeName, id, ErrNotFound)
		}
		to := Ref{typeName, id, hd.Name}
		live := false
		if err == nil {
			live, err = q.live(ctx, to)
		}
		if err != nil {
			yield(Reference{}, err)
			return
		}
		q.to(ctx, func(r Reference, err error) bool {
			if err == nil && (r.To.Type != typeName || r.To.ID != id) {
				return true
			}
			r.Live = live
			return yield(r, err)
		})
	}
}

// Dangling iterates over the references to objects that were seen once and do not exist at the
// time asked for. Errors are those of Referrers.
func (h *History) Dangling(ctx context.Context, opts *ReferenceOptions) iter.Seq2[Reference, error] {
	return func(yield func(Reference, error) bool) {
		q, err := h.references(ctx, opts, "")
		if err != nil {
			yield(Reference{}, err)
			return
		}
		q.to(ctx, func(r Reference, err error) bool {
			if err != nil {
				return yield(r, err)
			}
			live, err := q.live(ctx, r.To)
			return live && err == nil || yield(r, err)
		})
	}
}

// A referenceQuery is one question about references.
type referenceQuery struct {
	*History
	opts   ReferenceOptions
	lens   *lens
	index  idIndex
	needle []byte // what a body has to hold to be worth a look; nil for any
	alive  map[Ref]bool
}

// references prepares a question. It reads the ids of all objects, or of those that references to
// objects with one last part can mean.
func (h *History) references(ctx context.Context, opts *ReferenceOptions, part string) (*referenceQuery, error) {
	q := &referenceQuery{History: h, alive: map[Ref]bool{}}
	if part != "" {
		q.needle = []byte(part)
	}
	if opts != nil {
		q.opts = *opts
	}
	q.lens = h.lens(func(typeName string) []string {
		if q.opts.Everything {
			return nil
		}
		return append([]string{"**.selfUri"}, h.opts.Models[typeName].Provenance...)
	})
	var err error
	if q.opts.Types, err = h.knownTypes(ctx, q.opts.Types, q.opts.At); err != nil {
		return nil, err
	}
	q.index, err = h.idIndex(ctx, part)
	return q, err
}

// known returns the name of the type of the object that a question is about.
func (q *referenceQuery) known(ctx context.Context, typeName string) (string, error) {
	types, err := q.knownTypes(ctx, []string{typeName}, time.Time{})
	if err != nil {
		return "", err
	}
	return types[0], nil
}

// to calls yield with every reference, until it returns false.
func (q *referenceQuery) to(ctx context.Context, yield func(Reference, error) bool) {
	for o, err := range q.snapshots(ctx, q.opts.Types, q.opts.At, q.needle) {
		if err != nil {
			if !yield(Reference{From: o.Ref}, err) || !errors.Is(err, ErrTrimmed) {
				return
			}
			continue
		}
		// Most bodies are ruled out by a look at their bytes. One with a backslash may hold the id with
		// some of its characters written as escapes.
		if q.needle != nil && !bytes.Contains(o.body, q.needle) && bytes.IndexByte(o.body, '\\') < 0 {
			continue
		}
		found, err := q.from(ctx, o)
		if err != nil {
			yield(Reference{From: o.Ref}, err)
			return
		}
		for _, r := range found {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// live reports whether an object exists at the time asked for. For a time in the past it has to make
// the object's version of then, so what it found is kept for the other references to the object.
func (q *referenceQuery) live(ctx context.Context, r Ref) (bool, error) {
	if known, ok := q.alive[r]; ok {
		return known, nil
	}
	hd, found, err := q.head(ctx, r.Type, r.ID)
	live := found && hd.live()
	if err == nil && found && !q.opts.At.IsZero() {
		_, err = q.objectAsOf(ctx, r.Type, r.ID, q.opts.At)
		live = err == nil
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
	}
	q.alive[r] = live
	return live, err
}

// from returns what an object refers to, by type and id.
func (q *referenceQuery) from(ctx context.Context, o snapshot) ([]Reference, error) {
	var err error
	body := o.body
	if !q.opts.Everything {
		if body, err = q.lens.canonical(ctx, o); err != nil {
			return nil, err
		}
	}
	paths := map[Ref][]string{}
	add := func(to Ref, path []byte) {
		if to.Type == o.Type && to.ID == o.ID {
			return
		}
		p := string(path)
		if known := paths[to]; len(known) == 0 || known[len(known)-1] != p {
			paths[to] = append(known, p)
		}
	}
	err = eachText(body, func(path, text []byte, _ bool) {
		uuids(text, func(start int) bool {
			for _, to := range q.index.resolve(string(text[start : start+uuidSize])) {
				add(to, path)
			}
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("history: body of %s: %w", o.Ref, err)
	}
	for _, typed := range q.History.opts.Models[o.Type].References {
		eachAt(body, strings.Split(typed.Path, "."), nil, func(path []byte, id string) {
			if to, ok := q.index.whole[id].of(typed.Type); ok && !isUUID([]byte(id)) {
				add(to, path)
			}
		})
	}
	found := make([]Reference, 0, len(paths))
	for to, where := range paths {
		found = append(found, Reference{From: o.Ref, To: to, Paths: where})
	}
	slices.SortFunc(found, func(a, b Reference) int {
		return cmp.Or(strings.Compare(a.To.Type, b.To.Type), strings.Compare(a.To.ID, b.To.ID))
	})
	return found, nil
}
