package printable_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/printable"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"Überall 日本 🎉":          "Überall 日本 🎉",
		"a\nb\x1b[31m":          `a\nb\x1b[31m`,
		"\u202egnp":             `\u202egnp`,
		"\xff":                  `\xff`,
		"\ufffd":                "\ufffd",
		"tab\there\u200b\u0085": `tab\there\u200b\u0085`,
	} {
		require.Equal(t, want, printable.Text(text))
	}
	require.Equal(t, "ab…", printable.Brief("abü", 3))
	require.Equal(t, "abü", printable.Brief("abü", 4))
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		defer bounded.Start(t)()
		got := printable.Text(s)
		for _, r := range got {
			if !unicode.IsPrint(r) && r != utf8.RuneError {
				t.Fatalf("%q became %q", s, got)
			}
		}
	})
}
