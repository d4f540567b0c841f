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

// A sight is what the client sees of an object type. The zero sight is all of it.
type sight struct{ divisions []string } // nil: no division limits it

// sight returns what the client sees of a type, as it was after asOf.
// A type that the client is known not to be able to read is an
// *unavailableError, which saves the request.
func (s *session) sight(ctx context.Context, t genesys.ObjectType, asOf time.Time) (sight, error) {
	may, err := s.permissions(ctx, asOf)
	if err != nil {
		return sight{}, err
	}
	if verdict, lacking := may.Allows(t); verdict == genesys.VerdictMissing {
		return sight{}, &unavailableError{reason: "missing permission: " + strings.Join(lacking, " or ")}
	}
	if c := may.Coverage(t); !c.AllDivisions && len(c.Divisions) > 0 {
		return sight{c.Divisions}, nil
	}
	return sight{}, nil
}

// widens reports whether the client sees more than when its sight was before.
func (s sight) widens(before string) bool {
	if before == "" {
		return false
	}
	known := strings.Fields(before)
	return s.divisions == nil || slices.ContainsFunc(s.divisions, func(id string) bool { return !slices.Contains(known, id) })
}

// coverage returns the sight as history knows it.
func (s sight) coverage() history.Coverage {
	if s.divisions == nil {
		return history.Coverage{}
	}
	return history.Coverage{Name: s.String(), Hides: s.hides}
}

// String returns a text that changes when the sight does.
func (s sight) String() string { return strings.Join(s.divisions, " ") }

// hides reports whether an object that looked like body is out of sight, so
// that neither its absence from a list nor a 404 proves anything.
func (s sight) hides(body []byte) bool {
	if s.divisions == nil {
		return false
	}
	var o struct {
		Division struct {
			ID string `json:"id"`
		} `json:"division"`
	}
	return json.Unmarshal(body, &o) == nil && o.Division.ID != "" && !slices.Contains(s.divisions, o.Division.ID)
}
