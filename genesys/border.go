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
// allocated for it.

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

// mayEdit reports whether clean may change a body in which suspect tells of a name that it looks for in every type. It
// is quick and errs on the safe side: nearly no body has such a name or a query.
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
	filter uint64 // the buckets of the names, which spare most lookups
	any    *place // for members whose name does not matter

	secret  bool      // the value is dropped, whatever it is
	query   bool      // a URL whose query is cut off
	below   treatment // of what is below; plain keeps what it is
	settles map[string]string
}

func (p *place) member(name []byte) *place {
	if p == nil {
		return nil
	}
	if p.filter>>bucket(name)&1 != 0 {
		if next, ok := p.names[string(name)]; ok {
			return next
		}
	}
	return p.any
}

// bucket spreads names over 64 buckets.
func bucket[T []byte | string](name T) uint64 {
	n := uint64(len(name))
	if n == 0 {
		return 0
	}
	return (n*7 + uint64(name[0])*5 + uint64(name[n-1])*3 + uint64(name[n/2])) & 63
}

// A treatment says what becomes of strings below a place.
type treatment uint8

const (
	plain     treatment = iota
	chosen              // customers chose the names: secrets are masked, so that they show
	defined             // the same, but what stands below a name describes a value and is none
	described           // below a secret name in a definition: only examples of the value are masked
	dropped             // below a secret name: strings go
	hidden              // below a secret name that a customer chose: strings are masked
)

// An edit replaces a part of the source.
type edit struct {
	from, to int
	with     string
}

type cleaner struct {
	src     []byte
	secrets []string
	urls    bool // there is a question mark somewhere
	edits   []edit
	hide    []span // values of secrets that were seen before their names
	depth   int
}

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
		if e.with == quotedMark {
			masked++
		}
	}
	return append(cleaned, c.src[from:]...), masked
}

// hideSpans replaces the edits inside of the values to hide by those that hide them.
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

// value goes over the value at i and returns its end, or ^offset where it is malformed.
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

// treat returns how the value of a member is to be treated, and whether the member goes.
func (c *cleaner) treat(name []byte, value int, p *place, how treatment) (inside treatment, drop bool) {
	if p != nil && p.secret || c.secrets != nil && slices.Contains(c.secrets, string(name)) {
		return plain, true
	}
	isText := value < len(c.src) && c.src[value] == '"'
	switch {
	case how == dropped:
		return dropped, isText
	case how == hidden:
		return hidden, false
	case how == described && isExample(name):
		return hidden, false
	case how == chosen && isText && isCredentialHeader(name) && !c.refers(value):
		return hidden, false
	case !isSecretName(name):
		return how, false
	case how == plain:
		return dropped, isText
	case how == chosen || isText:
		return hidden, false
	}
	return described, false
}

// isCredentialHeader reports whether a member is an HTTP header that says who asks.
func isCredentialHeader(name []byte) bool {
	return bytes.EqualFold(name, []byte("Authorization")) || bytes.EqualFold(name, []byte("Proxy-Authorization")) || bytes.EqualFold(name, []byte("Cookie"))
}

// refers reports whether the string at i only says where the credentials are kept: "Bearer ${credentials.token}".
func (c *cleaner) refers(i int) bool {
	end, _ := jsonscan.ScanString(c.src, i)
	return end >= 0 && bytes.Contains(c.src[i:end], []byte("${"))
}

// isExample reports whether a member of a JSON schema holds values rather than a description.
func isExample(name []byte) bool {
	switch string(name) {
	case "default", "const", "enum", "example", "examples":
		return true
	}
	return false
}

// A pair looks for a property inside of an object: a member that names it, and
// others that hold its value. They may stand in either order.
type pair struct {
	secret bool // the name is that of a secret
	n      int
	spans  [4]span
	more   []span
}

type span struct{ from, to int }

// see looks at a member and its value from one offset to another.
func (p *pair) see(c *cleaner, name []byte, from, to int) {
	switch {
	case isPairValue(name) && p.n < len(p.spans):
		p.spans[p.n] = span{from, to}
		p.n++
	case isPairValue(name):
		p.more = append(p.more, span{from, to})
	case c.src[from] == '"' && isPairName(name):
		text := c.src[from+1 : to-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			text = jsonscan.AppendString(nil, c.src[from:to])
		}
		p.secret = p.secret || isSecretName(text)
	}
}

// hide has the values masked if the name is that of a secret.
func (p *pair) hide(c *cleaner) {
	if p.secret {
		c.hide = append(append(c.hide, p.spans[:p.n]...), p.more...)
	}
}

func isPairName(name []byte) bool {
	switch string(name) {
	case "key", "name", "id", "field", "property", "attribute", "header", "parameter":
		return true
	}
	return false
}

func isPairValue(name []byte) bool {
	switch string(name) {
	case "value", "values", "defaultValue", "oldValue", "oldValues", "newValue", "newValues":
		return true
	}
	return false
}
