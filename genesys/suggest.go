package genesys

import "strings"

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

// near reports whether at most limit letters have to be added, dropped or
// replaced to make b of a.
func near(a, b string, limit int) bool {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return false
	}
	row := make([]int, len(b)+1) // edits from a[:i] to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			edits := diagonal
			if a[i] != b[j] {
				edits = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], edits
		}
	}
	return row[len(b)] <= limit
}
