package diff

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

func TestCompileRefuses(t *testing.T) {
	for path, want := range map[string]string{
		"":        "empty segment at offset 0",
		"a..b":    "empty segment at offset 2",
		".a":      "it is no dotted path, and would match nothing; did you mean a?",
		"a.":      "it is no dotted path, and would match nothing; did you mean a?",
		"a*":      `segment "a*" at offset 0: a star stands alone, or is written \*`,
		"x.***":   `segment "***" at offset 2: a star stands alone, or is written \*`,
		`x.\**`:   `segment "\\**" at offset 2: a star stands alone, or is written \*`,
		`a\`:      `backslash at offset 1: it stands before a character that means something, such as \., \* and \\`,
		`a\b`:     `backslash at offset 1: it stands before a character that means something, such as \., \* and \\`,
		"/":       "it names no member",
		"$":       "it names no member",
		"[0]":     "it names no member",
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

// What people write who know other ways to write a path would match nothing. It is refused with what would be right.
func TestPathsOfOtherKinds(t *testing.T) {
	for path, right := range map[string]string{
		"/name": "name", "$.name": "name", "members[0].name": "members.name", "$.members[*].ringNumber": "members.ringNumber",
		"$['a']['b.c']": `a.b\.c`, "/a~0b/0/x~1y": "a~b.x/y", "$..name": "**.name", " description ": "description", "/a.b": `a\.b`,
		"/0/$x": `\$x`, " / x ": `\ x`, "/ x/y": `\ x.y`, "/[0]": `\[0]`, "members[id=1].name": "members.name", "members[].name": "members.name", "a.b.": "a.b",
	} {
		_, err := ParsePath(path)
		if err == nil || !strings.HasSuffix(err.Error(), "did you mean "+right+"?") {
			t.Errorf("%q: %v, want %s", path, err, right)
		}
		if _, err := ParsePath(right); err != nil {
			t.Errorf("%q: %v", right, err)
		}
	}
	body := []byte(`{"":{"":1}," x ":2,"$":3,"$.a":4,"/a":5,"[0]":6,"a.":7,"a[0]":8,"\\":9,"*":10,"**":11,"\u2003":12,"\n":13}`)
	for it := jsonscan.Members(body); it.Next(); { // the odd names can be written, too
		name, _ := jsonscan.String(it.Key())
		path := FieldChange{Path: "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)}.Field()
		if name == "" {
			continue
		}
		c, err := Compile(Rules{Ignore: []string{path}})
		if err != nil {
			t.Errorf("%q as %q: %v", name, path, err)
			continue
		}
		if left := canonical(t, c, body); len(left) >= len(body) || bytes.Contains(left, append(quoted([]byte(name)), ':')) {
			t.Errorf("%q as %q leaves %s", name, path, left)
		}
	}
}

// A path touches what the definition, step by step, says; and it takes no time to find out however deep a body is.
func TestTouches(t *testing.T) {
	var reference func(pattern []segment, tokens []string, holds bool) bool
	reference = func(pattern []segment, tokens []string, holds bool) bool {
		if len(pattern) == 0 {
			return true
		}
		if len(tokens) == 0 {
			return holds
		}
		s := pattern[0]
		if s.deep && (reference(pattern[1:], tokens, holds) || len(tokens) > 1 && reference(pattern, tokens[1:], holds)) {
			return true
		}
		if !s.deep && (s.wild || s.name == tokens[0]) && reference(pattern[1:], tokens[1:], holds) {
			return true
		}
		return isIndex(tokens[0]) && reference(pattern, tokens[1:], holds)
	}
	touched := 0
	for n := range 20_000 {
		g := newGenerator(uint64(n))
		var path, tokens []string
		for range 1 + g.IntN(5) {
			path = append(path, pick(g, []string{"a", "b", "*", "**", "0"}))
		}
		for range 1 + g.IntN(6) {
			tokens = append(tokens, pick(g, []string{"a", "b", "0", "1"}))
		}
		p, err := parsePath(strings.Join(path, "."))
		if err != nil {
			t.Fatal(err)
		}
		holds := g.IntN(2) == 0
		if want := reference(p, tokens, holds); touches(p, tokens, holds) != want {
			t.Fatalf("%v touches %v, holding %v: not %v", path, tokens, holds, want)
		} else if want {
			touched++
		}
	}
	if touched < 2000 || touched > 18_000 {
		t.Errorf("%d touched: the generator tests nothing", touched)
	}
	p, _ := parsePath(strings.Repeat("**.a.", 30) + "b")
	began := time.Now()
	if touches(p, strings.Split(strings.Repeat("a/", 1000)+"c", "/"), false) || time.Since(began) > time.Second {
		t.Errorf("%d levels take %v", 1000, time.Since(began))
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
