package environment

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cxsync/cxsync/storage"
)

// orgTime tells the time of the org to the history. Before this process has had an
// answer from it, that is not known.
func (s *session) orgTime() (earliest, latest time.Time, confirmed bool) {
	if client := s.answers.Load(); client != nil {
		return client.Now()
	}
	return time.Time{}, time.Time{}, false
}

// now returns the org's time, or that of this machine as long as that is not known. It
// serves for what is made up for when it was wrong: to ask again after a day, say.
func (s *session) now() time.Time {
	if _, latest, _ := s.orgTime(); !latest.IsZero() {
		return latest.UTC().Round(0)
	}
	return time.Now().UTC().Round(0)
}

// timeRequests is how many answers tell the org's time whatever the clock of this
// machine says; see genesys.Client.Now.
const timeRequests = 3

// learnTime sees to it that the org's time is known, before something is recorded with
// it. Nearly always an answer was had already.
func (s *session) learnTime(ctx context.Context) error {
	for range timeRequests {
		if earliest, _, _ := s.orgTime(); !earliest.IsZero() {
			return nil
		}
		if _, err := s.client.Organization(ctx); err != nil {
			return s.unreadable(err)
		}
	}
	return nil
}

// since returns how long ago a time is that was stored. One that is ahead of the org's
// time is wrong, and says nothing: it is long ago.
func (s *session) since(stored time.Time) time.Duration {
	const tolerance = time.Minute // the org's time is not known exactly
	if age := s.now().Sub(stored); age > -tolerance {
		return age
	}
	return math.MaxInt64
}

// lastImport returns what is known of the newest import.
func (s *session) lastImport(ctx context.Context) (importState, error) {
	state, err := storage.GetJSON[importState](ctx, s.engine.store, ownKey(s.record.ID, "import"))
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return state, err
}

func (s *session) clockStatus() (c ClockStatus) {
	_, c.Now, c.Confirmed = s.orgTime()
	c.Now = c.Now.UTC().Round(0)
	if client := s.answers.Load(); client != nil {
		c.Leaps = client.Stats().ClockLeaps
	}
	return c
}
