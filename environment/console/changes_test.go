package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
)

// Who made a change is said as surely as it is known.
func TestWho(t *testing.T) {
	ada, bo := history.Actor{ID: "1", Name: "Ada"}, history.Actor{ID: "2", Name: "Bo\x1b"}
	for name, test := range map[string]struct {
		who  *history.Attribution
		want whoView
		by   string // who would find it
		not  string // who would not
	}{
		"nothing":     {nil, whoView{"", "not known"}, "", "a"},
		"one":         {&history.Attribution{Status: history.WhoAttributed, Actors: []history.Actor{ada}, Settled: true}, whoView{"Ada", "Ada, say the org's audits"}, "ADA", "bo"},
		"provisional": {&history.Attribution{Status: history.WhoAttributed, Actors: []history.Actor{bo}}, whoView{`Bo\x1b`, `Bo\x1b, say the org's audits; late audits may still correct this`}, "bo", "ada"},
		"several":     {&history.Attribution{Status: history.WhoSeveral, Actors: []history.Actor{ada, bo}, Settled: true}, whoView{"Ada or 1 other", `one or more of Ada, Bo\x1b`}, "2", "3"},
		"system":      {&history.Attribution{Status: history.WhoSystem, Settled: true}, whoView{"the service", "the service by itself, say the org's audits"}, "service", "ada"},
		"unaudited":   {&history.Attribution{Status: history.WhoUnaudited}, whoView{"", "not known: the org's audits do not tell"}, "", "ada"},
		"pending":     {&history.Attribution{Status: history.WhoPending}, whoView{"", "not known yet: audits come late"}, "", "ada"},
		"none":        {&history.Attribution{Status: history.WhoNone, Settled: true}, whoView{"", "nobody that the org's audits name"}, "", "ada"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &history.Change{Who: test.who}
			require.Equal(t, test.want, who(c))
			require.False(t, isBy(c, test.not))
			require.True(t, test.by == "" || isBy(c, test.by))
		})
	}
}

// Numbers at an axis are round, and no smaller than what they stand for.
func TestRoundUp(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 7: 8, 9: 10, 10: 10, 11: 20, 208: 300, 3750: 4000, 81_000: 100_000} {
		require.Equal(t, want, roundUp(n), n)
	}
}

// Times and numbers read as a person would say them.
func TestInWords(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 9 * time.Second: "just now", 59 * time.Second: "59 seconds ago", time.Minute: "1 minute ago", 119 * time.Minute: "1 hour ago",
		24 * time.Hour: "1 day ago", 72 * time.Hour: "3 days ago", 60 * 24 * time.Hour: "2 months ago", 800 * 24 * time.Hour: "2 years ago",
		-9 * time.Second: "just now", -36 * time.Second: "in 36 seconds", -48 * time.Hour: "in 2 days",
	} {
		require.Equal(t, want, ago(now, now.Add(-d)))
	}
	require.Equal(t, "1 entry", count(1, "entry"))
	require.Equal(t, "1,234,567 entries", count(1_234_567, "entry"))
	require.Equal(t, "0 days", count(0, "day"))
}
