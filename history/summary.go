package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// A Summary is what a pass has found.
type Summary struct {
	Type     string    `json:"type"`
	Number   uint64    `json:"number"` // counts the passes over the type that ended
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	AsOf     time.Time `json:"as_of,omitzero"`   // what a complete pass has not seen change was so at that time: when it started, or Walk.Since
	Complete bool      `json:"complete"`         // the walk saw all there is
	Reason   string    `json:"reason,omitempty"` // why it did not, or why removals are withheld

	Objects   int `json:"objects"` // seen
	Imported  int `json:"imported"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Deleted   int `json:"deleted"`
	Restored  int `json:"restored"`
	Unchanged int `json:"unchanged"`
	Ignored   int `json:"ignored"`  // of the unchanged: differ from the stored body in ignored fields
	Rebased   int `json:"rebased"`  // of the unchanged: compared by new rules, or after a release of the platform, for the first time
	Withheld  int `json:"withheld"` // not seen and not recorded as deleted; after a walk that was not complete more than History.Withheld has
}

// count counts an entry that the pass has appended to the log; "" is none.
func (s *Summary) count(k Kind) {
	switch k {
	case KindImported:
		s.Imported++
	case KindCreated:
		s.Created++
	case KindUpdated:
		s.Updated++
	case KindDeleted:
		s.Deleted++
	case KindRestored:
		s.Restored++
	case kindRebased:
		s.Rebased++
	}
}

// passRecord is the value of a pass key: the newest pass, and what the next one has to know of those
// before.
type passRecord struct {
	Summary
	Completed time.Time `json:"completed,omitzero"`  // AsOf of the last complete pass
	First     time.Time `json:"first,omitzero"`      // when the first objects of the type were recorded
	Coverage  string    `json:"coverage,omitempty"`  // digest of what it could see
	Walked    time.Time `json:"walked,omitzero"`     // when what was below the parents that were read was so
	Cycle     cycle     `json:"cycle,omitzero"`      // of the rotation
	Identity  string    `json:"identity,omitempty"`  // rule that makes the ids
	Unoffered bool      `json:"unoffered,omitempty"` // no parent had an object any more; see offered.go
	Forgot    bool      `json:"forgot,omitempty"`    // an object was forgotten: one that is seen for the first time may be it
}

// passRecord returns that of the newest pass over a type, with the Number 0 if none has ended.
func (h *History) passRecord(ctx context.Context, typeName string) (passRecord, error) {
	r, err := storage.GetJSON[passRecord](ctx, h.store, h.keys.pass(typeName))
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return passRecord{}, fmt.Errorf("history: %w", err)
	}
	return r, nil
}

// LastPass returns the newest pass over a type that ended, or false if none
// has.
func (h *History) LastPass(ctx context.Context, typeName string) (Summary, bool, error) {
	typeName, err := h.resolveType(typeName)
	if err != nil {
		return Summary{}, false, err
	}
	r, err := h.passRecord(ctx, typeName)
	return r.Summary, r.Number > 0, err
}

// Passes iterates over the newest passes of all types that ended, in the order
// of the types' names.
func (h *History) Passes(ctx context.Context) iter.Seq2[Summary, error] {
	return func(yield func(Summary, error) bool) {
		for e, err := range h.store.Scan(ctx, h.keys.below("pass")) {
			var r passRecord
			if err == nil {
				err = decode(e.Key, e.Value, &r)
			}
			if err != nil {
				yield(Summary{}, fmt.Errorf("history: passes: %w", err))
				return
			}
			if !yield(r.Summary, nil) {
				return
			}
		}
	}
}
