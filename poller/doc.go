// Package poller decides when each type of objects is polled, and runs the job that polls it.
//
// A [Plan] gives every type a [Schedule]: the entry for [AllObjects] is the default, an entry for
// one type overrides it, and "off" stops one. A [Poller] follows the plan: [Poller.Run] blocks and
// calls a [Job] at the right times, until its context ends.
//
//	plan, err := poller.NewPlan([]poller.Entry{
//		{Type: poller.AllObjects, Cron: "0 * * * *"},
//		{Type: "users", Cron: "*/5 * * * *"},
//	}, nil)
//	schedule, _ := plan.Schedule("users")
//	fmt.Println(schedule.Upcoming(time.Now(), 5)) // the next five times
//	p := poller.New(func(ctx context.Context, f poller.Firing) error {
//		return poll(ctx, f.Type) // yours
//	}, nil)
//	p.SetPlan(plan, []string{"queues", "users"}) // which types there are: the plan has only entries
//	err = p.Run(ctx)
//
// A job that fails ends nothing: [Options.OnError] hears of it, and [Poller.Status] shows it. A type for
// which the plan has no entry, not even that for AllObjects, is off.
//
// # Expressions
//
// A schedule is written as a POSIX CRON expression of five fields, separated by blanks; the end of
// a line may follow:
//
//	minute         0-59
//	hour           0-23
//	day of month   1-31
//	month          1-12
//	day of week    0-7, where 0 and 7 are Sunday
//
// A field is * (every value) or a comma-separated list of numbers and ranges (1-5). When both day
// fields are restricted, a day that matches either of them matches. Beyond POSIX, in the manner of
// cronie:
//
//   - names of three letters for months and weekdays, in any case: JAN, mon-fri (SUN may end a range);
//   - steps after * or a range: */15, 8-18/2. They count from the start of the range. A day field that begins
//     with * counts as unrestricted, so the other field must match as well: "0 0 1-7 * */7" means Sundays among
//     the first seven days of the month;
//   - @hourly, @daily (or @midnight), @weekly, @monthly, @yearly (or @annually).
//
// Everything else is refused with a [ParseError] that names the field and the position, and so is
// an expression that can never fire, such as "0 0 31 2 *". Nothing is left to fail at run time.
//
// # Daylight saving
//
// Schedules follow the wall clock of the plan's location, UTC by default.
//
//   - A wall time fires at the first instant at which the clock has reached it or jumped over it. So a time in the spring
//     gap fires at the end of the gap (several of them fire once), and a time in the autumn repeat fires once,
//     the first time round.
//   - A schedule whose hour field leaves no hour out fires both times round, so it misses no hour.
//
// # Runs
//
// A type has at most one run at a time. A tick that comes while a run goes on, or waits for its
// turn, is folded into one pending run: [Firing.Coalesced] counts such ticks and [Firing.Lag] tells
// how late the earliest of them was served. With a [State], ticks that passed while nobody ran lead
// to one run at once. A job that finds another process at the same run puts it off with a
// [DeferredError].
//
// # Design
//
// gronx checks the normal form of every expression. What else it accepts, and what it finds around
// a change of the clock, depend on the zone and the moment, and it reads its expression anew at
// every call; so the grammar, the calendar and the step from wall clock to instant are ours.
package poller
