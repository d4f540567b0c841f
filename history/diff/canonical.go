package diff

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Canonical appends the canonical form of body to dst and returns the extended slice. It is JSON without space, in
// which
//
//   - the ignored members are left out,
//   - the members of an object are sorted by their decoded names, bytewise; of members with one name the last one counts,
//   - sets are sorted by identity, other arrays are in their order,
//   - numbers have their exact decimal value: 1.0 and 1e0 are 1, -0 is 0, and 9007199254740993 is itself,
//   - strings are UTF-8 with the fewest escapes; what is not Unicode (stray bytes, lone surrogates) is U+FFFD.
//
// The error is that of malformed JSON; dst is then returned as it was.
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

var canonicalizers = sync.Pool{New: func() any { return &canonicalizer{} }}

// canonicalizer writes canonical forms. Its methods return the end of what they read, or ^offset, as those of jsonscan
// do.
type canonicalizer struct {
	body    []byte
	scratch []byte // For a decoded string.
	parts   []part // Of the open containers.
	sorted  []byte
}

// part is a member or an element in the output, with the comma before it. What it is sorted by stands in the output too:
// its raw key, or its identity.
type part struct {
	start, end     int
	byStart, byEnd int
	kind           identityKind
}

func (w *canonicalizer) value(dst []byte, i int, r *rule, set bool, depth int) ([]byte, int) {
	if i >= len(w.body) {
		return dst, ^i
	}
	var end int
	switch c := w.body[i]; {
	case c == '"':
		dst, _, end = w.text(dst, i)
		return dst, end
	case c == '{' || c == '[':
		if depth >= jsonscan.MaxDepth {
			return dst, ^i
		}
		if c == '{' {
			return w.object(dst, i, r, depth+1)
		}
		return w.array(dst, i, r, set, depth+1)
	case c == '-' || c-'0' <= 9:
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

// text appends the canonical form of the string at i. It also returns the string decoded, valid until the next call.
func (w *canonicalizer) text(dst []byte, i int) (out, decoded []byte, end int) {
	end, form := jsonscan.ScanString(w.body, i)
	if end < 0 {
		return dst, nil, end
	}
	raw := w.body[i:end]
	if form == 0 || form == jsonscan.NonASCII && utf8.Valid(raw) {
		return append(dst, raw...), raw[1 : len(raw)-1], end
	}
	w.scratch = jsonscan.AppendString(w.scratch[:0], raw)
	return appendQuoted(dst, w.scratch), w.scratch, end
}

// appendQuoted appends s as a JSON string with the fewest escapes.
func appendQuoted(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(dst, '"')
}

func (w *canonicalizer) object(dst []byte, i int, r *rule, depth int) ([]byte, int) {
	b := w.body
	open, firstPart := len(dst), len(w.parts)
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		return append(dst, "{}"...), i + 1
	}
	for {
		p := part{start: len(dst), byStart: len(dst) + 1}
		var name []byte
		var end int
		if dst, name, end = w.text(append(dst, ','), i); end < 0 {
			return dst, end
		}
		p.byEnd = len(dst)
		if i = jsonscan.Space(b, end); i >= len(b) || b[i] != ':' {
			return dst, ^i
		}
		i = jsonscan.Space(b, i+1)
		if member := r.member(name); member != nil && member.ignore {
			dst = dst[:p.start]
			i = jsonscan.ScanValue(b, i, depth)
		} else {
			dst, i = w.value(append(dst, ':'), i, member, member != nil && member.set, depth)
			p.end = len(dst)
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
	dst = w.arrange(dst, open, firstPart, true)
	if len(dst) == open {
		dst = append(dst, '{')
	}
	dst[open] = '{'
	return append(dst, '}'), i + 1
}

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
			w.parts = append(w.parts, part{start, len(dst), start + 1 + by.start, start + 1 + by.end, by.kind})
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

// arrange sorts the parts from firstPart on, which make up the output from open on, and closes them. Of members with the
// same name it keeps the last one.
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

// compareKeys orders canonical raw keys by what they mean. The escapes are the only text that is not in that order.
func compareKeys(a, b []byte) int {
	if bytes.IndexByte(a, '\\') >= 0 || bytes.IndexByte(b, '\\') >= 0 {
		return bytes.Compare(jsonscan.AppendString(nil, a), jsonscan.AppendString(nil, b))
	}
	return bytes.Compare(a[1:len(a)-1], b[1:len(b)-1])
}
