package ratelimit

import (
	"cmp"
	"fmt"
	"time"
)

const day = 24 * time.Hour

// Limits is a quota as people write it down: so many requests a minute, an hour
// or a day, where 0 sets no limit of that kind.
//
// Exactly one of them rules: the day's if it is set, else the hour's, else the
// minute's. The others then have no effect. The zero Limits is unlimited.
type Limits struct {
	Minute, Hour, Day int
}

// Effective returns the limit that rules, or an error if any of the three is
// negative, even one that would have no effect.
func (l Limits) Effective() (Limit, error) {
	var rules Limit
	for _, limit := range []Limit{{l.Day, day}, {l.Hour, time.Hour}, {l.Minute, time.Minute}} {
		if limit.N < 0 {
			return Limit{}, fmt.Errorf("ratelimit: limit of %s: want 1 or more, or 0 for none", limit)
		}
		if rules.N == 0 && limit.N > 0 {
			rules = limit
		}
	}
	return rules, nil
}

// A Limit allows N requests in every rolling Window. The zero Limit is unlimited.
type Limit struct {
	N      int           `json:"n"`
	Window time.Duration `json:"window"` // nanoseconds in JSON
}

// String returns the limit in words, such as "250 a minute" or "unlimited".
func (l Limit) String() string {
	if l.N == 0 {
		return "unlimited"
	}
	words := map[time.Duration]string{time.Minute: "a minute", time.Hour: "an hour", day: "a day"}
	return fmt.Sprintf("%d %s", l.N, cmp.Or(words[l.Window], "in "+l.Window.String()))
}
