package jsonscan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// seeds are texts that scanners get wrong.
var seeds = []string{
	``, ` `, `null`, `nul`, `nullx`, `true`, `tru`, `false`, `falsf`, `0`, `-`, `-0`, `01`, `1.`, `1.0`, `.5`, `1e`, `1e+`, `1E-07`, `+1`, `0x1`,
	`""`, `"`, `"a`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\ud83d\ude00"`, `"\u0000"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\"", "\"\xff\"",
	"\"12345678\x01\"", "\"1234567\"", "\"12345678\"", "\"1234\\n678é0123456789\"", "\"\x80\x9f\xa0\"",
	`[]`, `[ ]`, `[,]`, `[1,]`, `[1 2]`, `[1,2]`, `[`, `]`, `[1`, `[}`, `{}`, `{ }`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`,
	`{"a":1}`, `{"a":1]`, ` { "a" : [ 1 , { "b" : null } ] , "c" : "d" } `, `{"a":1}{`, `1 2`, "\v1", "1\u00a0", "\ufeff1", `{"":{"":[[]]}}`, `[[[[]]]`, `[[[]]]]`,
}

func deep(n int, open, closing string) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat(closing, n)
}

func check(t *testing.T, b []byte) {
	t.Helper()
	want := json.Valid(b)
	if got := jsonscan.Valid(b); got != want {
		t.Fatalf("Valid(%.200q) = %v, encoding/json says %v", b, got, want)
	}
	end, err := jsonscan.Skip(b, 0)
	switch {
	case err == nil && (end > len(b) || want != (strings.Trim(string(b[end:]), " \t\r\n") == "")):
		t.Fatalf("Skip(%.200q) = %d, but valid is %v", b, end, want)
	case err != nil && want:
		t.Fatalf("Skip(%.200q): %v", b, err)
	case err != nil:
		if e, ok := errors.AsType[*jsonscan.SyntaxError](err); !ok || e.Offset < 0 || e.Offset > len(b) {
			t.Fatalf("Skip(%.200q): error without a place: %v", b, err)
		}
	}
	checkIter(t, b, want)
	if s, ok := jsonscan.String(b); ok {
		var std string
		if err := json.Unmarshal(b, &std); err != nil || std != s {
			t.Fatalf("String(%.200q) = %q, encoding/json says %q, %v", b, s, std, err)
		}
		if !jsonscan.Equal(b, s) || jsonscan.Equal(b, s+"x") {
			t.Fatalf("Equal(%.200q, %q) is wrong", b, s)
		}
	}
}

// checkIter walks b as an object and as an array and compares with what encoding/json decodes.
func checkIter(t *testing.T, b []byte, valid bool) {
	t.Helper()
	var object map[string]json.RawMessage
	isObject := valid && json.Unmarshal(b, &object) == nil && object != nil
	got := map[string]string{}
	it := jsonscan.Members(b)
	for it.Next() {
		key, ok := jsonscan.String(it.Key())
		if !ok || !it.KeyIs(key) {
			t.Fatalf("Members(%.200q): bad key %q", b, it.Key())
		}
		got[key] = string(it.Value())
	}
	if (it.Err() == nil) != isObject {
		t.Fatalf("Members(%.200q): %v, but object is %v", b, it.Err(), isObject)
	}
	for key, want := range object {
		raw, ok := jsonscan.Lookup(b, key)
		if got[key] != string(want) || !ok || string(raw) != string(want) {
			t.Fatalf("Members(%.200q)[%q] = %q, Lookup %q, want %q", b, key, got[key], raw, want)
		}
	}
	var array []json.RawMessage
	isArray := valid && json.Unmarshal(b, &array) == nil && array != nil
	var elements []string
	it = jsonscan.Elements(b)
	for it.Next() {
		elements = append(elements, string(it.Value()))
	}
	if (it.Err() == nil) != isArray || isArray && len(array) != len(elements) {
		t.Fatalf("Elements(%.200q): %q, %v, but array is %v", b, elements, it.Err(), isArray)
	}
	for i := range array {
		if string(array[i]) != elements[i] {
			t.Fatalf("Elements(%.200q)[%d] = %q, want %q", b, i, elements[i], array[i])
		}
	}
}

func TestAgainstEncodingJSON(t *testing.T) {
	for _, s := range seeds {
		check(t, []byte(s))
	}
	for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 1000, jsonscan.MaxDepth, jsonscan.MaxDepth + 1, jsonscan.MaxDepth + 64} {
		check(t, []byte(deep(n, "[", "]")))
		check(t, []byte(deep(n, `{"a":`, "}")))
		check(t, []byte(deep(n/2, `{"a":[`, "]}")))
		check(t, []byte(deep(n, "[", "]"))[:n*2-1])
		check(t, []byte(deep(n, "[", "}")))
	}
}

func TestErrorSaysWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": tru}`:                        `unexpected character '}' at offset 9`,
		`{"a":"` + "\n\"}":                  `unexpected character '\n' at offset 6`,
		`["\q"]`:                            `unexpected character 'q' at offset 3`,
		`[1,2`:                              `unexpected end of JSON at offset 4`,
		deep(jsonscan.MaxDepth+1, "[", "]"): `nesting deeper than 10000 levels at offset 10000`,
	} {
		if _, err := jsonscan.Skip([]byte(text), 0); err == nil || err.Error() != "jsonscan: "+want {
			t.Errorf("Skip(%.20q): %v, want %s", text, err, want)
		}
	}
}

func TestLookup(t *testing.T) {
	doc := []byte(` {"a":{"\u0062":[1,2],"":null},"a/b":1,"d":1,"d":2} `)
	for _, test := range []struct {
		path string
		want string
	}{
		{"", string(doc[1 : len(doc)-1])}, {"a.b", "[1,2]"}, {"a.", "null"}, {"a/b", "1"}, {"d", "2"}, {"a.c", ""}, {"a.b.c", ""}, {"x", ""},
	} {
		var path []string
		if test.path != "" {
			path = strings.Split(test.path, ".")
		}
		raw, ok := jsonscan.Lookup(doc, path...)
		if string(raw) != test.want || ok != (test.want != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", test.path, raw, ok, test.want)
		}
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-12": -12, "9007199254740993": 9007199254740993, "-9223372036854775808": -1 << 63} {
		if n, ok := jsonscan.Int([]byte(text)); n != want || !ok {
			t.Errorf("Int(%s) = %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{"", "1.0", "1e3", "9223372036854775808", "+1", "01", `"1"`, "null", "1 "} {
		if n, ok := jsonscan.Int([]byte(text)); ok {
			t.Errorf("Int(%s) = %d, want not ok", text, n)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	doc := []byte(`{"id":"12345678-1234","name":"é","n":{"a":[1,2.5e3,true,null,"\n"]}}`)
	if n := testing.AllocsPerRun(100, func() {
		it := jsonscan.Members(doc)
		for it.Next() {
			it.KeyIs("name")
		}
		if raw, ok := jsonscan.Lookup(doc, "n", "a"); !ok || len(raw) == 0 || !jsonscan.Valid(doc) {
			t.Error("the document is not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(deep(70, `{"a":[`, "]}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer bounded.Start(t)()
		check(t, b)
	})
}

func ExampleMembers() {
	it := jsonscan.Members([]byte(`{"id": "q1", "members": [1, 2]}`))
	for it.Next() {
		fmt.Printf("%s is %s\n", it.Key(), it.Value())
	}
	fmt.Println(it.Err())
	// Output:
	// "id" is "q1"
	// "members" is [1, 2]
	// <nil>
}

// members prints the members of a text that are seen.
type members struct {
	text string
	got  []string
}

func (m *members) See(depth int, key []byte, form jsonscan.Form, value int) {
	m.got = append(m.got, fmt.Sprintf("%d %s %d %.1s", depth, key, form, m.text[value:]))
}

// TestScanSeen finds every member at its depth, also below more containers than one word holds.
func TestScanSeen(t *testing.T) {
	text := ` [{"a":1,"b\u0062":[{"c":{}}]}, ` + strings.Repeat(`[`, 100) + `{"d" : {"e":null}}` + strings.Repeat(`]`, 100) + `]`
	seen := members{text: text}
	end := jsonscan.ScanSeen([]byte(text), 1, 3, &seen)
	if want := []string{`5 "a" 0 1`, `5 "b\u0062" 1 [`, `7 "c" 0 {`, `105 "d" 0 {`, `106 "e" 0 n`}; end != len(text) || !slices.Equal(seen.got, want) {
		t.Errorf("ends at %d of %d, with %q, not %q", end, len(text), seen.got, want)
	}

	it := jsonscan.Members([]byte(`{"a": [1,2],"b":3}`))
	var got []string
	for it.NextWith(func(i int) int { return jsonscan.ScanValue([]byte(`{"a": [1,2],"b":3}`), i, 1) }) {
		got = append(got, string(it.Key())+string(it.Value()))
	}
	if want := []string{`"a"[1,2]`, `"b"3`}; it.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("%v, with %q, not %q", it.Err(), got, want)
	}
	it = jsonscan.Members([]byte(`{"a":1,"b":2}`))
	if it.NextWith(func(int) int { return ^7 }) || it.Err() == nil {
		t.Errorf("a value that cannot be scanned is passed: %v", it.Err())
	}
}
