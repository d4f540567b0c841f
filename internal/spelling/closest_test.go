package spelling_test

import (
	"slices"
	"strings"
	"testing"

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
		if got := spelling.Closest(text, slices.Values(names)); got != want {
			t.Errorf("closest to %.30q is %q, want %q", text, got, want)
		}
	}
	if got := spelling.Closest("abx", slices.Values([]string{"ac", "abc", "ab"})); got != "ab" { // two are as near
		t.Errorf("closest to abx is %q, want ab", got)
	}
}
