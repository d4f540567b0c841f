package ask

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMoment(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	require.NoError(t, err)
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h":                       "2026-11-25T12:00:00Z",
		"7d":                        "2026-11-19T12:00:00Z",
		"60d":                       "2026-09-27T11:00:00Z", // the same wall clock, before the change of it
		"2026-11-26 05:32":          "2026-11-26T04:32:00Z",
		"2026-11-26T05:32":          "2026-11-26T04:32:00Z",
		"2026-11-26 05:32:10":       "2026-11-26T04:32:10Z",
		"2026-07-01":                "2026-06-30T22:00:00Z",
		" 2026-11-26T05:32:00Z ":    "2026-11-26T05:32:00Z",
		"2026-11-26T05:32:00+02:00": "2026-11-26T03:32:00Z",
	} {
		got, err := moment(text, now, vienna)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"", "yesterday", "-24h", "-7d", "26.11.2026", "2026-13-01"} {
		_, err := moment(text, now, vienna)
		require.ErrorContains(t, err, "2026-11-26 05:32", text)
	}
}
