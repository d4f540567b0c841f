package diff

import (
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	for path, want := range map[string]string{
		"":        "empty segment at offset 0",
		"a..b":    "empty segment at offset 2",
		".a":      "empty segment at offset 0",
		"a.":      "empty segment at offset 2",
		"a*":      `segment "a*" at offset 0: a star stands alone, or is written \*`,
		"x.***":   `segment "***" at offset 2: a star stands alone, or is written \*`,
		`x.\**`:   `segment "\\**" at offset 2: a star stands alone, or is written \*`,
		`a\`:      `backslash at offset 1: only \., \* and \\ mean something`,
		`a\b`:     `backslash at offset 1: only \., \* and \\ mean something`,
		"*":       "it would ignore every member",
		"**":      "it would ignore every member",
		"**.**.*": "it would ignore every member",
	} {
		_, err := Compile(Rules{Ignore: []string{"good", path}})
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) || !strings.HasPrefix(err.Error(), `diff: ignored path "`) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
	var paths []string
	for i := range 20 {
		paths = append(paths, "**.a"+strings.Repeat(".*", i))
	}
	if _, err := Compile(Rules{Sets: paths}); err == nil || !strings.Contains(err.Error(), "too many to combine") {
		t.Errorf("rules that explode: %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	base := Rules{Ignore: []string{"a", "b.**", "c.**.d"}, Sets: []string{"s"}}
	same := []Rules{
		{Ignore: []string{"c.**.d", "a", "b.**", "a"}, Sets: []string{"s", "s"}},
		{Ignore: []string{"a", "b.**.**", "b.**.*", "c.**.**.d"}, Sets: []string{"s"}},
	}
	other := []Rules{
		{},
		{Ignore: []string{"a", "b.**", "c.**.d", "s"}},
		{Ignore: []string{"a", "b.*", "c.**.d"}, Sets: []string{"s"}},
		{Ignore: []string{"a", "b.**", `c.\*\*.d`}, Sets: []string{"s"}},
		{Ignore: []string{"a", "b.**", `c\..**.d`}, Sets: []string{"s"}},
		{Ignore: base.Ignore, Sets: base.Sets, Reads: "expand=charts"},
		{Ignore: base.Ignore, Sets: base.Sets, Reads: "\nset path s"},
	}
	want := compile(t, base).Fingerprint()
	if want != "e61461e21551c6dd789d3f0ef948d79c" {
		t.Errorf("the fingerprint was stored as another one: %s", want)
	}
	for _, s := range same {
		if got := compile(t, s).Fingerprint(); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
	seen := map[string]bool{want: true}
	for _, s := range other {
		got := compile(t, s).Fingerprint()
		if seen[got] {
			t.Errorf("%+v has the fingerprint of other rules", s)
		}
		seen[got] = true
	}
}

func TestIgnoredPaths(t *testing.T) {
	for _, test := range []struct{ path, body, want string }{
		{"a", `{"a":1,"b":{"a":1}}`, `{"b":{"a":1}}`},
		{"a.b", `{"a":{"b":1,"c":2}}`, `{"a":{"c":2}}`},
		{"a.b", `{"a":[{"b":1},[{"b":2,"c":3}],4]}`, `{"a":[{},[{"c":3}],4]}`},
		{"a.b", `{"a":1,"b":2}`, `{"a":1,"b":2}`},
		{"a", `[{"a":1}]`, `[{}]`},
		{"*.b", `{"b":0,"a":{"b":1},"c":{"d":{"b":2}}}`, `{"a":{},"b":0,"c":{"d":{"b":2}}}`},
		{"**.b", `{"b":0,"a":{"b":1},"c":[{"d":{"b":2,"e":3}}]}`, `{"a":{},"c":[{"d":{"e":3}}]}`},
		{"a.**.b", `{"b":0,"a":{"b":1,"c":{"b":2,"d":3}}}`, `{"a":{"c":{"d":3}},"b":0}`},
		{"a.**", `{"a":{"b":1,"c":{"d":3}},"e":{"a":{"f":1}}}`, `{"a":{},"e":{"a":{"f":1}}}`},
		{"a.**", `{"a":1}`, `{"a":1}`},
		{"a.*", `{"a":[1,{"b":2}]}`, `{"a":[1,{}]}`},
		{`a\.b`, `{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2}}`},
		{`\*`, `{"*":1,"a":2}`, `{"a":2}`},
		{`\\`, `{"\\":1,"a":2}`, `{"a":2}`},
		{"é", `{"\u00e9":1,"a":2}`, `{"a":2}`},
		{"**.a.*.c", `{"a":{"a":{"c":1,"x":{"c":2}}}}`, `{"a":{"a":{"x":{}}}}`},
	} {
		c := compile(t, Rules{Ignore: []string{test.path}})
		if got := canonical(t, c, []byte(test.body)); string(got) != test.want {
			t.Errorf("%s without %s is %s, want %s", test.body, test.path, got, test.want)
		}
	}
}
