// Package spelling finds out how far two words are apart, to tell people what they may have meant.
package spelling

// Edits counts the bytes to add, drop or replace to make b of a (the Levenshtein distance).
func Edits(a, b string) int {
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
