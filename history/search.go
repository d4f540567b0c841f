package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// A Search looks for a value in bodies. Text or Pattern is needed.
type Search struct {
	Text    string         // a part of the value, in its letter case
	Pattern *regexp.Regexp // or what the value matches
	Types   []string       // objects of these types, as in Query; empty for all
	Fields  []string       // in these fields or below them, as paths in diff.Rules; empty for all
	At      time.Time      // bodies as they were then. Defaults to now, with the fields that are not compared
}

// A Hit is an object that a Search found.
type Hit struct {
	Ref
	Paths []string `json:"paths"` // of the values, as RFC 6901 pointers
}

// Search iterates over the objects that hold a value, by type and id. Strings are searched as
// they read, numbers and booleans as they are written; names of members are not.
//
// For an object of which retention has removed what At needs, it yields an error that matches
// ErrTrimmed, with a Hit that names the object, and goes on. Any other error ends the iteration:
// one that matches ErrUnknown if a type was not known.
func (h *History) Search(ctx context.Context, q Search) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		s, err := q.compile()
		if err != nil {
			yield(Hit{}, err)
			return
		}
		if s.Types, err = h.knownTypes(ctx, q.Types, q.At); err != nil {
			yield(Hit{}, err)
			return
		}
		for o, err := range h.snapshots(ctx, s.Types, q.At, s.text) {
			hit := Hit{Ref: o.Ref}
			if err == nil && s.may(o.body) {
				hit.Paths, err = s.find(o)
			}
			if err == nil && len(hit.Paths) == 0 {
				continue
			}
			if !yield(hit, err) || err != nil && !errors.Is(err, ErrTrimmed) {
				return
			}
		}
	}
}

// A searcher is a Search, checked.
type searcher struct {
	Search
	text   []byte
	fields []diff.Path
}

func (q Search) compile() (*searcher, error) {
	s := &searcher{Search: q}
	if q.Text != "" {
		s.text = []byte(q.Text)
	}
	switch {
	case (q.Text == "") == (q.Pattern == nil):
		return nil, errors.New("history: a search needs a text or a pattern, and not both")
	case q.Pattern != nil && q.Pattern.MatchString(""):
		return nil, fmt.Errorf("history: search for %q: it matches the empty text, and so everything", q.Pattern)
	}
	for _, field := range q.Fields {
		path, err := diff.ParsePath(field)
		if err != nil {
			return nil, fmt.Errorf("history: search: %w", err)
		}
		s.fields = append(s.fields, path)
	}
	return s, nil
}

// may reports whether a body can hold the text: a look at the bytes spares most bodies the walk. An
// escape may stand for a part of it.
func (s *searcher) may(body []byte) bool {
	return s.Pattern != nil || bytes.Contains(body, s.text) || bytes.IndexByte(body, '\\') >= 0
}

// find returns where in the body the value stands, in the order of the body. A place is tested for the
// value first and for the fields then: hardly any text holds the value, and a path costs more.
func (s *searcher) find(o snapshot) (paths []string, err error) {
	err = eachText(o.body, func(path, text []byte, name bool) {
		switch {
		case name:
		case s.Pattern != nil && !s.Pattern.Match(text):
		case s.Pattern == nil && !bytes.Contains(text, s.text):
		case len(s.fields) > 0 && !s.in(string(path)):
		default:
			paths = append(paths, string(path))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("history: body of %s: %w", o.Ref, err)
	}
	return paths, nil
}

// in reports whether a pointer leads into one of the fields. It asks as if the place had changed, so
// that a path means the same in a Search and in a Query.
func (s *searcher) in(pointer string) bool {
	return slices.ContainsFunc(s.fields, func(p diff.Path) bool {
		return p.Touches([]diff.FieldChange{{Path: pointer}})
	})
}
