package diff

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

func TestChangesPrintThemselves(t *testing.T) {
	long := []byte(`"` + strings.Repeat("é", 300) + `"`)
	for want, c := range map[string]FieldChange{
		`+ /a: null`:                    {Path: "/a", Op: OpAdd, New: []byte("null")},
		`- /a: {"b":1}`:                 {Path: "/a", Op: OpRemove, Old: []byte(`{"b":1}`)},
		`~ the whole body: 1 -> 2`:      {Op: OpReplace, Old: []byte("1"), New: []byte("2")},
		`> /m[id=x]: moved from 4 to 0`: {Path: "/m/0", From: "/m/4", Op: OpMove, Label: "/m[id=x]"},
		`~ /a: "` + strings.Repeat("é", 99) + `… (602 bytes) -> 1`: {Path: "/a", Op: OpReplace, Old: long, New: []byte("1")},
		`+ /a\x1b[2Jb: "\u202e\x7f\xff` + "\u3042" + `"`:           {Path: "/a\x1b[2Jb", Op: OpAdd, New: []byte("\"\u202e\x7f\xff\u3042\"")},
	} {
		require.Equal(t, want, c.String())
	}
}

// Nothing that a terminal might act on comes through, whatever a name or a value holds.
func FuzzString(f *testing.F) {
	f.Add("/a\nb", "[id=\x1b]", []byte("\"\u2028\xc2\x9b\""))
	f.Fuzz(func(t *testing.T, path, label string, value []byte) {
		defer bounded.Start(t)()
		for _, op := range []Op{OpAdd, OpRemove, OpReplace, OpMove} {
			s := FieldChange{Path: path, From: path, Op: op, Label: label, Old: value, New: value}.String()
			if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", s)
			}
		}
	})
}
