package console

import (
	"net/http"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/internal/instant"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/poller"
)

// quota is the page of what was asked of the org, and what will be.
func (c *console) quota(r *request) error {
	env, _, err := r.environment()
	if err != nil {
		return err
	}
	v := r.view("Quota", env, "quota")
	if err := r.begin(v); err != nil {
		return err
	}
	forecast, err := c.engine.Forecast(r.ctx, env.ID)
	if err != nil {
		return err
	}
	traffic, err := c.engine.Traffic(r.ctx, env.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	state := env.Status.Quota
	page := struct {
		quotaView
		NextFree                   *whenView
		InFlight, Waiting          int
		Frozen                     []freezeView
		PerDay, LimitPerDay, Share string
		Fits                       bool
		Worst                      *whenView
		WorstRequests              string
		Backlog                    string
		Unpolled                   int
		Proposal                   []poller.Entry
		Costs                      []costView
		MoreCosts                  int
		Sent                       uint64
		Throttled                  int64
		Chart                      chart
	}{
		quotaView: quotaOf(state), NextFree: env.when(state.NextFree, secondLayout), InFlight: state.InFlight, Waiting: state.Waiting,
		PerDay: grouped(int(forecast.PerDay + 0.5)), LimitPerDay: grouped(int(forecast.LimitPerDay)), Fits: forecast.Fits,
		Share: percent(forecast.PerDay, forecast.LimitPerDay), Worst: env.when(forecast.WorstMinute, minuteLayout),
		WorstRequests: grouped(int(forecast.WorstMinuteRequests + 0.5)), Unpolled: len(forecast.Unpolled), Proposal: forecast.Proposal,
		Sent: uint64(env.Status.Client.Requests), Throttled: env.Status.Client.Throttled, Chart: newChart(now, env.loc, traffic, forecast),
	}
	if forecast.Backlog > 0 {
		page.Backlog = span(forecast.Backlog)
	}
	for _, f := range state.Frozen {
		page.Frozen = append(page.Frozen, freezeView{printable.Brief(f.Route, briefName), printable.Brief(f.Why, 200), env.when(f.Until, secondLayout)})
	}
	const most = 15
	for _, t := range forecast.Types[:min(most, len(forecast.Types))] {
		page.Costs = append(page.Costs, costView{env.Label(t.Type), env.typeLink(c.base, t.Type), env.schedule(t.Cron), grouped(int(t.Requests + 0.5)), grouped(int(t.PerDay + 0.5)), t.Measured})
	}
	page.MoreCosts = max(0, len(forecast.Types)-most)
	return r.render(http.StatusOK, "quota", v, page)
}

// A freezeView is what the org has asked to hold back.
type freezeView struct {
	Route, Why string
	Until      *whenView
}

// A costView is what one type takes.
type costView struct {
	Label, Link, Schedule, Requests, PerDay string
	Measured                                bool
}

func percent(part, whole float64) string {
	if whole <= 0 {
		return ""
	}
	p := 100 * part / whole
	if p > 0 && p < 1 {
		return "less than 1 %"
	}
	return grouped(int(p+0.5)) + " %"
}

// hoursAround is how far the chart of requests looks back and ahead.
const hoursAround = 24

// A chart shows requests by quarter of an hour: sent in the last 24 hours, and due in the next.
// Its coordinates are those of the drawing in the template.
type chart struct {
	Bars          []bar
	From, End     int // where it begins and ends; what nobody counted is left out but for a strip
	Width, Height int
	NowAt         int
	LimitAt       int    // where the line of the limit is; 0 if it is above the drawing
	Limit         string // requests that the limit allows in a quarter of an hour; empty without one
	Top           string // requests at the top of the drawing
	Marks         []mark
	Unknown       int // width of the strip that stands for it
	Hours         []hourView
	Sent, Due     string // in all
}

// A bar is a quarter of an hour.
type bar struct {
	X, Y, Width, Height int
	Class               string
}

// A mark names a time below the drawing.
type mark struct {
	X    int
	Text string
}

// An hourView is a row of the table that says what the drawing shows.
type hourView struct{ Hour, Sent, Due string }

const (
	quarter     = 15 * time.Minute
	barWidth    = 5
	chartHeight = 160
)

func newChart(now time.Time, loc *time.Location, traffic environment.Traffic, forecast environment.Forecast) chart {
	const n = hoursAround * int(time.Hour/quarter) // bars on each side
	ch := chart{End: 2 * n * barWidth, Height: chartHeight, NowAt: n * barWidth}
	begin := now.Truncate(quarter).Add(quarter - hoursAround*time.Hour) // the quarter of now is the last that was sent in
	sent, due := make([]int, 2*n), make([]int, 2*n)
	for _, q := range traffic.Quarters {
		if i := int(q.Start.Sub(begin) / quarter); i >= 0 && i < 2*n {
			sent[i] += q.Requests
		}
	}
	for cron, requests := range perSchedule(forecast) {
		s, err := poller.ParseSchedule(cron, loc)
		if err != nil {
			continue // it was parsed to be stored
		}
		for i := n - 1; i < 2*n; i++ {
			from := instant.Later(begin.Add(time.Duration(i)*quarter), now)
			due[i] += int(float64(s.Count(from, begin.Add(time.Duration(i+1)*quarter)))*requests + 0.5)
		}
	}
	top := 4
	allSent, allDue := 0, 0
	for i := range sent {
		top = max(top, sent[i]+due[i])
		allSent, allDue = allSent+sent[i], allDue+due[i]
	}
	ch.Sent, ch.Due = grouped(allSent), grouped(allDue)
	top = ch.limit(forecast, top)
	ch.Top = grouped(top)
	for i := range sent {
		ch.bar(i, sent[i], 0, top, "sent")
		ch.bar(i, due[i], sent[i], top, "due")
	}
	const strip = 8
	if before := min(int(traffic.Began.Sub(begin)/quarter), n-1); before > strip {
		ch.From, ch.Unknown = (before-strip)*barWidth, strip*barWidth
	}
	ch.Width = ch.End - ch.From
	ch.label(begin, n, loc, sent, due)
	return ch
}

// limit sets the line of the limit, if it is near enough to what is drawn, whose highest bar is
// given. It returns how many requests the top of the drawing stands for.
func (ch *chart) limit(forecast environment.Forecast, highest int) (top int) {
	if forecast.Limit.N == 0 {
		return roundUp(highest)
	}
	allowed := int(float64(forecast.Limit.N) * float64(quarter) / float64(forecast.Limit.Window))
	ch.Limit = grouped(allowed)
	if allowed == 0 || allowed > 4*highest {
		return roundUp(highest)
	}
	top = roundUp(max(highest, allowed+1))
	ch.LimitAt = chartHeight - chartHeight*allowed/top
	return top
}

// roundUp returns the first number from n on that reads well at an axis.
func roundUp(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, step := range []int{1, 2, 3, 4, 5, 6, 8} {
			if unit*step >= n {
				return unit * step
			}
		}
	}
}

// bar adds a bar of n requests on top of others.
func (ch *chart) bar(i, n, on, top int, class string) {
	if n == 0 {
		return
	}
	height := max(1, chartHeight*n/top)
	ch.Bars = append(ch.Bars, bar{i * barWidth, chartHeight - chartHeight*on/top - height, barWidth - 1, height, class})
}

// label sets the marks, each six hours, and the rows of the table.
func (ch *chart) label(begin time.Time, n int, loc *time.Location, sent, due []int) {
	perHour := int(time.Hour / quarter)
	h := hourView{}
	hourSent, hourDue := 0, 0
	for i := range 2 * n {
		at := begin.Add(time.Duration(i) * quarter).In(loc)
		if x := i * barWidth; at.Minute() == 0 && at.Hour()%6 == 0 && x >= ch.From {
			ch.Marks = append(ch.Marks, mark{x, at.Format("15:04")})
		}
		if i%perHour == 0 {
			h = hourView{Hour: at.Format("Mon 15:04")}
			hourSent, hourDue = 0, 0
		}
		hourSent, hourDue = hourSent+sent[i], hourDue+due[i]
		if i%perHour == perHour-1 {
			h.Sent, h.Due = grouped(hourSent), grouped(hourDue)
			ch.Hours = append(ch.Hours, h)
		}
	}
}

// perSchedule adds up the requests of the types that share a schedule.
func perSchedule(f environment.Forecast) map[string]float64 {
	all := map[string]float64{}
	for _, t := range f.Types {
		all[t.Cron] += t.Requests
	}
	return all
}
