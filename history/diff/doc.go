// Package diff compares JSON bodies: it says whether two mean the same, what differs, and leads
// from one to the other and back.
//
//	comparer, err := diff.Compile(diff.Rules{Ignore: []string{"version", "**.selfUri"}, Sets: []string{"skills"}})
//	before, err := comparer.Canonical(nil, old) // old and new are JSON as it came
//	after, err := comparer.Canonical(nil, new)
//	changes, err := comparer.Diff(before, after)
//	for _, change := range changes {
//		fmt.Println(change) // ~ /name: "Sales" -> "Sales EU"
//	}
//
// [Rules] say what does not count: paths that are ignored, and arrays whose order means nothing.
// [Compile] makes a [Comparer] of them, with which
//
//   - [Comparer.Canonical] returns the one text that stands for all bodies that mean the same,
//   - [Comparer.Digest] returns 128 bits that stand for that text, in one pass over the body and
//     without making the text,
//   - [Comparer.Diff] returns the [FieldChange] values that lead from one canonical form to
//     another,
//   - [Comparer.Merge] joins what two sides changed in one body,
//   - [Comparer.Shared] reduces two bodies to the members that both have.
//
// [Apply] and [Revert] go along the changes, forth and back. Diff, Merge, Shared, Apply and Revert
// take canonical forms, in which equal values are equal bytes and members come sorted.
//
// What does not change the meaning of JSON makes no difference: white space, the order of members,
// and how a number or a character is written. Numbers are compared by their exact decimal value.
//
// # Design
//
// The order in which to read the files is that in which a body goes through them: path.go and
// rules.go (what a person writes), automaton.go (the same, compiled), canonical.go with number.go
// and text.go (the one text), digest.go with mix.go (its hash), diff.go with diffarray.go,
// identity.go and align.go (two bodies), apply.go with tree.go and sequence.go (a body and
// changes).
//
// Bodies are walked as raw text with internal/jsonscan. No tree of values is built, except in Apply
// and Revert, and there only along the paths that change.
//
// # Errors
//
// Malformed JSON is an error that names the offset. A body that is not in canonical form where one
// is needed is an error too. Callers of Apply and Revert branch on [ErrMismatch].
package diff
