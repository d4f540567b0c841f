package ratelimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimitsEffective(t *testing.T) {
	for _, tt := range []struct {
		limits Limits
		want   Limit
		words  string
		err    string
	}{
		{Limits{}, Limit{}, "unlimited", ""},
		{Limits{Minute: 250}, Limit{250, time.Minute}, "250 a minute", ""},
		{Limits{Minute: 250, Hour: 1000}, Limit{1000, time.Hour}, "1000 an hour", ""},
		{Limits{Minute: 250, Hour: 1000, Day: 60000}, Limit{60000, 24 * time.Hour}, "60000 a day", ""},
		{Limits{Minute: 250, Day: 1}, Limit{1, 24 * time.Hour}, "1 a day", ""},
		{Limits{Minute: -5}, Limit{}, "unlimited", "ratelimit: limit of -5 a minute: want 1 or more, or 0 for none"},
		{Limits{Minute: 1, Hour: -1}, Limit{}, "unlimited", "ratelimit: limit of -1 an hour: want 1 or more, or 0 for none"},
		{Limits{Minute: -1, Day: 1}, Limit{}, "unlimited", "ratelimit: limit of -1 a minute: want 1 or more, or 0 for none"},
	} {
		got, err := tt.limits.Effective()
		if tt.err != "" {
			require.EqualError(t, err, tt.err)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, tt.want, got, "%+v", tt.limits)
		require.Equal(t, tt.words, got.String())
	}
	require.Equal(t, "3 in 2s", Limit{3, 2 * time.Second}.String())
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(Limits{Minute: -1}, nil)
	require.ErrorContains(t, err, "limit of -1 a minute")
	_, err = New(Limits{}, &Options{HoldTimeout: 2 * time.Hour, MaxFreeze: -1})
	for _, field := range []string{"HoldTimeout is 2h0m0s: want at most 1h0m0s", "MaxFreeze is -1ns: want at most 24h0m0s"} {
		require.ErrorContains(t, err, field)
	}
}
