package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Canonical appends the canonical form of body to dst and returns the extended slice. It is JSON
// without space, in which
//
//   - the ignored members are left out, and the borrowed ones where there is an id,
//   - the members of an object are sorted by their decoded names, bytewise; of members with one name
//     the last one counts,
//   - sets are sorted by identity, other arrays are in their order,
//   - numbers have their exact decimal value: 1.0 and 1e0 are 1, -0 is 0, and 9007199254740993 is
//     itself,
//   - strings have the fewest escapes. What is not Unicode stays as it is, so that it differs from all
//     else: bytes that are not UTF-8 as bytes, halves of surrogate pairs as escapes.
//
// It is idempotent: the canonical form of a canonical form is that form. The error is that of
// malformed JSON; dst is then returned as it was.
func (c *Comparer) Canonical(dst, body []byte) ([]byte, error) {
	w := canonicalizers.Get().(*canonicalizer)
	defer canonicalizers.Put(w)
	w.body, w.parts = body, w.parts[:0]
	defer func() { w.body = nil }()
	out, end := w.value(dst, jsonscan.Space(body, 0), c.rules, false, 0)
	if end >= 0 {
		if end = jsonscan.Space(body, end); end == len(body) {
			return out, nil
		}
		end = ^end
	}
	return dst, fmt.Errorf("diff: canonical form: %w", jsonscan.ErrorAt(body, ^end))
}

// plain has no rules: it finds the canonical form of values that are compared already.
var plain = &Comparer{}

// canonicalizers keeps the buffers from one body to the next.
var canonicalizers = sync.Pool{New: func() any { return &canonicalizer{} }}

// canonicalizer writes canonical forms. A body is written as it is read, in one pass. What has to be
// sorted, members and the elements of sets, is written in its order first and noted as parts: spans
// of the output. At the end of the container the parts are put in order, unless they came in order,
// as they mostly do.
//
// Its methods return the output and the end of what they read, or ^offset, as those of jsonscan do.
type canonicalizer struct {
	body    []byte
	scratch []byte // for a decoded name
	parts   []part // of the open containers, those of the innermost last
	sorted  []byte // where arrange puts parts in order
}

// part is a member or an element in the output, with the comma before it. What it is sorted by stands
// in the output too: its raw key, or its identity.
type part struct {
	start, end     int
	byStart, byEnd int
	kind           identityKind // of an element of a set
	borrowed       bool         // the member does not count beside an id
}

// value appends the canonical form of the value at i, which stands under the rule r. Set says that an
// array there is one; depth is how many containers are open around it.
func (w *canonicalizer) value(dst []byte, i int, r *rule, set bool, depth int) ([]byte, int) {
	if i >= len(w.body) {
		return dst, ^i
	}
	var end int
	switch c := w.body[i]; {
	case c == '"':
		return w.text(dst, i)
	case c == '{' || c == '[':
		if depth >= jsonscan.MaxDepth {
			return dst, ^i
		}
		if c == '{' {
			return w.object(dst, i, r, depth+1)
		}
		return w.array(dst, i, r, set, depth+1)
	case c == '-' || c-'0' <= 9: // Bytes wrap around, so c-'0' is at most 9 for digits only.
		if end = jsonscan.ScanNumber(w.body, i); end < 0 {
			return dst, end
		}
		return appendNumber(dst, w.body[i:end]), end
	}
	if end = jsonscan.ScanLiteral(w.body, i); end < 0 {
		return dst, end
	}
	return append(dst, w.body[i:end]...), end
}

// text appends the canonical form of the string at i. Only what has escapes can be written in
// another way.
func (w *canonicalizer) text(dst []byte, i int) ([]byte, int) {
	end, form := jsonscan.ScanString(w.body, i)
	switch {
	case end < 0:
		return dst, end
	case form&jsonscan.Escaped == 0:
		return append(dst, w.body[i:end]...), end
	}
	return appendText(dst, w.body[i:end]), end
}

// rule returns the rule for the member with the canonical key. It decodes the name only where a rule
// could apply.
func (w *canonicalizer) rule(r *rule, key []byte) *rule {
	name := key[1 : len(key)-1]
	if r != nil && bytes.IndexByte(name, '\\') >= 0 {
		w.scratch = appendName(w.scratch[:0], key)
		name = w.scratch
	}
	return r.member(name)
}

// object appends an object, with a comma before each member; the first one becomes the bracket. An
// ignored member is found by its key, which is taken back.
func (w *canonicalizer) object(dst []byte, i int, r *rule, depth int) ([]byte, int) {
	b := w.body
	open, firstPart := len(dst), len(w.parts)
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		return append(dst, "{}"...), i + 1
	}
	for {
		p := part{start: len(dst), byStart: len(dst) + 1}
		var end int
		if dst, end = w.text(append(dst, ','), i); end < 0 {
			return dst, end
		}
		p.byEnd = len(dst)
		if i = jsonscan.Space(b, end); i >= len(b) || b[i] != ':' {
			return dst, ^i
		}
		i = jsonscan.Space(b, i+1)
		if member := w.rule(r, dst[p.byStart:p.byEnd]); member != nil && member.ignore {
			dst = dst[:p.start]
			i = jsonscan.ScanValue(b, i, depth)
		} else {
			dst, i = w.value(append(dst, ':'), i, member, member != nil && member.set, depth)
			p.end, p.borrowed = len(dst), member != nil && member.borrowed && !isIDKey(dst[p.byStart:p.byEnd])
			w.parts = append(w.parts, p)
		}
		if i < 0 {
			return dst, i
		}
		if i = jsonscan.Space(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = jsonscan.Space(b, i+1)
	}
	if i >= len(b) || b[i] != '}' {
		return dst, ^i
	}
	if r != nil && r.borrows {
		dst = w.giveBack(dst, open, firstPart)
	}
	dst = w.arrange(dst, open, firstPart, true)
	if len(dst) == open {
		dst = append(dst, '{')
	}
	dst[open] = '{'
	return append(dst, '}'), i + 1
}

// array appends an array. Elements of a set are identified by their canonical form: an ignored id
// identifies nothing.
func (w *canonicalizer) array(dst []byte, i int, r *rule, set bool, depth int) ([]byte, int) {
	b := w.body
	open, firstPart := len(dst), len(w.parts)
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == ']' {
		return append(dst, "[]"...), i + 1
	}
	for {
		start := len(dst)
		if dst, i = w.value(append(dst, ','), i, r, false, depth); i < 0 {
			return dst, i
		}
		if set {
			by := identify(dst[start+1:])
			w.parts = append(w.parts, part{start, len(dst), start + 1 + by.start, start + 1 + by.end, by.kind, false})
		}
		if i = jsonscan.Space(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = jsonscan.Space(b, i+1)
	}
	if i >= len(b) || b[i] != ']' {
		return dst, ^i
	}
	if set {
		dst = w.arrange(dst, open, firstPart, false)
	}
	dst[open] = '['
	return append(dst, ']'), i + 1
}

// isIDKey reports whether a canonical key is that of an id.
func isIDKey(key []byte) bool { return string(key[1:len(key)-1]) == idName }

// giveBack drops the borrowed members among the parts from firstPart on, which make up the output from
// open on, if there is an id. Of several the last one counts.
func (w *canonicalizer) giveBack(dst []byte, open, firstPart int) []byte {
	parts := w.parts[firstPart:]
	hasID := false
	for _, p := range parts {
		if isIDKey(dst[p.byStart:p.byEnd]) {
			hasID = identifies(dst[p.byEnd+1 : p.end])
		}
	}
	if !hasID {
		return dst
	}
	// The members that stay move towards the start, over the gaps, and by, which is never above 0,
	// is how far. Kept shares its memory with parts: it is never ahead of the loop.
	end, kept := open, parts[:0]
	for _, p := range parts {
		if p.borrowed {
			continue
		}
		by := end - p.start
		copy(dst[end:], dst[p.start:p.end])
		end += p.end - p.start
		p.start, p.end, p.byStart, p.byEnd = p.start+by, p.end+by, p.byStart+by, p.byEnd+by
		kept = append(kept, p)
	}
	w.parts = w.parts[:firstPart+len(kept)]
	return dst[:end]
}

// arrange sorts the parts from firstPart on, which make up the output from open on. Of members with
// the same name it keeps the last one, for which the sort has to be stable. Elements of a set are
// sorted by the kind and text of their identity, and those with one identity by all that they are, so
// that the order never depends on how they came.
func (w *canonicalizer) arrange(dst []byte, open, firstPart int, members bool) []byte {
	parts := w.parts[firstPart:]
	w.parts = w.parts[:firstPart]
	compare := func(p, q part) int {
		if members {
			return compareKeys(dst[p.byStart:p.byEnd], dst[q.byStart:q.byEnd])
		}
		return cmp.Or(cmp.Compare(p.kind, q.kind),
			bytes.Compare(dst[p.byStart:p.byEnd], dst[q.byStart:q.byEnd]),
			bytes.Compare(dst[p.start:p.end], dst[q.start:q.end]))
	}
	ordered := true
	for i := 1; i < len(parts) && ordered; i++ {
		c := compare(parts[i-1], parts[i])
		ordered = c < 0 || c == 0 && !members
	}
	if ordered {
		return dst
	}
	slices.SortStableFunc(parts, compare)
	w.sorted = w.sorted[:0]
	for i, p := range parts {
		if members && i+1 < len(parts) && compare(p, parts[i+1]) == 0 {
			continue
		}
		w.sorted = append(w.sorted, dst[p.start:p.end]...)
	}
	return append(dst[:open], w.sorted...)
}
