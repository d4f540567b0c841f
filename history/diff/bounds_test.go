package diff

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
)

// Whatever a body holds, its changes are no larger than it and its successor, or 64 KiB, and lead forth and back.
func TestChangesAreBoundedByTheBodies(t *testing.T) {
	const mib = 1 << 20
	list := func(n int, element func(i int) string) []byte {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, ",%s", element(i))
		}
		return append(append([]byte{'['}, b.Bytes()[1:]...), ']')
	}
	numbers := func(add int) string {
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, `,"%d":%d`, i, add)
		}
		return "{" + b.String()[1:] + "}"
	}
	digits := list(mib/4, func(i int) string { return strconv.Itoa(i * i % 7) })
	reversed := bytes.Clone(digits)
	slices.Reverse(reversed)
	reversed[0], reversed[len(reversed)-1] = '[', ']'
	nested := func(n int, open, inner, last string) []byte {
		return []byte(strings.Repeat(open, n) + inner + strings.Repeat(last, n))
	}
	objects := func(order func(i int) int) []byte {
		return list(20_000, func(i int) string { return fmt.Sprintf(`{"id":"%08d","name":"element"}`, order(i)) })
	}
	for name, pair := range map[string][2][]byte{
		"many changes below a long name":       {[]byte(`{"` + strings.Repeat("k", 100_000) + `":` + numbers(0) + `}`), []byte(`{"` + strings.Repeat("k", 100_000) + `":` + numbers(1) + `}`)},
		"many changes below a name of escapes": {[]byte(`{"` + strings.Repeat(`\u0001`, 30_000) + `":` + numbers(0) + `}`), []byte(`{"` + strings.Repeat(`\u0001`, 30_000) + `":` + numbers(1) + `}`)},
		"a list of digits, reversed":           {digits, reversed},
		"an element known by a long id":        {[]byte(`[{"id":"` + strings.Repeat("i", 100_000) + `","x":` + numbers(0) + `}]`), []byte(`[{"id":"` + strings.Repeat("i", 100_000) + `","x":` + numbers(1) + `}]`)},
		"a long string that is no UTF-8":       {[]byte(`{"s":"` + strings.Repeat("\xff", mib) + `"}`), []byte(`{"s":"` + strings.Repeat("\xff", mib-1) + `a"}`)},
		"below many levels":                    {nested(900, `{"k":`, numbers(0), "}"), nested(900, `{"k":`, numbers(1), "}")},
		"another depth":                        {nested(9_000, "[", "", "]"), nested(9_900, "[", "", "]")},
		"a long list of objects, reversed":     {objects(func(i int) int { return i }), objects(func(i int) int { return 20_000 - i })},
		"all of an object goes":                {[]byte(numbers(0)), []byte(`{"x":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			c := compile(t, Rules{})
			a, b := canonical(t, c, pair[0]), canonical(t, c, pair[1])
			changes, err := c.Diff(a, b)
			require.NoError(t, err)
			text, err := encode(changes)
			require.NoError(t, err)
			require.LessOrEqual(t, len(text), 2+max(fewBytes, maxOverhead+len(a)+len(b)))
			there, err := Apply(a, changes)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, there))
			back, err := Revert(b, changes)
			require.NoError(t, err)
			require.True(t, bytes.Equal(a, back))
		})
	}
}

// What a pointer cannot name is replaced with the object that has it, and what lies deeper than anybody reads with what
// has it there.
func TestWhatNoPointerNames(t *testing.T) {
	c := compile(t, Rules{Ignore: []string{"*.ignored"}})
	for _, test := range []struct{ old, new, want string }{
		{"{\"a\":{\"\xff\":{\"x\":1},\"b\":1}}", "{\"a\":{\"\xff\":{\"x\":2},\"b\":2}}", "replace /a {\"b\":1,\"\xff\":{\"x\":1}} -> {\"b\":2,\"\xff\":{\"x\":2}} ()"},
		{"{\"a\":{\"\xff\":{\"x\":1},\"b\":1}}", "{\"a\":{\"\xff\":{\"x\":1},\"b\":2}}", "replace /a/b 1 -> 2 ()"},
		{`{"\ud83d":1}`, `{"\ud83e":1}`, `replace  {"\ud83d":1} -> {"\ud83e":1} ()`},
		{`{"\ud83d":{"ignored":1}}`, `{"\ud83d":{"ignored":2}}`, ``},
		{`{"n":"Sales \ud83d"}`, `{"n":"Sales \ud83e"}`, `replace /n "Sales \ud83d" -> "Sales \ud83e" ()`},
	} {
		changes := checkDiff(t, c, canonical(t, c, []byte(test.old)), canonical(t, c, []byte(test.new)))
		require.Equal(t, test.want, strings.TrimSuffix(show(changes), "\n"))
	}
	deep := func(x int) []byte {
		return fmt.Appendf(nil, "%s%d%s", strings.Repeat(`{"a":`, 150), x, strings.Repeat("}", 150))
	}
	changes := checkDiff(t, c, deep(1), deep(2))
	require.Len(t, changes, 1)
	require.Equal(t, strings.Repeat("/a", maxDepth), changes[0].Path)
}

// A sequence does what a slice does, in steps that grow with the logarithm of its length.
func FuzzSequence(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint16(300))
	f.Add(uint64(2), uint16(5_000), uint16(5_000))
	f.Fuzz(func(t *testing.T, seed uint64, length, edits uint16) {
		defer bounded.Start(t)()
		rnd := rand.New(rand.NewPCG(seed, 1))
		want := make([]*node, length)
		for i := range want {
			want[i] = &node{}
		}
		s := newSequence(want)
		want = slices.Clone(want)
		for range edits {
			switch i := rnd.IntN(len(want) + 1); {
			case seed%3 == 0: // Always at one place.
				n := &node{}
				want = slices.Insert(want, len(want)/2, n)
				s.insert((len(want)-1)/2, n)
			case i == len(want) || rnd.IntN(2) == 0:
				n := &node{}
				want = slices.Insert(want, i, n)
				s.insert(i, n)
			default:
				require.True(t, s.at(i) == want[i])
				want = slices.Delete(want, i, i+1)
				s.remove(i)
			}
		}
		var got []*node
		s.root.all(func(n *node) { got = append(got, n) })
		require.True(t, slices.Equal(want, got))
		require.Equal(t, len(want), s.len())
		checkBranch(t, s.root, 2+int(math.Log(float64(length)+float64(edits)+1)/math.Log(maxFanOut/2)))
	})
}

func checkBranch(t *testing.T, b *branch, height int) {
	t.Helper()
	require.Positive(t, height)
	require.LessOrEqual(t, max(len(b.children), len(b.elements)), maxFanOut)
	for _, child := range b.children {
		checkBranch(t, child, height-1)
	}
}
