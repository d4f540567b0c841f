package history

import (
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// A Kind says what a Change did to its object.
type Kind string

// The kinds of changes.
const (
	KindImported  Kind = "imported"  // seen for the first time, by a first pass over its type or by one that saw more than those before
	KindCreated   Kind = "created"   // seen for the first time, after a complete pass that did not see it
	KindUpdated   Kind = "updated"   // fields changed
	KindDeleted   Kind = "deleted"   // gone
	KindRestored  Kind = "restored"  // there again after it was deleted, with the same id
	KindShape     Kind = "shape"     // the platform brought a field to the objects of a type, or took one; nobody edited them
	KindForgotten Kind = "forgotten" // all that was known about an object was erased; names only its type

	// kindRebased is the step from one set of rules to another, or to the body after a
	// release of the platform. It keeps the log
	// exact and is no change of the object, so no query returns it.
	kindRebased Kind = "rebased"
)

// Kinds returns all kinds that a Change can be of.
func Kinds() []Kind {
	return []Kind{KindImported, KindCreated, KindUpdated, KindDeleted, KindRestored, KindShape, KindForgotten}
}

// A Change is one change of one object. It never changes itself.
type Change struct {
	Seq         uint64             `json:"seq"` // orders all changes of an environment; numbers may be left out
	Environment int64              `json:"environment"`
	Type        string             `json:"type"`
	ID          string             `json:"id"`
	Name        string             `json:"name"`
	Kind        Kind               `json:"kind"`
	At          time.Time          `json:"at"`               // when it was recorded; never decreases along Seq
	After       time.Time          `json:"after,omitzero"`   // it happened after this time and not after At; zero if unknown
	Fields      []diff.FieldChange `json:"fields,omitempty"` // what changed, in the canonical form of the body

	// Who made it, as far as audits tell by now. Nil for changes that were recorded before the
	// first audits that were read, and for those that are nobody's act: imports, and what a release did.
	Who *Attribution `json:"who,omitempty"`

	// Of KindShape, which has no ID: the objects that the release reached, as far as they were read
	// since, and how many there are at least.
	Objects []string `json:"objects,omitempty"`
	Number  int      `json:"number,omitempty"`
}
