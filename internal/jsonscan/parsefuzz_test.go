package jsonscan_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// FuzzDecode decodes strings and integers as encoding/json and strconv do.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`""`, `"a\n\u00e9\/"`, `"\ud83d\ude00\ud83d"`, `"\ude00"`, "\"\xff\xed\xa0\x80\"", `"\u0000"`, `"\x"`, `"`, `"a" `, ` "a"`, `"a"b"`, `"00`, "\"\n\"",
		`0`, `-0`, `9223372036854775807`, `-9223372036854775809`, `1.0`, `1e2`, `01`, `--1`,
	} {
		f.Add([]byte(s), "a")
	}
	f.Fuzz(func(t *testing.T, raw []byte, s string) {
		defer bounded.Start(t)()
		var text string
		isString := json.Unmarshal(raw, &text) == nil && raw[0] == '"' && raw[len(raw)-1] == '"'
		got, ok := jsonscan.String(raw)
		if ok != isString || ok && got != text {
			t.Fatalf("String(%q) = %q, %v, want %q, %v", raw, got, ok, text, isString)
		}
		inner := ""
		if len(raw) > 2 {
			inner = string(raw[1 : len(raw)-1])
		}
		for _, s := range []string{s, text, inner} {
			if jsonscan.Equal(raw, s) != (ok && s == text) {
				t.Fatalf("Equal(%q, %q) = %v", raw, s, jsonscan.Equal(raw, s))
			}
		}
		n, isInt := jsonscan.Int(raw)
		want, err := strconv.ParseInt(string(raw), 10, 64)
		if wantInt := err == nil && json.Valid(raw) && raw[0] <= '9' && raw[0] > ' '; isInt != wantInt || isInt && n != want {
			t.Fatalf("Int(%q) = %d, %v, want %d, %v", raw, n, isInt, want, wantInt)
		}
	})
}
