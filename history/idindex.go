package history

import (
	"context"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// An idIndex knows every object that was ever seen, the deleted ones too, by its id. It is made for
// one question, by a scan of all heads, and not kept: an index in the store would have to be written
// by every pass, for questions that people ask now and then.
type idIndex struct {
	whole map[string]sameID // by the whole id
	last  map[string]sameID // ids that go on behind that of a parent, by their last part
}

// sameID are objects that have one id. Objects of types without a parent come first.
type sameID struct {
	refs []Ref
	top  int // how many of them are of types without a parent
}

// of returns the object of that type among them.
func (s sameID) of(typeName string) (Ref, bool) {
	for _, r := range s.refs {
		if r.Type == typeName {
			return r, true
		}
	}
	return Ref{}, false
}

// idIndex reads the heads of all types, those without a parent first: they own their ids, while types
// below them often repeat the id of something else. With a part it leaves out the ids whose last part
// is another, which is enough to resolve that part.
func (h *History) idIndex(ctx context.Context, part string) (idIndex, error) {
	x := idIndex{map[string]sameID{}, map[string]sameID{}}
	types, err := h.types(ctx)
	if err != nil {
		return x, err
	}
	wanted := func(id string) bool { return part == "" || lastPart(id) == part }
	for _, child := range []bool{false, true} {
		for _, typeName := range types {
			if (h.opts.Models[typeName].Parent != "") != child {
				continue
			}
			for hd, err := range h.headsIn(ctx, typeName, h.keys.below("head", typeName), wanted) {
				if err != nil {
					return x, err
				}
				x.add(Ref{typeName, hd.id, hd.Name}, child)
			}
		}
	}
	return x, nil
}

func (x *idIndex) add(r Ref, child bool) {
	s := x.whole[r.ID]
	s.refs = append(s.refs, r)
	if !child {
		s.top++
	}
	x.whole[r.ID] = s
	if part := lastPart(r.ID); len(part) == uuidSize && part != r.ID {
		s := x.last[part]
		if s.refs = append(s.refs, r); len(s.refs) > 2 {
			s.refs = s.refs[:2] // two are as good as many: none is meant
		}
		x.last[part] = s
	}
}

// resolve returns the objects that a UUID refers to. An id that is its own comes first, and of
// those the objects of types without a parent. An id that ends with it, behind that of a parent,
// counts only if there is one: a user's id ends the ids of all memberships.
func (x *idIndex) resolve(uuid string) []Ref {
	if s := x.whole[uuid]; s.top > 0 {
		return s.refs[:s.top]
	} else if len(s.refs) > 0 {
		return s.refs
	}
	if s := x.last[uuid]; len(s.refs) == 1 {
		return s.refs
	}
	return nil
}

// eachText calls f with every scalar but null in a body, and with the pointer of where it stands:
// strings decoded, numbers and booleans as they are written. The names of members come as well, as
// standing where their values do.
func eachText(body []byte, f func(path, text []byte, name bool)) error {
	w := textWalker{f: f}
	return w.value(nil, body)
}

// A textWalker goes through a body. The path that it gives to f is valid during that call only.
type textWalker struct {
	f       func(path, text []byte, name bool)
	scratch []byte
}

func (w *textWalker) value(path, raw []byte) error {
	switch raw[0] {
	case '"':
		w.f(path, w.text(raw), false)
	case '[':
		it := jsonscan.Elements(raw)
		for i := int64(0); it.Next(); i++ {
			if err := w.value(strconv.AppendInt(append(path, '/'), i, 10), it.Value()); err != nil {
				return err
			}
		}
		return it.Err()
	case '{':
		it := jsonscan.Members(raw)
		for it.Next() {
			name := w.text(it.Key())
			below := append(append(path, '/'), escapeToken.Replace(string(name))...)
			w.f(below, name, true)
			if err := w.value(below, it.Value()); err != nil {
				return err
			}
		}
		return it.Err()
	case 'n':
	default:
		w.f(path, raw, false)
	}
	return nil
}

// text returns a raw string decoded, valid until the next call.
func (w *textWalker) text(raw []byte) []byte {
	w.scratch = jsonscan.AppendString(w.scratch[:0], raw)
	return w.scratch
}

var escapeToken = strings.NewReplacer("~", "~0", "/", "~1")

// eachAt calls f with the strings at a path of member names, arrays passed through.
func eachAt(raw []byte, names []string, path []byte, f func(path []byte, text string)) {
	switch {
	case len(raw) == 0:
	case raw[0] == '[':
		it := jsonscan.Elements(raw)
		for i := int64(0); it.Next(); i++ {
			eachAt(it.Value(), names, strconv.AppendInt(append(path, '/'), i, 10), f)
		}
	case len(names) == 0:
		if text, ok := jsonscan.String(raw); ok {
			f(path, text)
		}
	default:
		if value, ok := jsonscan.Lookup(raw, names[0]); ok {
			eachAt(value, names[1:], append(append(path, '/'), escapeToken.Replace(names[0])...), f)
		}
	}
}
