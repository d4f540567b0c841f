package history

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// What says of an object that somebody edited it, beside what changed in it.

// witnessMoved reports whether something says that an object was edited: its marker, or, if it has
// none, a version or a modification date of the object itself, compared or not. One that came or went
// says nothing. Where there is a marker it alone counts: the stored body may be older, because one
// that differs in ignored fields alone, such as a date, is not stored again. So where there is none, an
// object counts as edited that somebody has saved without a change since its body was stored.
func (p *Pass) witnessMoved(o *pending, old knownObject) bool {
	if old.Marker != "" && o.Marker != "" {
		return old.Marker != o.Marker
	}
	before := map[string][]byte{}
	it := jsonscan.Members(old.body)
	for it.Next() {
		if isWitness(it.Key()) {
			before[string(it.Key())] = it.Value()
		}
	}
	it = jsonscan.Members(o.Body)
	for it.Next() {
		if value, ok := before[string(it.Key())]; ok && p.h.isMove(value, it.Value()) {
			return true
		}
	}
	return false
}

// isMove reports whether a witness that was before says something else now. A version may be an object
// with a number and a date in it, which a release reaches like any other: a member that came to it, or
// went from it, says nothing either.
func (h *History) isMove(before, now []byte) bool {
	if bytes.Equal(before, now) {
		return false
	}
	a, errA := h.plain.Canonical(nil, before)
	b, errB := h.plain.Canonical(nil, now)
	changes, err := h.plain.Diff(a, b)
	return errors.Join(errA, errB, err) != nil || slices.ContainsFunc(changes, func(c diff.FieldChange) bool {
		_, isMember := releaseOf(c)
		return !isMember
	})
}

// isWitness reports whether the member with the raw key moves with an edit.
func isWitness(key []byte) bool {
	name := strings.ToLower(string(key))
	for _, word := range []string{"version", "modified", "updated", "edited", "uploaded", "published"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
