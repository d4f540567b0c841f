package poller_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxsync/cxsync/poller"
)

// A plan with a default and an override: when it fires next, and a poller that follows it.
func Example() {
	plan, err := poller.NewPlan([]poller.Entry{
		{Type: poller.AllObjects, Cron: "0 * * * *"},
		{Type: "routing.queues", Cron: "*/5 * * * *"},
		{Type: "flows", Cron: "off"},
	}, nil) // in UTC; PlanOptions.Location is another zone
	if err != nil {
		fmt.Println(err)
		return
	}
	types := []string{"routing.queues", "users", "flows"}
	now := time.Date(2026, 3, 28, 9, 12, 0, 0, time.UTC) // in earnest time.Now()
	for _, name := range types {
		schedule, ok := plan.Schedule(name)
		if !ok {
			fmt.Println(name, "is off")
			continue
		}
		fmt.Print(name, ", ", schedule.Describe(), ":")
		for _, t := range schedule.Upcoming(now, 5) {
			fmt.Print(" ", t.Format("15:04"))
		}
		fmt.Println()
	}

	ctx, cancel := context.WithCancel(context.Background())
	p := poller.New(func(_ context.Context, f poller.Firing) error {
		fmt.Println("polling", f.Type)
		cancel() // the example ends with its first run
		return nil
	}, nil)
	p.SetPlan(plan, types)
	p.Trigger("users") // without waiting for the hour
	if err := p.Run(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// routing.queues, every 5 minutes: 09:15 09:20 09:25 09:30 09:35
	// users, every hour: 10:00 11:00 12:00 13:00 14:00
	// flows is off
	// polling users
}

func ExampleNewPlan() {
	labels := map[string]string{"Queues": "routing.queues", "Users": "users"}
	_, err := poller.NewPlan([]poller.Entry{
		{Type: "Queues", Cron: "*/5 * * *"},
		{Type: "Users", Cron: "0 9-17 31 feb *"},
		{Type: "Qeues", Cron: "@hourly"},
	}, &poller.PlanOptions{Resolve: func(name string) (string, bool) {
		name, ok := labels[name]
		return name, ok
	}})
	fmt.Println(err)
	// Output:
	// poller: entries[0] ("Queues"): cron "*/5 * * *": day of week at position 10: missing; 4 of 5 fields given (minute, hour, day of month, month, day of week)
	// poller: entries[1] ("Users"): cron "0 9-17 31 feb *": day of month at position 8: never fires: month 2 has no day 31
	// poller: entries[2] ("Qeues"): there is no such type
}

func ExampleSchedule_Upcoming() {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := poller.ParseSchedule("30 1 * * *", london)
	if err != nil {
		fmt.Println(err)
		return
	}
	// At one o'clock on 29 March the clock goes to two.
	for _, t := range s.Upcoming(time.Date(2026, 3, 28, 0, 0, 0, 0, london), 3) {
		fmt.Println(t.Format("Mon 2 Jan 15:04 MST"))
	}
	// Output:
	// Sat 28 Mar 01:30 GMT
	// Sun 29 Mar 02:00 BST
	// Mon 30 Mar 01:30 BST
}

func ExampleSchedule_Describe() {
	for _, cron := range []string{"*/5 * * * *", "30 2 * * MON-FRI", "0 8-18 * * *", "@monthly"} {
		s, err := poller.ParseSchedule(cron, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %.2f times a day\n", s.Describe(), s.FiringsPerDay())
	}
	// Output:
	// every 5 minutes: 288.00 times a day
	// at 02:30 on weekdays: 0.71 times a day
	// every hour from 08:00 to 18:00: 11.00 times a day
	// at 00:00 on the 1st of the month: 0.03 times a day
}

func ExampleSchedule_Between() {
	s, err := poller.ParseSchedule("0 */6 * * *", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 0, 1)
	for t := range s.Between(from, to) {
		fmt.Println(t.Format(time.Kitchen))
	}
	fmt.Println(s.Count(from, to), "on this day,", s.Count(from, from.AddDate(1, 0, 0)), "in the year")
	// Output:
	// 12:00AM
	// 6:00AM
	// 12:00PM
	// 6:00PM
	// 4 on this day, 1460 in the year
}
