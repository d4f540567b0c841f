package genesys

import (
	"strings"

	"github.com/cxsync/cxsync/internal/spelling"
)

// Suggest returns the type that a person may have meant by a text that is
// neither a name nor a label: of the types whose name or label contains the
// text, or differs from it by at most two letters, the one with the shortest label.
func (c *Catalogue) Suggest(text string) (ObjectType, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return ObjectType{}, false
	}
	for _, isLike := range []func(string) bool{
		func(name string) bool { return strings.Contains(name, text) },
		func(name string) bool { return len(text) > 3 && near(name, text, 2) },
	} {
		best, found := ObjectType{}, false
		for _, t := range c.types {
			like := isLike(strings.ToLower(t.Name)) || isLike(strings.ToLower(t.Label))
			if like && (!found || len(t.Label) < len(best.Label)) {
				best, found = t, true
			}
		}
		if found {
			return best, true
		}
	}
	return ObjectType{}, false
}

// near reports, at little cost for texts of very different length, whether at most limit letters
// have to be added, dropped or replaced to make b of a.
func near(a, b string, limit int) bool {
	return max(len(a), len(b))-min(len(a), len(b)) <= limit && spelling.Edits(a, b) <= limit
}
