package diff

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// What only one side changed is that side's, whatever the bodies are.
func TestMergeOfOneSide(t *testing.T) {
	var comparers []*Comparer
	for _, rules := range ruleSets {
		comparers = append(comparers, compile(t, rules))
	}
	for seed := range uint64(1000) {
		g := newGenerator(seed)
		c := pick(g, comparers)
		v := g.body()
		base, other := canonical(t, c, g.text(v)), canonical(t, c, g.text(g.mutate(g.mutate(v))))
		for _, m := range [][4][]byte{
			{base, other, base, other}, {base, base, other, other}, {base, other, other, other},
		} {
			merged, conflicts, err := c.Merge(m[0], m[1], m[2])
			if err != nil || len(conflicts) > 0 || !bytes.Equal(merged, m[3]) {
				t.Fatalf("seed %d: Merge(%s, %s, %s) = %s, %v, %v; want %s", seed, m[0], m[1], m[2], merged, conflicts, err, m[3])
			}
		}
		// Two that both changed it: some body, and no error.
		third := canonical(t, c, g.text(g.mutate(v)))
		merged, _, err := c.Merge(base, other, third)
		if err != nil || !bytes.Equal(merged, canonical(t, c, merged)) {
			t.Fatalf("seed %d: Merge(%s, %s, %s) = %s, %v", seed, base, other, third, merged, err)
		}
	}
}

func TestMergeTable(t *testing.T) {
	c := compile(t, Rules{Sets: []string{"set"}})
	for _, test := range []struct{ name, base, ours, theirs, want, conflicts string }{
		{"two members", `{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":1,"b":2}`, `{"a":2,"b":2}`, ""},
		{"one member, both sides", `{"a":1}`, `{"a":2}`, `{"a":3}`, `{"a":2}`, "/a"},
		{"both the same way", `{"a":1}`, `{"a":2}`, `{"a":2}`, `{"a":2}`, ""},
		{"member added and another one removed", `{"a":1}`, `{"a":1,"b":1}`, `{}`, `{"b":1}`, ""},
		{"removed and changed", `{"a":1}`, `{"a":2}`, `{}`, `{"a":2}`, "/a"},
		{
			"inside an element", `{"l":[{"id":"x","a":1,"b":1}]}`, `{"l":[{"id":"x","a":2,"b":1}]}`, `{"l":[{"id":"x","a":1,"b":2}]}`,
			`{"l":[{"a":2,"b":2,"id":"x"}]}`, "",
		},
		{"element added on both sides", `{"l":["a","b"]}`, `{"l":["a","b","c"]}`, `{"l":["d","a","b"]}`, `{"l":["d","a","b","c"]}`, ""},
		{"element removed and another one moved", `{"l":["a","b","c"]}`, `{"l":["a","c"]}`, `{"l":["c","b","a"]}`, `{"l":["c","a"]}`, ""},
		{"both change the order", `{"l":["a","b","c"]}`, `{"l":["b","a","c"]}`, `{"l":["a","c","b"]}`, `{"l":["b","a","c"]}`, "/l"},
		{"a set has no order", `{"set":["a","b"]}`, `{"set":["a","b","d"]}`, `{"set":["b","c"]}`, `{"set":["b","c","d"]}`, ""},
		{"an element twice", `{"l":["a","a"]}`, `{"l":["a"]}`, `{"l":["a","a","b"]}`, `{"l":["a"]}`, "/l"},
		{"element changed and removed", `{"l":[{"id":"x","a":1}]}`, `{"l":[{"id":"x","a":2}]}`, `{"l":[]}`, `{"l":[{"a":2,"id":"x"}]}`, "/l/0"},
		{"kinds differ", `{"a":{}}`, `{"a":[]}`, `{"a":1}`, `{"a":[]}`, "/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			merged, conflicts, err := c.Merge(canonical(t, c, []byte(test.base)), canonical(t, c, []byte(test.ours)), canonical(t, c, []byte(test.theirs)))
			var paths []string
			for _, x := range conflicts {
				paths = append(paths, x.Path)
			}
			where := strings.Join(paths, "")
			if err != nil || string(merged) != test.want || where != test.conflicts {
				t.Errorf("got %s, conflicts at %q, %v; want %s, conflicts at %q", merged, where, err, test.want, test.conflicts)
			}
		})
	}
	for _, bad := range []string{"", "{", `{} {}`} {
		if _, _, err := c.Merge([]byte(bad), []byte("{}"), []byte("{}")); err == nil {
			t.Errorf("base %q was merged", bad)
		}
	}
}

func ExampleComparer_Merge() {
	c, _ := Compile(Rules{})
	base := []byte(`{"name":"Support","timeout":30}`)
	merged, conflicts, _ := c.Merge(base, []byte(`{"name":"Help","timeout":30}`), []byte(`{"name":"Support","timeout":60}`))
	fmt.Printf("%s %d\n", merged, len(conflicts))
	// Output: {"name":"Help","timeout":60} 0
}
