package environment

import (
	"context"
	"math"
	"time"
)

// The org's clock. History records the org's time, so that changes compare with the org's audits
// and a wrong clock of this machine invents no order. genesys.Client.Now knows that time within a
// span, from the Date of the answers; what is here decides what to do before it knows. Two rules
// follow from it: a pass records nothing before an answer has told the time (learnTime), and
// nothing expires before answers have confirmed it (orgTime, confirmed). Only schedules and
// leases go by the clock of this machine.

// orgTime tells the span in which the time of the org lies to the history. It is zero before this
// process has had an answer.
func (s *session) orgTime() (earliest, latest time.Time, confirmed bool) {
	if client := s.answers.Load(); client != nil {
		return client.Now()
	}
	return time.Time{}, time.Time{}, false
}

// now returns the org's time, or that of this machine as long as the org's is not known. So it only
// serves where a wrong time does no lasting harm: to ask again after a day, say.
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

// clockStatus is what Status shows of the org's time.
func (s *session) clockStatus() (c ClockStatus) {
	_, c.Now, c.Confirmed = s.orgTime()
	c.Now = c.Now.UTC().Round(0)
	if client := s.answers.Load(); client != nil {
		c.Leaps = client.Stats().ClockLeaps
	}
	return c
}
