package environment

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// accessFor is how long what a client may read is taken as known.
const accessFor = time.Hour

// accessCache holds what the session's client may read.
type accessCache struct {
	gate  gate
	may   *genesys.Permissions // nil when it cannot be found out
	known time.Time
}

// permissions returns what the client may read, or nil when the service does
// not say.
func (s *session) permissions(ctx context.Context) (may *genesys.Permissions, err error) {
	err = s.access.gate.do(ctx, func() error {
		if time.Since(s.access.known) < accessFor {
			may = s.access.may
			return nil
		}
		may, err = s.client.Grants(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, genesys.ErrUnauthorized) {
				return err
			}
			may = nil
		}
		s.access.may, s.access.known = may, time.Now()
		return nil
	})
	return may, err
}

// coverage returns what the client sees of a type, as a text that changes when
// that does. A type that the client is known not to be able to read is an
// *unavailableError, which saves the request.
func (s *session) coverage(ctx context.Context, t genesys.ObjectType) (string, error) {
	may, err := s.permissions(ctx)
	if err != nil || may == nil {
		return "", err
	}
	if verdict, lacking := may.Allows(t); verdict == genesys.Missing {
		return "", &unavailableError{"missing permission: " + strings.Join(lacking, " or ")}
	}
	c := may.Coverage(t)
	if c.AllDivisions {
		return "all divisions", nil
	}
	return strings.Join(c.Divisions, " "), nil
}
