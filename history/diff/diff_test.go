package diff

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cxsync/cxsync/internal/bounded"
)

const manyMembers = 500

// members returns an object with a long list of members, in the order in which arrange leaves them.
func members(arrange func([]string) []string) []byte {
	var list []string
	for i := range manyMembers {
		list = append(list, fmt.Sprintf(`{"id":"u%03d","name":"User %d","ringNumber":%d}`, i, i%7, i%3+1))
	}
	return []byte(`{"members":[` + strings.Join(arrange(list), ",") + `]}`)
}

func TestFewChanges(t *testing.T) {
	const n = manyMembers
	same := func(list []string) []string { return list }
	insert := func(list []string) []string {
		return slices.Insert(list, 137, `{"id":"new","name":"New","ringNumber":1}`)
	}
	shuffle := func(list []string) []string {
		r := rand.New(rand.NewPCG(1, 2))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	list, set := Rules{}, Rules{Sets: []string{"members"}}
	for _, test := range []struct {
		name     string
		shape    Rules
		old, new []byte
		want     int
	}{
		{"list, one insertion", list, members(same), members(insert), 1},
		{"list, one removal", list, members(insert), members(same), 1},
		{"list, first to last", list, members(same), members(func(l []string) []string { return append(l[1:], l[0]) }), 1},
		{"list, last to first", list, members(same), members(func(l []string) []string { return append(l[n-1:], l[:n-1]...) }), 1},
		{"list, reversed", list, members(same), members(func(l []string) []string { slices.Reverse(l); return l }), n - 1},
		{"set, shuffled", set, members(same), members(shuffle), 0},
		{"set, shuffled, one insertion", set, members(same), members(func(l []string) []string { return shuffle(insert(l)) }), 1},
		{"set, shuffled, one changed inside", set, members(same), members(func(l []string) []string {
			l[77] = strings.Replace(l[77], `"ringNumber":`, `"ringNumber":1`, 1)
			return shuffle(l)
		}), 1},
		{"number written differently", list, []byte(`{"a":1}`), []byte(`{"a":1.0}`), 0},
		{"large number", list, []byte(`{"a":9007199254740992}`), []byte(`{"a":9007199254740993}`), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := compile(t, test.shape)
			old, new := canonical(t, c, test.old), canonical(t, c, test.new)
			if changes := checkDiff(t, c, old, new); len(changes) != test.want {
				t.Errorf("%d changes, want %d", len(changes), test.want)
			}
			if (digest(t, c, test.old) == digest(t, c, test.new)) != (test.want == 0) {
				t.Error("the digests do not agree")
			}
		})
	}
}

func TestDiffTable(t *testing.T) {
	c := compile(t, Rules{Sets: []string{"set"}})
	for _, test := range []struct{ old, new, want string }{
		{`1`, `2`, "replace  1 -> 2 ()"},
		{`{}`, `[]`, "replace  {} -> [] ()"},
		{`{"a":null}`, `{}`, "remove /a null ->  ()"},
		{`{}`, `{"a":null}`, "add /a  -> null ()"},
		{`{"a":null}`, `{"a":false}`, "replace /a null -> false ()"},
		{`{"":{"/":{"~":{"~1":1}}}}`, `{"":{"/":{"~":{"~1":2}}}}`, "replace //~1/~0/~01 1 -> 2 ()"},
		{`{"\n\"":1}`, `{"\n\"":2}`, "replace /\n\" 1 -> 2 ()"},
		{`{"l":["x",null,null]}`, `{"l":[false,null,null]}`, `replace /l/0 "x" -> false ()`},
		{`{"l":["a","b","c"]}`, `{"l":["a","c"]}`, `remove /l/1 "b" ->  ()`},
		{`{"l":["a","b","c"]}`, `{"l":["c","a","b"]}`, `move /l/2/l/0  ->  ()`},
		{`{"l":[1,1,1]}`, `{"l":[1,1]}`, `remove /l/2 1 ->  ()`},
		{`{"set":["a","b"]}`, `{"set":["c","a"]}`, "remove /set/1 \"b\" ->  ()\nadd /set/1  -> \"c\" ()"},
		{
			`{"l":[{"id":"a","n":{"x":1}},{"id":"b"}]}`, `{"l":[{"id":"b"},{"id":"a","n":{"x":2}}]}`,
			"move /l/1/l/0  ->  (/l[id=b])\nreplace /l/1/n/x 1 -> 2 (/l[id=a]/n/x)",
		},
		{`{"l":[{"id":"a/~ü"}]}`, `{"l":[]}`, `remove /l/0 {"id":"a/~ü"} ->  (/l[id=a/~ü])`},
		{`{"l":[{"id":7}]}`, `{"l":[{"id":8}]}`, "remove /l/0 {\"id\":7} ->  (/l[id=7])\nadd /l/0  -> {\"id\":8} (/l[id=8])"},
		{`{"l":[{"name":"n","x":1,"id":""}]}`, `{"l":[{"name":"n","x":2,"id":""}]}`, "replace /l/0/x 1 -> 2 (/l[name=n]/x)"},
		{`{"l":[{"x":1,"long":"the same in both"}]}`, `{"l":[{"x":2,"long":"the same in both"}]}`, "replace /l/0/x 1 -> 2 ()"},
		{`{"l":[{"x":1,"y":1}]}`, `{"l":[{"p":2,"q":2}]}`, `replace /l/0 {"x":1,"y":1} -> {"p":2,"q":2} ()`},
		{`{"k":[1],"l":[2]}`, `{"l":[1]}`, "remove /k [1] ->  ()\nreplace /l/0 2 -> 1 ()"},
		{`{"l":[1]}`, `{"k":[1],"l":[2]}`, "add /k  -> [1] ()\nreplace /l/0 1 -> 2 ()"},
		{`{"l":[[1,2],[3]]}`, `{"l":[[1,2],[4]]}`, `replace /l/1/0 3 -> 4 ()`},
	} {
		changes := checkDiff(t, c, canonical(t, c, []byte(test.old)), canonical(t, c, []byte(test.new)))
		if got := strings.TrimSuffix(show(changes), "\n"); got != test.want {
			t.Errorf("%s to %s:\n%s\nwant\n%s", test.old, test.new, got, test.want)
		}
	}
}

func TestOtherFormsAreRefused(t *testing.T) {
	c := compile(t, Rules{})
	for _, test := range []struct{ bad, good string }{
		{``, `1`},
		{` {}`, `{"z":1}`},
		{`{} `, `{"z":1}`},
		{`{}{}`, `{"z":1}`},
		{`{`, `{"z":1}`},
		{`[1`, `[]`},
		{`{"b":1,"a":2}`, `{"z":1}`},
		{`{"a":1,"a":2}`, `{"z":1}`},
		{`{"z":{"b":1,"a":2}}`, `{"z":{"a":1,"b":1}}`},
		{`{"z":[{"id":"x","b":1,"a":2}]}`, `{"z":[{"id":"x","y":1}]}`},
	} {
		for _, pair := range [][2]string{{test.bad, test.good}, {test.good, test.bad}} {
			if changes, err := c.Diff([]byte(pair[0]), []byte(pair[1])); !errors.Is(err, errNotCanonical) || !strings.Contains(err.Error(), "Comparer.Canonical") {
				t.Errorf("Diff(%s, %s): %v, %v", pair[0], pair[1], changes, err)
			}
		}
		change := FieldChange{Path: "/z/0/new", Op: OpAdd, New: json.RawMessage("1")}
		if got, err := Apply([]byte(test.bad), []FieldChange{change}); err == nil {
			t.Errorf("Apply(%s): %s", test.bad, got)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	const doc = `{"a":{"b":[1,2]},"n":null}`
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, test := range []struct {
		change   FieldChange
		mismatch bool
	}{
		{FieldChange{Path: "/a", Op: OpAdd, New: raw(`1`)}, true},
		{FieldChange{Path: "/n", Op: OpAdd, New: raw(`1`)}, true},
		{FieldChange{Path: "/a/b/3", Op: OpAdd, New: raw(`1`)}, true},
		{FieldChange{Path: "/x", Op: OpRemove, Old: raw(`1`)}, true},
		{FieldChange{Path: "/n", Op: OpRemove, Old: raw(`0`)}, true},
		{FieldChange{Path: "/a/b/2", Op: OpRemove, Old: raw(`2`)}, true},
		{FieldChange{Path: "/a/b/0", Op: OpReplace, Old: raw(`2`), New: raw(`3`)}, true},
		{FieldChange{Path: "/n/x", Op: OpRemove, Old: raw(`2`)}, true},
		{FieldChange{Path: "/a/b/0", From: "/a/b/2", Op: OpMove}, true},
		{FieldChange{Path: "/a/b/2", From: "/a/b/0", Op: OpMove}, true},
		{FieldChange{Path: "/a/b/01", Op: OpRemove, Old: raw(`2`)}, false},
		{FieldChange{Path: "/a/b/-", Op: OpAdd, New: raw(`2`)}, false},
		{FieldChange{Path: "a", Op: OpAdd, New: raw(`2`)}, false},
		{FieldChange{Path: "/~", Op: OpAdd, New: raw(`2`)}, false},
		{FieldChange{Path: "/~2", Op: OpAdd, New: raw(`2`)}, false},
		{FieldChange{Path: "/\xff", Op: OpAdd, New: raw(`2`)}, false},
		{FieldChange{Path: "", Op: OpRemove, Old: raw(doc)}, false},
		{FieldChange{Path: "/n", Op: OpRemove}, false},
		{FieldChange{Path: "/x", Op: OpAdd}, false},
		{FieldChange{Path: "/x", Op: OpAdd, New: raw(`{`)}, false},
		{FieldChange{Path: "/n", Op: OpReplace, Old: raw(`null`)}, false},
		{FieldChange{Path: "/n", Op: "test", Old: raw(`null`)}, false},
	} {
		got, err := Apply([]byte(doc), []FieldChange{test.change})
		if err == nil || errors.Is(err, ErrMismatch) != test.mismatch {
			t.Errorf("%+v: %s, %v", test.change, got, err)
		}
		if got, err := Revert([]byte(doc), []FieldChange{test.change.inverse()}); err == nil || errors.Is(err, ErrMismatch) != test.mismatch {
			t.Errorf("reverted %+v: %s, %v", test.change.inverse(), got, err)
		}
	}
}

// greatPower finds numbers that take the reference too long.
var greatPower = regexp.MustCompile(`[eE][+-]?[0-9]{4}`)

func FuzzPair(f *testing.F) {
	comparers := make([]*Comparer, len(ruleSets))
	for i, s := range ruleSets {
		comparers[i] = compile(f, s)
	}
	for n := range uint64(20) {
		g := newGenerator(n)
		a := g.value(2)
		f.Add(g.text(a), g.text(g.mutate(a)), byte(n))
	}
	for _, bad := range []string{
		``, `x`, `"`, `"\b\f\n\r\t"`, `tru`, `1.`, `[`, `[x`, `[1 2]`, `[1}`, `[[1]`, `{`, `{x`, `{"a"`, `{"a":`, `{"a":"}`, `{"a":1`, `{"a":1]`, `{"a":1,}`,
		`{"selfUri":tru}`, `{"a":{"b":[{"c":-}]}}`, `{} {}`, `{"b":1,"a":[{"d":1,"c":2}]}`, `[{"b":1,"a":2},{"id" :1}]`,
	} {
		f.Add([]byte(bad), []byte(`{"a":{"b":[{"c":1}]}}`), byte(1))
		f.Add([]byte(`[{"c":1}]`), []byte(bad), byte(0))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, shape byte) {
		defer bounded.Start(t)()
		c, s := comparers[int(shape)%len(ruleSets)], ruleSets[int(shape)%len(ruleSets)]
		_, _ = c.Diff(a, b) // Whatever their form is.
		for _, body := range [][]byte{a, b} {
			_, errCanonical := c.Canonical(nil, body)
			_, errDigest := c.Digest(&secret, body)
			if valid := json.Valid(body); valid != (errCanonical == nil) || valid != (errDigest == nil) {
				t.Fatalf("%q: %v, %v, but valid is %v", body, errCanonical, errDigest, valid)
			}
			if errDigest != nil || greatPower.Match(body) {
				return
			}
		}
		checkPair(t, c, s, a, b)
	})
}

func FuzzApply(f *testing.F) {
	c := compile(f, Rules{})
	for n := range uint64(20) {
		g := newGenerator(n)
		a := g.body()
		ca, cb := canonical(f, c, g.text(a)), canonical(f, c, g.text(g.mutate(a)))
		changes, err := c.Diff(ca, cb)
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(changes)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ca, text)
	}
	f.Fuzz(func(t *testing.T, doc, text []byte) {
		defer bounded.Start(t)()
		var changes []FieldChange
		if json.Unmarshal(text, &changes) != nil {
			return
		}
		there, err := Apply(doc, changes)
		if err == nil {
			back, err := Revert(there, changes)
			if err != nil || string(back) != string(doc) && string(canonical(t, c, back)) != string(canonical(t, c, doc)) {
				t.Fatalf("apply of %s to %s gives %s, revert gives %s, %v", text, doc, there, back, err)
			}
		}
		_, _ = Revert(doc, changes)
	})
}
