package genesys

import (
	"bytes"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// Secrets whose name is a value: {"name": "apiKey", "value": "…"}.

// A pair looks for a property inside of an object: a member that names it, and
// others that hold its value. They may stand in either order.
type pair struct {
	secret bool // the name is that of a secret
	n      int
	spans  [4]span
	more   []span
}

// A span is a part of the source.
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
