package environment

import (
	"iter"
	"strings"

	"github.com/cxsync/cxsync/internal/spelling"
)

// closest returns the name that somebody may have meant who wrote text: the one that
// takes the fewest edits, if these are few beside its length. Letter case, blanks,
// hyphens, dots and underscores do not count. It returns "" if none is near.
func closest(text string, names iter.Seq[string]) string {
	text = bare(text)
	best, fewest := "", len(text)/3+1
	for name := range names {
		if n := spelling.Edits(text, bare(name)); n < fewest || n == fewest && name < best {
			best, fewest = name, n
		}
	}
	return best
}

var separators = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")

// bare also cuts text, so that comparing it costs little whatever its length.
func bare(text string) string { return separators.Replace(strings.ToLower(text[:min(len(text), 100)])) }
