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
		`~ /a/id: "x" (Ex) -> "y" (Why)`: {
			Path: "/a/id", Op: OpReplace, Old: []byte(`"x"`), New: []byte(`"y"`), Names: map[string]string{"y": "Why", "x": "Ex", "z": "?"},
		},
		`+ /a: [{"id":"y"},{"id":"x"}] (Why, Ex)`: {
			Path: "/a", Op: OpAdd, New: []byte(`[{"id":"y"},{"id":"x"}]`), Names: map[string]string{"x": "Ex", "y": "Why"},
		},
		`+ /a\x1b[2Jb: "\u202e\x7f\xff` + "\u3042" + `"`: {Path: "/a\x1b[2Jb", Op: OpAdd, New: []byte("\"\u202e\x7f\xff\u3042\"")},
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
			s := FieldChange{Path: path, From: path, Op: op, Label: label, Old: value, New: value, Names: map[string]string{string(value): label, path: path}}.String()
			if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q", s)
			}
		}
	})
}

func TestName(t *testing.T) {
	c := compile(t, Rules{Ignore: []string{"seen"}, Sets: []string{"groups"}, Borrowed: []string{"division.name", "groups.name", "by.*.label", "top"}})
	home, sales := `{"name":"Home","id":"1"}`, `{"id":"2","name":"Sa\u006ces"}`
	for name, row := range map[string]struct {
		old, new string
		want     string // the changes as they print
	}{
		"only the name":        {`{"division":{"id":"1","name":"A"}}`, `{"division":{"id":"1","name":"B"}}`, ""},
		"the id moves":         {`{"division":` + home + `}`, `{"division":` + sales + `}`, `~ /division/id: "1" (Home) -> "2" (Sales)`},
		"an object comes":      {`{}`, `{"division":` + home + `}`, `+ /division: {"id":"1"} (Home)`},
		"an object goes":       {`{"division":` + sales + `}`, `{}`, `- /division: {"id":"2"} (Sales)`},
		"an element comes":     {`{"groups":[` + home + `]}`, `{"groups":[` + sales + `,` + home + `]}`, `+ /groups[id="2"]: {"id":"2"} (Sales)`},
		"a name without an id": {`{"division":{"name":"A"}}`, `{"division":{"name":"B"}}`, `~ /division/name: "A" -> "B"`},
		"an id comes":          {`{"division":{"name":"A"}}`, `{"division":` + home + `}`, "+ /division/id: \"1\" (Home)\n- /division/name: \"A\""},
		"numbers below any":    {`{"by":{"x":{"id":7,"label":"L"}}}`, `{"by":{"x":{"id":8,"label":"M"}}}`, `~ /by/x/id: 7 (L) -> 8 (M)`},
		"ids elsewhere":        {`{"division":` + home + `,"other":{"id":"1"}}`, `{"division":` + home + `,"other":{"id":"2"}}`, `~ /other/id: "1" -> "2"`},
		"the body's own":       {`{"id":"1","top":"A","n":1}`, `{"id":"1","top":"B","n":2}`, `~ /n: 1 -> 2`},
		"no text":              {`{"division":{"id":"1","name":5}}`, `{"division":{"id":"2","name":["x"]}}`, `~ /division/id: "1" -> "2"`},
	} {
		changes, err := c.Diff(canonical(t, c, []byte(row.old)), canonical(t, c, []byte(row.new)))
		require.NoError(t, err, name)
		c.Name(changes, []byte(row.old), []byte(row.new))
		var lines []string
		for _, change := range stored(t, changes) {
			lines = append(lines, change.String())
		}
		require.Equal(t, row.want, strings.ReplaceAll(strings.Join(lines, "\n"), `[id=2]`, `[id="2"]`), name)
	}
	c.Name([]FieldChange{{Path: "/division/id", New: []byte("{")}}, []byte(`{"division`), []byte("]"))
}
