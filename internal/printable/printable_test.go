package printable_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

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
		if got := printable.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for limit, want := range map[int]string{3: "ab…", 4: "abü"} {
		if got := printable.Brief("abü", limit); got != want {
			t.Errorf("in %d bytes it is %q, want %q", limit, got, want)
		}
	}
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
