package environment

import (
	"iter"
	"strings"
)

// closest returns the name that somebody may have meant who wrote text: the one that
// takes the fewest edits, if these are few beside its length. Letter case, blanks,
// hyphens, dots and underscores do not count. It returns "" if none is near.
func closest(text string, names iter.Seq[string]) string {
	text = bare(text)
	best, fewest := "", len(text)/3+1
	for name := range names {
		if n := edits(text, bare(name)); n < fewest || n == fewest && name < best {
			best, fewest = name, n
		}
	}
	return best
}

var separators = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")

// bare also cuts text, so that comparing it costs little whatever its length.
func bare(text string) string { return separators.Replace(strings.ToLower(text[:min(len(text), 100)])) }

// edits counts the bytes to add, drop or replace to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // edits from a[:i] to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			n := diagonal
			if a[i] != b[j] {
				n = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], n
		}
	}
	return row[len(b)]
}
