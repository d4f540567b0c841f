package genesystest

import (
	"iter"
	"strings"
	"unicode"
)

// endings yields a field's name and its last words in lower case, the longest
// first: targetContactListId, contactListId, listId, id. A plural is followed
// by its singular.
func endings(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, r := range name {
			if i > 0 && !unicode.IsUpper(r) {
				continue
			}
			if i > 0 && i+1 < len(name) && unicode.IsUpper(rune(name[i-1])) && unicode.IsUpper(rune(name[i+1])) {
				continue // inside an abbreviation
			}
			word := strings.ToLower(name[i:])
			if !yield(word) {
				return
			}
			if one := singular(word); one != word && !yield(one) {
				return
			}
		}
	}
}

// singularField is the name of one element of a field; that of a list's own object is Entry.
func singularField(name string) string {
	if name == "" {
		return "Entry"
	}
	return singular(name)
}

func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies"):
		return word[:len(word)-3] + "y"
	case strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss"):
		return word[:len(word)-1]
	}
	return word
}
