// Package diff compares JSON bodies: it says whether two mean the same, what
// differs, and leads from one to the other and back.
//
// [Rules] say what does not count: paths that are ignored, and arrays whose
// order means nothing. [Compile] makes a [Comparer] of them, with which
//
//   - [Comparer.Canonical] returns the one text that stands for all bodies that
//     mean the same,
//   - [Comparer.Digest] returns 128 bits that stand for that text, in one pass
//     over the body and without making the text,
//   - [Comparer.Diff] returns the [FieldChange] values that lead from one
//     canonical form to another.
//
// [Apply] and [Revert] go along these changes, forth and back.
//
// What does not change the meaning of JSON makes no difference: white space, the
// order of members, and how a number or a character is written. Numbers are
// compared by their exact decimal value.
//
// # Errors
//
// Malformed JSON is an error that names the offset. Callers of Apply and Revert
// branch on [ErrMismatch].
package diff
