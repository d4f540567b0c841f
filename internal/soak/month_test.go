package soak_test

import (
	"flag"
	"testing"
	"testing/synctest"
)

var (
	monthDays = flag.Int("month", 0, "virtual days of TestMonth over orgs of 2,000 users; 0 is a short form over small ones")
	monthSeed = flag.Uint64("seed", 1, "seed of TestMonth")
)

// monthProcesses is the number of engines that run over the one store at a time.
const monthProcesses = 2

// monthRotation is within how many passes every object is read again. It turns many times.
const monthRotation = 10

// TestMonth runs three environments for a month of virtual time under random
// edits, faults, kills and changes of everything that can be changed, and holds
// what was recorded against the test's own record of what each org was at any time:
//
//   - Nothing is invented. The versions of an object are, in their order, what it was
//     at instants at which the org was asked for its type: later than the pass before
//     the one that recorded the version ended, and not later than the version.
//   - The span is right. What an object was before a change, it still was at some
//     instant of (After, At], and became what it is in that span.
//   - Nothing is missed. Where an object was visible and one and the same for as long
//     as a complete pass took, the history has that state at the end of that pass.
//     A removal may come later, as long as the pass says that it withholds some.
//   - The field changes lead from each version to the next, and name no member
//     that did not change.
//   - A release of the platform, which gives every object of a type a field with one value or takes it, is one entry and
//     in no change of an object that nobody edited; one that nothing tells from edits is one of each object.
//   - What is polled next is what the wall clock of the record's zone says, around changes of summer time, too.
//   - Two states that are compared in the midst of it differ where their as-of answers do.
//   - An upgrade is no change: of other ids, other calls, other rules. What is edited while nothing runs is one change.
//   - As-of answers lag by the polling interval and by nothing else: the answer for T is
//     what the object was at an instant at which the org was asked, not before the last
//     pass that ended by T, was complete and could see the object, and not after T.
//   - Of a whole month, what referred to what at an instant is what a search through all bodies finds, and files that
//     follow the log step by step are those of an export at any instant.
//   - Retention removes what has expired by the org's time, and nothing else, although the wall clock of one process is
//     wrong for a week of the long form.
//   - No rolling window holds more requests, as the org counted them, than the limit allows.
//   - Nobody is named as who made a change who did not edit the object in its span, and what counts as undetected is
//     in no change.
//   - A consumer that fails at random gets each change, in order, and repeated only after a failure.
//
// Beside what the orgs do by themselves, in files of their own, the month has:
//
//   - shuffled sets, states that move, and signed URLs: one org each (plan, where the orgs are made);
//   - rotation: every object is read again within ten passes, hundreds of times (monthRotation);
//   - consumers that fail before and after they had a change (deliver in process);
//   - attribution, and hints: each record reads audits every ten minutes, and what they name is read alone (monthwho);
//   - a wrong clock in one process (monthclock), and exports that are replayed (questions).
//
// What no client can know is left out: a page that a list without totals lost, and
// an object that is deleted and one that is created between two pages of a list.
func TestMonth(t *testing.T) {
	switch {
	case *monthDays > 0 && setSkew == nil:
		runSkewed(t)
		return
	case setSkew != nil:
		go endWithParent()
	}
	synctest.Test(t, func(t *testing.T) {
		m := newMonth(t, *monthSeed, *monthDays)
		m.begin()
		m.run()
		m.heal()
		m.check()
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/soak -run TestMonth -seed %d -month %d -timeout 1h", *monthSeed, *monthDays)
		}
	})
}
