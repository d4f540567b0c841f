package environment

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// What the client can see of a type, and why a removal depends on it. Genesys Cloud answers a list
// with the objects of the divisions that the client's roles cover, and says nothing of the others.
// If an administrator takes a division from a role, its objects vanish from every list as if they
// were deleted. So each pass finds out its coverage (the divisions it can see), history stores it
// with the pass, and compares: what a walk with another coverage than the one before did not list
// proves nothing until a second walk agrees. When coverage grows, or a list holds more than it once
// did, what shows up is imported and not created.
//
// Asking for the grants costs a request or two. They are known for a day; who needs to be surer
// asks with a later asOf: an import, and history before it records a removal.

// accessFor is how long what a client may read is taken as known.
const accessFor = 24 * time.Hour

// accessCache holds what the session's client may read.
type accessCache struct {
	gate  gate // guards the others, and lets one goroutine ask at a time
	may   *genesys.Permissions
	known time.Time // when may was asked for; zero if it was not yet
}

// permissions returns what the client may read, as far as the service says. It was asked for after
// asOf. An error is one of the login or the network.
func (s *session) permissions(ctx context.Context, asOf time.Time) (may *genesys.Permissions, err error) {
	err = s.access.gate.do(ctx, func() error {
		if s.access.known.After(asOf) {
			may = s.access.may
			return nil
		}
		asked := time.Now()
		may, err = s.client.Grants(ctx)
		if err != nil {
			if over := s.ends(ctx, err); over != nil {
				return over
			}
			return s.unreadable(err)
		}
		s.access.may, s.access.known = may, asked
		return nil
	})
	return may, err
}

// A coverage is what the client sees of a type: the IDs of divisions, nil for all of them.
type coverage struct{ divisions []string }

// coverage returns what the client sees of a type, as it was after asOf. For a type that the
// client is known not to be able to read the error is an *unavailableError, without any request to
// the type.
func (s *session) coverage(ctx context.Context, t genesys.ObjectType, asOf time.Time) (coverage, error) {
	may, err := s.permissions(ctx, asOf)
	if err != nil {
		return coverage{}, err
	}
	if verdict, lacking := may.Allows(t); verdict == genesys.VerdictMissing {
		return coverage{}, &unavailableError{reason: "missing permission: " + strings.Join(lacking, " or ")}
	}
	if c := may.Coverage(t); !c.AllDivisions && len(c.Divisions) > 0 {
		return coverage{c.Divisions}, nil
	}
	return coverage{}, nil
}

// widens reports whether the client sees more than when its coverage was before, a String of it.
// Before "" it saw everything.
func (c coverage) widens(before string) bool {
	if before == "" {
		return false
	}
	known := strings.Fields(before)
	isNew := func(id string) bool { return !slices.Contains(known, id) }
	return c.divisions == nil || slices.ContainsFunc(c.divisions, isNew)
}

// forHistory returns the coverage as history knows it.
func (c coverage) forHistory() history.Coverage {
	if c.divisions == nil {
		return history.Coverage{}
	}
	return history.Coverage{Name: c.String(), Hides: c.hides}
}

// String returns a text that changes when the coverage does; "" if it is everything. It is stored,
// as TypeState.Coverage and in the log.
func (c coverage) String() string { return strings.Join(c.divisions, " ") }

// hides reports whether an object that looked like body is out of sight, so
// that neither its absence from a list nor a 404 proves anything.
func (c coverage) hides(body []byte) bool {
	if c.divisions == nil {
		return false
	}
	var o struct {
		Division struct {
			ID string `json:"id"`
		} `json:"division"`
	}
	return json.Unmarshal(body, &o) == nil && o.Division.ID != "" && !slices.Contains(c.divisions, o.Division.ID)
}
