package diff

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"testing"
)

var (
	pairs    = flag.Int("diff.pairs", somePairs, "random pairs of bodies to compare")
	pairSeed = flag.Uint64("diff.seed", 1, "seed of the random pairs")
)

var secret = [32]byte{1, 2, 3, 0xff}

// ruleSets are the rules under which random bodies are compared.
var ruleSets = []Rules{
	{},
	{Ignore: []string{"selfUri", "x\\.y"}, Sets: []string{"members", "skills"}},
	{Ignore: []string{"**.selfUri", "a.*.b", "members.name"}, Sets: []string{"**.skills", "a"}},
	{Ignore: []string{"*.id", "a.**", "**.a.*.a"}, Sets: []string{"**"}},
	{Ignore: []string{"a.id"}, Sets: []string{"members"}, Borrowed: []string{"name", "**.name", "members.a", "**.skills", "skills.id", "a.*"}},
}

func compile(tb testing.TB, s Rules) *Comparer {
	tb.Helper()
	c, err := Compile(s)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func canonical(tb testing.TB, c *Comparer, body []byte) []byte {
	tb.Helper()
	out, err := c.Canonical(nil, body)
	if err != nil {
		tb.Fatalf("Canonical(%.300q): %v", body, err)
	}
	return out
}

func digest(tb testing.TB, c *Comparer, body []byte) Digest {
	tb.Helper()
	d, err := c.Digest(&secret, body)
	if err != nil {
		tb.Fatalf("Digest(%.300q): %v", body, err)
	}
	return d
}

// stored returns the changes as they are after a way through encoding/json.
func stored(tb testing.TB, changes []FieldChange) []FieldChange {
	tb.Helper()
	text, err := encode(changes)
	if err != nil {
		tb.Fatal(err)
	}
	var back []FieldChange
	if err := json.Unmarshal(text, &back); err != nil {
		tb.Fatal(err)
	}
	return back
}

// checkDiff checks that the changes between two canonical bodies lead there and back, and returns them.
func checkDiff(tb testing.TB, c *Comparer, a, b []byte) []FieldChange {
	tb.Helper()
	changes, err := c.Diff(a, b)
	if err != nil {
		tb.Fatalf("Diff(%.300s, %.300s): %v", a, b, err)
	}
	if (len(changes) == 0) != bytes.Equal(a, b) {
		tb.Fatalf("Diff(%.300s, %.300s): %d changes", a, b, len(changes))
	}
	few := len(a) / 4 // So that some of the changes of small bodies are too large.
	bounded, err := c.diff(a, b, few)
	if text, _ := encode(bounded); err != nil || len(text) > len("[]")+max(few, maxOverhead+len(a)+len(b)) {
		tb.Fatalf("from\n%s\nto\n%s\n%v, %d bytes of changes:\n%s", a, b, err, len(text), show(bounded))
	}
	lists := [][]FieldChange{changes, stored(tb, changes)}
	if len(bounded) != len(changes) {
		lists = append(lists, stored(tb, bounded))
	}
	for _, list := range lists {
		if got, err := Apply(a, list); err != nil || !bytes.Equal(got, b) {
			tb.Fatalf("Apply to\n%s\ngives\n%s\nnot\n%s\n%v\n%s", a, got, b, err, show(list))
		}
		if got, err := Revert(b, list); err != nil || !bytes.Equal(got, a) {
			tb.Fatalf("Revert of\n%s\ngives\n%s\nnot\n%s\n%v\n%s", b, got, a, err, show(list))
		}
	}
	return changes
}

// maxOverhead is what a change takes as JSON beside its path and values.
const maxOverhead = 62

// encode is json.Marshal without the escapes for HTML, as changes are stored.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func show(changes []FieldChange) string {
	var b bytes.Buffer
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s%s %s -> %s (%s)\n", c.Op, c.From, c.Path, c.Old, c.New, c.Label)
	}
	return b.String()
}

// checkPair checks all that is promised of two texts under one set of rules.
func checkPair(tb testing.TB, c *Comparer, s Rules, a, b []byte) {
	tb.Helper()
	ca, cb := canonical(tb, c, a), canonical(tb, c, b)
	equal := bytes.Equal(ca, cb)
	referenceA := reference(s, a)
	if want := referenceA == reference(s, b); equal != want {
		tb.Fatalf("canonical forms\n%s\n%s\nequal is %v, the reference says %v", ca, cb, equal, want)
	}
	if (digest(tb, c, a) == digest(tb, c, b)) != equal {
		tb.Fatalf("digests and canonical forms do not agree:\n%s\n%s", a, b)
	}
	if !json.Valid(ca) || reference(s, ca) != referenceA || digest(tb, c, ca) != digest(tb, c, a) || !bytes.Equal(canonical(tb, c, ca), ca) {
		tb.Fatalf("the canonical form of\n%s\nis another body:\n%s", a, ca)
	}
	checkDiff(tb, c, ca, cb)
}

func TestRandomPairs(t *testing.T) {
	t.Logf("-diff.seed=%d -diff.pairs=%d", *pairSeed, *pairs)
	comparers := make([]*Comparer, len(ruleSets))
	for i, s := range ruleSets {
		comparers[i] = compile(t, s)
	}
	different := 0
	for n := range *pairs {
		g := newGenerator(*pairSeed<<32 + uint64(n))
		i := g.IntN(len(ruleSets))
		a := g.body()
		b := a
		if g.IntN(10) == 0 {
			b = g.body()
		}
		for range g.IntN(5) {
			b = g.mutate(b)
		}
		textA, again, textB := g.text(a), g.text(a), g.text(b)
		if digest(t, comparers[i], textA) != digest(t, comparers[i], again) {
			t.Fatalf("pair %d: digests differ:\n%s\n%s", n, textA, again)
		}
		checkPair(t, comparers[i], ruleSets[i], textA, textB)
		other := comparers[(i+1)%len(ruleSets)]
		ca, cb := canonical(t, comparers[i], textA), canonical(t, other, textB)
		checkDiff(t, other, ca, cb)
		if !bytes.Equal(ca, cb) {
			different++
		}
	}
	if different < *pairs/2 || different == *pairs {
		t.Errorf("%d of %d pairs are different: the generator tests nothing", different, *pairs)
	}
}

// The changes of several steps revert at once to what they revert to one after the other, and apply so too.
func TestManyStepsAtOnce(t *testing.T) {
	for n := range 300 {
		g := newGenerator(uint64(n))
		c := compile(t, ruleSets[g.IntN(len(ruleSets))])
		body := g.body()
		first := canonical(t, c, g.text(body))
		last, all := first, []FieldChange(nil)
		for range 2 + g.IntN(8) {
			body = g.mutate(body)
			next := canonical(t, c, g.text(body))
			all = append(all, stored(t, checkDiff(t, c, last, next))...)
			last = next
		}
		if got, err := Revert(last, all); err != nil || !bytes.Equal(got, first) {
			t.Fatalf("%d: reverting\n%s\ngives\n%s\nnot\n%s\n%v\n%s", n, last, got, first, err, show(all))
		}
		if got, err := Apply(first, all); err != nil || !bytes.Equal(got, last) {
			t.Fatalf("%d: applying to\n%s\ngives\n%s\nnot\n%s\n%v\n%s", n, first, got, last, err, show(all))
		}
	}
}

func TestCanonicalAndDigest(t *testing.T) {
	c := compile(t, Rules{Ignore: []string{"gone", "**.deep", "list.x", `a\.b`}, Sets: []string{"set"}})
	groups := [][]string{ // Texts are equal within a group, and different between groups.
		{`1`, `1.0`, ` 1e0 `, `10E-1`, `0.1e+1`, `1.00000000000000000000000000000000000000000`, `1e-0`},
		{`0`, `-0`, `0.0`, `-0e5`, `0e99999999999999999999`},
		{`-1`, `-1.0`},
		{`100`, `100.00`, `1e2`, `1.00e2`, `100.00000000000000000000000`},
		{`0.5`, `0.50`, `5e-1`},
		{`-0.5`, `-0.50`, `-5e-1`},
		{`-20.05`, `-20.0500`, `-2005e-2`},
		{`0.000001`, `0.0000010`, `1e-6`},
		{`0.0000001`, `0.00000010`, `1e-7`},
		{`9007199254740992`, `9007199254740992.0`},
		{`9007199254740993`, `9007199254740.993e3`},
		{`1e400`, `10e399`},
		{`1e401`},
		{`1e1000000000000000000`, `0.1e1000000000000000001`, `10e999999999999999999`},
		{`1e-1000000000000000000`, `10e-1000000000000000001`, `0.1e-999999999999999999`},
		{`1e99999999999999999999`, `10e99999999999999999998`, `0.01e100000000000000000001`, `1e+000099999999999999999999`},
		{`123456789012345678901234567890`, `1.2345678901234567890123456789e29`},
		{`123456789012345678901234567891`},
		{`"1"`, `"\u0031"`},
		{`""`},
		{`"/"`, `"\/"`},
		{`"😀"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`},
		{`"\ufffd"`, "\"\uFFFD\""},
		{`"\ufffd\ufffd"`},
		{`"\ud83d"`, `"\uD83D"`, `"\uD83d"`},
		{`"\ud83e"`},
		{`"\ude00"`, `"\uDE00"`},
		{`"\ude00\ud83d"`, `"\uDE00\uD83D"`},
		{`"\ud83d\ud83d"`},
		{`"\ud83d\ud83d\ude00"`, `"\ud83d😀"`},
		{`"\\ud83d"`, `"\u005cud83d"`},
		{`"Sales \ud83d"`, `"\u0053ales \uD83D"`},
		{`"Sales \ud83e"`},
		{"\"\xff\""},
		{"\"\xfe\""},
		{"\"\xed\xa0\""},
		{"\"\xed\xa0\xbd\""},
		{"\"\xff\\n\"", "\"\xff\\u000A\""},
		{`{"\ud83d":1}`, `{"\uD83D":1}`},
		{`{"\ud83e":1}`},
		{"{\"\xed\xa0\xbd\":1}"},
		{"{\"\xff\":1,\"\\ud83d\":2}", "{\"\\uD83D\":2,\"\xff\":1.0}"},
		{"{\"\xff\":1}", "{\"\xff\":7,\"\xff\":1}"},
		{"{\"\xfe\":1}"},
		{`"\u0000"`},
		{`"\u0000\u0000"`},
		{`null`},
		{`true`},
		{`false`},
		{`"null"`},
		{`[]`, ` [ ] `},
		{`{}`, `{"gone":1}`, `{ "gone":{"a":[1]} , "deep":null}`, `{"a.b":1}`},
		{`[[]]`},
		{`[{}]`, `[{"gone":2}]`},
		{`[[[]]]`},
		{`[[],[]]`},
		{`[[1],2]`},
		{`[1,[2]]`},
		{`[1,2]`},
		{`[2,1]`},
		{`[[1,2]]`},
		{`[null]`},
		{`[null,null]`},
		{`{"a":null}`},
		{`{"a":{}}`, `{"a":{"deep":1}}`},
		{`{"":null}`},
		{`{"a":{"b":1}}`},
		{`{"a":1,"b":1}`, `{"b":1,"a":1}`},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`},
		{`{"a":2,"b":1}`, `{"a":1,"b":1,"a":2}`, `{"\u0061":{"a":7},"b":1,"a":2.0}`},
		{`{"set":[1,1]}`},
		{`{"set":[1]}`, `{"set":[1e0]}`},
		{`{"set":[]}`},
		{`{"set":1}`},
		{`{"list":[1,2]}`},
		{`{"list":[2,1]}`},
		{`{"set":[1,2,"a"]}`, `{"set":["a",2,1]}`, `{"set":[2,"\u0061",1.0]}`},
		{`{"set":[[1,2],[3]]}`, `{"set":[[3],[1,2]]}`},
		{`{"set":[[2,1],[3]]}`},
		{`{"set":[{"id":"a","x":1},{"id":"a","x":2}]}`, `{"set":[{"id":"a","x":2},{"x":1,"id":"a"}]}`},
		{`{"list":[{"x":1,"y":1}]}`, `{"list":[{"y":1,"x":2}]}`, `{"list":[{"y":1,"deep":[]}]}`},
		{`{"list":[[{"x":1,"y":1}]]}`, `{"list":[[{"y":1}]]}`},
		{`{"other":[{"x":1,"y":1}]}`},
	}
	forms, digests := map[string]int{}, map[Digest]int{}
	for i, group := range groups {
		for _, text := range group {
			form, d := canonical(t, c, []byte(text)), digest(t, c, []byte(text))
			if j, ok := forms[string(form)]; ok && j != i {
				t.Errorf("%s has the canonical form of %s", text, groups[j][0])
			}
			if j, ok := digests[d]; ok && j != i {
				t.Errorf("%s has the digest of %s", text, groups[j][0])
			}
			forms[string(form)], digests[d] = i, i
		}
	}
	if len(forms) != len(groups) || len(digests) != len(groups) {
		t.Errorf("%d groups have %d canonical forms and %d digests", len(groups), len(forms), len(digests))
	}
}

func TestCanonicalText(t *testing.T) {
	c := compile(t, Rules{Sets: []string{"set"}})
	for text, want := range map[string]string{
		`{"b":1,"":2,"a":3,"é":4,"\n":5,"\"":6,"]":7,"Z":8}`:                                                         `{"":2,"\n":5,"\"":6,"Z":8,"]":7,"a":3,"b":1,"é":4}`,
		`"\u003c\u2028\u001F\u0008\/\u007f"`:                                                                         "\"<\u2028\\u001f\\b/\x7f\"",
		`[-0.0, 1.50, 15e20, 15e19, 0.0000015, 0.00000015, 9007199254740993, 123456789012345678901, 1e21, -12.5e-1]`: `[0,1.5,1.5e+21,150000000000000000000,0.0000015,1.5e-7,9007199254740993,123456789012345678901,1e+21,-1.25]`,
		`{"set":[3,{"name":"n"},{"key":"k","name":"m"},{"id":"y"},{"id":"x","key":"z"},{"id":null,"key":""},"s"]}`:   `{"set":[{"id":"x","key":"z"},{"id":"y"},{"key":"k","name":"m"},{"name":"n"},"s",3,{"id":null,"key":""}]}`,
	} {
		if got := canonical(t, c, []byte(text)); string(got) != want {
			t.Errorf("canonical form of %s\n got %s\nwant %s", text, got, want)
		}
	}
	if got, err := c.Canonical([]byte("kept"), []byte(`{"a":[1,}`)); err == nil || string(got) != "kept" {
		t.Errorf("Canonical of malformed JSON: %q, %v", got, err)
	}
}

func TestManyNames(t *testing.T) {
	c := compile(t, Rules{})
	for _, n := range []int{fewNames - 1, fewNames, fewNames + 1, fewNames + 2, 1000} {
		for _, twice := range []int{-1, 0, n / 2, n - 1} {
			var b []byte
			for i := range n {
				b = fmt.Appendf(b, `,"n%d":%d`, i, i)
			}
			if twice >= 0 {
				b = fmt.Appendf(b, `,"n%d":-1`, twice)
			}
			b = append(b, '}')
			b[0] = '{'
			if digest(t, c, b) != digest(t, c, canonical(t, c, b)) {
				t.Errorf("%d names, %d twice: the digest counts both", n, twice)
			}
		}
	}
}

func TestSecretsAndRawDigest(t *testing.T) {
	c := compile(t, Rules{})
	seen := map[Digest]string{}
	add := func(d Digest, what string) {
		if other, ok := seen[d]; ok || d == (Digest{}) {
			t.Errorf("%s has the digest of %s", what, other)
		}
		seen[d] = what
		if d[0] == d[8] && bytes.Equal(d[:8], d[8:]) {
			t.Errorf("%s: both halves are equal", what)
		}
	}
	for i := range 257 {
		secret := [32]byte{}
		if i < 256 {
			secret[i/8] = 1 << (i % 8)
		}
		body := []byte(`{"a":[1,"b"]}`)
		d, err := c.Digest(&secret, body)
		if err != nil {
			t.Fatal(err)
		}
		add(d, fmt.Sprint("digest under secret ", i))
		add(RawDigest(&secret, body), fmt.Sprint("raw digest under secret ", i))
	}
	for n := range 300 {
		zeros := make([]byte, n)
		add(RawDigest(&secret, zeros), fmt.Sprint(n, " zeros"))
		if n > 0 {
			zeros[n/2] = 1
			add(RawDigest(&secret, zeros), fmt.Sprint(n, " zeros and a one"))
		}
	}
}

func TestDigestText(t *testing.T) {
	d := RawDigest(&secret, []byte("x"))
	text, err := json.Marshal(map[string]Digest{"d": d})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]Digest
	if err := json.Unmarshal(text, &back); err != nil || back["d"] != d || len(d.String()) != 32 {
		t.Errorf("%s becomes %v, %v", text, back, err)
	}
	for _, bad := range []string{"", "00", "zz000000000000000000000000000000"} {
		if back := d; back.UnmarshalText([]byte(bad)) == nil || back != d {
			t.Errorf("UnmarshalText(%q) is accepted, or leaves a trace", bad)
		}
	}
}

func TestDeepBodies(t *testing.T) {
	c := compile(t, Rules{Ignore: []string{"x"}})
	for _, depth := range []int{10_000, 10_001} {
		for _, shape := range [][2]string{{"[", "]"}, {`{"a":`, "}"}, {`{"x":`, "}"}} {
			b := slices.Concat(bytes.Repeat([]byte(shape[0]), depth), []byte("1"), bytes.Repeat([]byte(shape[1]), depth))
			_, errCanonical := c.Canonical(nil, b)
			_, errDigest := c.Digest(&secret, b)
			if valid := json.Valid(b); valid != (errCanonical == nil) || valid != (errDigest == nil) {
				t.Errorf("%d deep %s: %v, %v, but valid is %v", depth, shape[0], errCanonical, errDigest, valid)
			}
		}
	}
	deep := slices.Concat(bytes.Repeat([]byte("["), 2_000), bytes.Repeat([]byte("]"), 2_000))
	other := slices.Concat(bytes.Repeat([]byte("["), 2_000), []byte("1"), bytes.Repeat([]byte("]"), 2_000))
	if changes := checkDiff(t, c, deep, other); len(changes) != 1 {
		t.Errorf("%d changes", len(changes))
	}
}
