package genesys

import (
	"fmt"

	"github.com/cxsync/cxsync/internal/printable"
)

// An IncompleteError ends a walk that cannot prove to have seen everything:
// what it yielded is true, what it did not yield proves nothing.
type IncompleteError struct {
	Type   string // name of the object type
	Path   string // of the list, without the query
	Reason string // for people: "page 3 repeats page 2"
	Err    error  // what ended the walk, if it was an error
}

func (e *IncompleteError) Error() string {
	text := printable.Text(fmt.Sprintf("genesys: list of %s (%s) is incomplete: %s", e.Type, e.Path, e.Reason))
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

func (e *IncompleteError) Unwrap() error { return e.Err }
