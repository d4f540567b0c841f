package spelling_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/spelling"
)

func TestClosest(t *testing.T) {
	names := []string{"rate_limit_minute", "rate_limit_hour", "ContactCenter", "Telephony", "Quality"}
	for text, want := range map[string]string{
		"rateLimitMinute":                    "rate_limit_minute",
		"rate limit houre":                   "rate_limit_hour",
		"Contactcentre":                      "ContactCenter",
		"Qualtiy":                            "Quality",
		"Architect":                          "",
		"":                                   "",
		strings.Repeat("telephony", 100_000): "",
	} {
		require.Equal(t, want, spelling.Closest(text, slices.Values(names)), "%.30s", text)
	}
	require.Equal(t, "ab", spelling.Closest("abx", slices.Values([]string{"ac", "abc", "ab"})), "two are as near")
}
