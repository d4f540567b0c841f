package environment

import (
	"iter"
	"strings"
)

// closest returns the word that somebody may have meant who wrote text: the one that
// takes the fewest edits, if these are few beside its length. Letter case, blanks,
// hyphens, dots and underscores do not count. It returns "" if none is near.
func closest(text string, words iter.Seq[string]) string {
	text = bare(text)
	best, fewest := "", len(text)/3+1
	for word := range words {
		if n := distance(text, bare(word), fewest); n < fewest || n == fewest && best != "" && word < best {
			best, fewest = word, n
		}
	}
	return best
}

var separators = strings.NewReplacer(" ", "", "-", "", "_", "", ".", "")

func bare(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return separators.Replace(strings.ToLower(s))
}

// distance counts the bytes to insert, remove, replace, or swap with their neighbour
// to make b of a. What is more than limit may be any number above it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	// rows[k][j] is the distance between the first i-k bytes of a and the first j of b.
	var rows [3][]int
	for k := range rows {
		rows[k] = make([]int, len(b)+1)
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2], rows[1], rows[0] = rows[1], rows[0], rows[2]
		rows[0][0] = i
		for j := 1; j <= len(b); j++ {
			replace := rows[1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[0][j] = min(replace, rows[1][j]+1, rows[0][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[0][j] = min(rows[0][j], rows[2][j-2]+1)
			}
		}
	}
	return rows[0][len(b)]
}
