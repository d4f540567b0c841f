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

// accessFor is how long what a client may read is taken as known, unless an
// import or an absence asks anew.
const accessFor = 24 * time.Hour

// accessCache holds what the session's client may read.
type accessCache struct {
	gate  gate
	may   *genesys.Permissions
	known time.Time
}

// permissions returns what the client may read, as far as the service says. The
// answer is newer than asOf. An error is one of the login or the network.
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

// A coverage is what the client sees of an object type. The zero coverage is all of it.
type coverage struct{ divisions []string } // nil: no division limits it

// coverage returns what the client sees of a type, as it was after asOf.
// A type that the client is known not to be able to read is an
// *unavailableError, which saves the request.
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

// widens reports whether the client sees more than when its coverage was before.
func (c coverage) widens(before string) bool {
	if before == "" {
		return false
	}
	known := strings.Fields(before)
	return c.divisions == nil || slices.ContainsFunc(c.divisions, func(id string) bool { return !slices.Contains(known, id) })
}

// forHistory returns the coverage as history knows it.
func (c coverage) forHistory() history.Coverage {
	if c.divisions == nil {
		return history.Coverage{}
	}
	return history.Coverage{Name: c.String(), Hides: c.hides}
}

// String returns a text that changes when the coverage does.
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
