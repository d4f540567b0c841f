package genesys

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// The border is where an answer becomes an [Object]. What nobody may see does
// not pass it: secrets, and the queries of signed URLs, wherever they stand. A
// value that is on its way to another one passes as the one it settles at.
//
// One pass over the bytes finds what there is to change, as a list of edits. A
// body without any, as nearly all are, is handed on as it came, and nothing is
// allocated for it. The edits are in the order of the source and do not overlap;
// everything between them stays byte for byte, spelling of numbers and spaces
// included, so that a body that passes twice is the same both times.
//
// What an edit is for is decided at each member by its name (treatment.go), by
// its place in the type's bodies (place), and at each string by the URLs in it
// (query.go). A secret may also be named by a sibling, as in {"key": "password",
// "value": "…"}: then its value may come before its name, so it is only noted, and
// masked when the object ends (property.go).

// SecretMark stands in a body for a secret whose name a customer chose, such as
// a column of a data table. That there is a secret shows; its value does not,
// and is not compared. Other secrets are left out of bodies with their names.
const SecretMark = "[secret]"

// borderForm changes with every change of what passes the border, and with it how
// bodies compare: those that were recorded before go through Clean first.
const borderForm = "border 1"

// Clean returns a body that an older version of this package has received as it
// would be received now.
func (t ObjectType) Clean(body []byte) ([]byte, error) {
	cleaned, _, err := clean(body, t.border())
	return cleaned, err
}

// clean returns what of an answer may pass the border, everything that may pass
// byte for byte, and how many values SecretMark stands for. It returns body
// itself when there is nothing to change.
func clean(body []byte, b *border) (cleaned []byte, masked int, err error) {
	c := cleaner{src: body, urls: mayHoldQuery(body)}
	var start *place
	if b != nil {
		c.secrets, start = b.secrets, b.start
	}
	end := c.value(jsonscan.Space(body, 0), start, plain)
	if end >= 0 && jsonscan.Space(body, end) != len(body) {
		end = ^jsonscan.Space(body, end)
	}
	if end < 0 {
		return nil, 0, jsonscan.ErrorAt(body, ^end)
	}
	cleaned, masked = c.edited()
	return cleaned, masked, nil
}

// A border says what a type needs at the border beside what all types need.
type border struct {
	start   *place
	secrets []string // names of members that are dropped at any depth
	more    bool     // there is more to do than to cut the queries of URLs
}

// mayEdit reports whether clean may change a body in which suspect tells of a name that it looks
// for in every type. It is quick and errs on the safe side: nearly no body has such a name or a
// query.
func (b *border) mayEdit(body []byte, suspect bool) bool {
	if suspect || b != nil && (b.more || bytes.IndexByte(body, '#') >= 0) {
		return true
	}
	return mayHoldQuery(body)
}

// A place is a member of a body, or one step on the way to it. Elements of an
// array are at the array's place. The nil place says nothing, here and below.
type place struct {
	names  map[string]*place
	filter jsonscan.Names // of the names, which spares most lookups
	any    *place         // for members whose name does not matter

	secret  bool      // the value is dropped, whatever it is
	query   bool      // a URL whose query is cut off
	below   treatment // of what is below; plain keeps what it is
	settles map[string]string
}

// member returns the place of a member of p.
func (p *place) member(name []byte) *place {
	if p == nil {
		return nil
	}
	if p.filter.MayHave(name) {
		if next, ok := p.names[string(name)]; ok {
			return next
		}
	}
	return p.any
}

// An edit replaces a part of the source.
type edit struct {
	from, to int
	with     string
}

// A cleaner is one pass over one body.
type cleaner struct {
	src     []byte
	secrets []string
	urls    bool // there is a question mark somewhere
	edits   []edit
	hide    []span // values of secrets that were seen before their names
	depth   int
}

// quotedMark is SecretMark as a JSON string. Edits with either of them are counted as masked.
const quotedMark = `"` + SecretMark + `"`

func (c *cleaner) edit(from, to int, with string) {
	c.edits = append(c.edits, edit{from, to, with})
}

// edited applies the edits.
func (c *cleaner) edited() (cleaned []byte, masked int) {
	c.hideSpans()
	if c.edits == nil {
		return c.src, 0
	}
	cleaned = make([]byte, 0, len(c.src)+len(c.edits)*len(quotedMark))
	from := 0
	for _, e := range c.edits {
		cleaned = append(append(cleaned, c.src[from:e.from]...), e.with...)
		from = e.to
		if e.with == quotedMark || e.with == SecretMark {
			masked++
		}
	}
	return append(cleaned, c.src[from:]...), masked
}

// hideSpans replaces the edits inside of the values to hide by edits that mask every string in them.
// A value may be inside of another one that is hidden; the outer one counts.
func (c *cleaner) hideSpans() {
	if c.hide == nil {
		return
	}
	slices.SortFunc(c.hide, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	before, end := c.edits, 0
	c.edits = nil
	for _, s := range c.hide {
		if s.from < end {
			continue // inside of the one before
		}
		for len(before) > 0 && before[0].from < s.from {
			c.edits, before = append(c.edits, before[0]), before[1:]
		}
		for len(before) > 0 && before[0].from < s.to {
			before = before[1:]
		}
		c.value(s.from, nil, hidden)
		end = s.to
	}
	c.edits = append(c.edits, before...)
}

// value goes over the value at i, which is at that place and treated so, and returns its end, or
// ^offset where it is malformed. A scalar that is no string passes as it is: no secret is a number.
func (c *cleaner) value(i int, p *place, how treatment) int {
	if i >= len(c.src) {
		return ^i
	}
	switch c.src[i] {
	case '"':
		end, form := jsonscan.ScanString(c.src, i)
		if end >= 0 && (c.urls || p != nil || how >= dropped) {
			c.text(i, end, form, p, how)
		}
		return end
	case '{', '[':
		if c.depth++; c.depth > jsonscan.MaxDepth {
			return ^i
		}
		if p != nil && p.below != plain && how == plain {
			how = p.below
		}
		if c.src[i] == '{' {
			i = c.object(i, p, how)
		} else {
			i = c.array(i, p, how)
		}
		c.depth--
		return i
	}
	return jsonscan.ScanValue(c.src, i, c.depth)
}

// text changes the string from i to end where it has to be.
func (c *cleaner) text(i, end int, form jsonscan.Form, p *place, how treatment) {
	switch {
	case how >= dropped:
		c.edit(i, end, quotedMark)
		return
	case p == nil:
	case p.settles != nil:
		if settled, ok := p.settles[string(c.src[i+1:end-1])]; ok {
			c.edit(i+1, end-1, settled)
		}
		return
	case p.query:
		if n := bytes.IndexAny(c.src[i+1:end-1], "?#"); n >= 0 {
			c.edit(i+1+n, end-1, "")
		}
		return
	}
	if c.urls {
		c.edits = appendQueryEdits(c.edits, c.src, i+1, end-1, form&jsonscan.Escaped != 0)
	}
}

// array is value for an array. Its elements are treated as it is.
func (c *cleaner) array(i int, p *place, how treatment) int {
	i = jsonscan.Space(c.src, i+1)
	if i < len(c.src) && c.src[i] == ']' {
		return i + 1
	}
	for {
		if i = c.value(i, p, how); i < 0 {
			return i
		}
		i = jsonscan.Space(c.src, i)
		switch {
		case i < len(c.src) && c.src[i] == ',':
			i = jsonscan.Space(c.src, i+1)
		case i < len(c.src) && c.src[i] == ']':
			return i + 1
		default:
			return ^i
		}
	}
}

// object is value for an object. A member that goes takes a comma with it: the one behind it as long
// as no member was kept, else the one in front. So edits never overlap, and what is left is valid
// JSON, whether the first member goes, the last one, or all.
func (c *cleaner) object(i int, p *place, how treatment) int {
	start := i + 1 // of the member with the space in front of it
	i = jsonscan.Space(c.src, start)
	if i < len(c.src) && c.src[i] == '}' {
		return i + 1
	}
	var pair pair
	first := true // no member was kept so far
	for {
		end, form := jsonscan.ScanString(c.src, i)
		if end < 0 {
			return end
		}
		name := c.src[i+1 : end-1]
		if form&jsonscan.Escaped != 0 {
			name = jsonscan.AppendString(nil, c.src[i:end])
		}
		if i = jsonscan.Space(c.src, end); i >= len(c.src) || c.src[i] != ':' {
			return ^i
		}
		i = jsonscan.Space(c.src, i+1)
		from := i
		next := p.member(name)
		inside, drop := c.treat(name, i, next, how)
		if drop {
			i = jsonscan.ScanValue(c.src, i, c.depth)
		} else {
			i = c.value(i, next, inside)
		}
		if i < 0 {
			return i
		}
		after := jsonscan.Space(c.src, i)
		if after >= len(c.src) || c.src[after] != ',' && c.src[after] != '}' {
			return ^after
		}
		switch {
		case !drop:
			first = false
			if how <= chosen {
				pair.see(c, name, from, i)
			}
		case first && c.src[after] == ',':
			c.edit(start, after+1, "")
		case first:
			c.edit(start, i, "")
		default:
			c.edit(start-1, i, "")
		}
		if c.src[after] == '}' {
			pair.hide(c)
			return after + 1
		}
		start = after + 1
		i = jsonscan.Space(c.src, start)
	}
}
