package spelling

import (
	"iter"
	"strings"
)

// Closest returns the name that somebody may have meant who wrote text: the one that takes the
// fewest edits, if these are at most a third of the text's length. Letter case, blanks, hyphens, dots
// and underscores do not count. Of two that are as near it is the first by the alphabet. It returns
// "" if none is near.
func Closest(text string, names iter.Seq[string]) string {
	text = bare(text)
	best, fewest := "", len(text)/3+1
	for name := range names {
		if n := Edits(text, bare(name)); n < fewest || n == fewest && name < best {
			best, fewest = name, n
		}
	}
	return best
}

var separators = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")

// bare returns what Closest compares. It cuts, so that comparing a text costs little whatever its
// length.
func bare(text string) string { return separators.Replace(strings.ToLower(text[:min(len(text), 100)])) }
