package ask

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// layouts are the ways to write a time without a zone.
var layouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}

// moment reads a time as a person writes it: how long ago (24h, 7d), or a date with
// or without a time in loc, or RFC 3339.
func moment(text string, now time.Time, loc *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.In(loc).AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 7d or 24h for how long ago, 2026-11-26, 2026-11-26 05:32 or 2026-11-26T05:32:00Z", text)
}

// optional is moment for a flag, which may be left out.
func optional(text string, loc *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return moment(text, time.Now(), loc)
}
