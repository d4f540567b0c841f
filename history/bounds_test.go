package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// What an object is like costs nobody else: its edit is recorded, as is its neighbour's, and both versions are there.
func TestLargeEditsAreRecorded(t *testing.T) {
	members := func(name string, n, value int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":%d`, i, value)
		}
		return fmt.Sprintf(`{"%s":{%s}}`, name, b.String()[1:])
	}
	digits := func(n, add int) string {
		b := bytes.Repeat([]byte("1,"), n)
		for i := range n {
			b[2*i] = '0' + byte((i+add)*i%7)
		}
		return "[" + string(b[:2*n-1]) + "]"
	}
	for name, pair := range map[string][2]string{
		"many changes below a long name":      {members(strings.Repeat("k", 300_000), 10_000, 0), members(strings.Repeat("k", 300_000), 10_000, 1)},
		"digits in another order":             {digits(100_000, 0), digits(100_000, 1)},
		"a long string":                       {`"` + strings.Repeat("a", 1<<20) + `"`, `"` + strings.Repeat("b", 1<<20) + `"`},
		"the largest body, which is no UTF-8": {`"` + strings.Repeat("\xff", maxBody-2) + `"`, `"` + strings.Repeat("\xfe", maxBody-2) + `"`},
		"halves of surrogate pairs":           {`"Sales \ud83d"`, `"Sales \ud83e"`},
		"a number that becomes much longer":   {"[" + strings.Repeat("1e20,", 30_000) + "1]", "[" + strings.Repeat("1e20,", 30_000) + "2]"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			var want [2][]byte
			for i, body := range pair {
				var err error
				want[i], err = h.plain.Canonical(nil, []byte(body))
				require.NoError(t, err)
			}
			pass(t, h, diff.Rules{}, Object{ID: "a", Body: []byte(pair[0])}, obj("b", `"n":1`))
			for i, rules := range []diff.Rules{{}, {Ignore: []string{"x"}}} { // the second edit comes with other rules
				sum := pass(t, h, rules, Object{ID: "a", Body: []byte(pair[1-i])}, obj("b", `"n":%d`, 2+i))
				require.Equal(t, 2, sum.Updated, sum.Reason)
			}
			versions := collect(t, h.Versions(t.Context(), "queues", "a"))
			require.Len(t, versions, 3)
			for i, v := range versions {
				require.True(t, bytes.Equal(want[i%2], v.Body), "version %d", i)
			}
		})
	}
}

// What cannot be recorded is refused at once, by name, and costs nobody else.
func TestTooLargeIsRefused(t *testing.T) {
	for want, o := range map[string]Object{
		"8388609 bytes, more than 8388608":                                     {ID: "a", Body: []byte(`"` + strings.Repeat("x", maxBody-1) + `"`)},
		"10485764 bytes with its numbers written out, more than 10485760":      {ID: "a", Body: []byte("[" + strings.Repeat("1e20,", (maxCanonical-1)/22) + strings.Repeat("1", 12) + "]")},
		"nested deeper than 1000 levels":                                       {ID: "a", Body: []byte(strings.Repeat("[", 1001) + strings.Repeat("]", 1001))},
		"its parent's id has 2000 bytes or is not UTF-8, want up to about 850": {ID: "a", Parent: strings.Repeat("p", 2000), Body: []byte("1")},
	} {
		h := newHistory(t)
		p, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		err = p.Observe(t.Context(), o)
		require.ErrorIs(t, err, ErrBody)
		require.ErrorContains(t, err, want)
		require.NoError(t, p.Observe(t.Context(), obj("b", `"n":1`)))
		sum, err := p.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, sum.Imported)
	}
}

// Names and markers of any length are cut, and a pass that sees them again changes nothing.
func TestLongTextsAreCut(t *testing.T) {
	h := newHistory(t)
	o := obj("a", `"n":1`)
	o.Name = strings.Repeat("é", 4<<20)
	o.Marker = strings.Repeat("m", 16<<20)
	pass(t, h, diff.Rules{}, o)
	before := dump(t, h.store)
	require.Equal(t, 1, pass(t, h, diff.Rules{}, o).Unchanged)
	after := dump(t, h.store)
	for key := range after {
		if !strings.Contains(key, "/pass/") && !strings.HasSuffix(key, "/state") {
			require.Equal(t, before[key], after[key], key)
		}
	}
	for hd, err := range h.Heads(t.Context(), "queues") {
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("é", 254)+"…", hd.Name)
		require.Empty(t, hd.Marker)
	}
}

// FuzzLargeBodies changes bodies of many members below long names. Whatever they are, the store takes what a pass makes of
// them, and both versions are there afterwards.
func FuzzLargeBodies(f *testing.F) {
	f.Add([]byte(`"k":{"a":1}`), []byte(`"k":{"a":2}`), uint8(100), uint16(3_000), uint8(3))
	f.Add([]byte(`"\u0001":[1,2]`), []byte(`"\u0001":[2,1]`), uint8(1), uint16(60_000), uint8(200))
	f.Add([]byte("\"\xff\":1"), []byte("\"\\ud83d\":1"), uint8(255), uint16(1), uint8(0))
	f.Fuzz(func(t *testing.T, a, b []byte, members uint8, name uint16, levels uint8) {
		defer bounded.Start(t)()
		if len(a)+len(b) > 200 {
			return
		}
		body := func(element []byte) []byte {
			long := strings.Repeat("n", int(name))
			var w bytes.Buffer
			w.WriteString(strings.Repeat(`{"`+long[:min(len(long), 20)]+`":`, int(levels)))
			fmt.Fprintf(&w, `{%q:[`, long)
			for i := range 8 * int(members) {
				fmt.Fprintf(&w, `{"%d":0,%s},`, i, element)
			}
			w.WriteString("0]}" + strings.Repeat("}", int(levels)))
			return w.Bytes()
		}
		h, err := Open(t.Context(), memory.New(), 1, nil)
		require.NoError(t, err)
		var stored [][]byte
		for i, o := range []Object{{ID: "a", Body: body(a)}, {ID: "a", Body: body(b)}, {ID: "a", Body: []byte(`{"x":1}`)}} {
			p, err := h.Begin(t.Context(), "queues", diff.Rules{Ignore: []string{fmt.Sprint("rule", i/2)}})
			require.NoError(t, err)
			form, err := h.plain.Canonical(nil, o.Body)
			if (err != nil) != (p.Observe(t.Context(), o) != nil) {
				t.Fatalf("body %d: %v", i, err)
			}
			if err == nil && (len(stored) == 0 || !bytes.Equal(form, stored[len(stored)-1])) {
				stored = append(stored, form)
			}
			_, err = p.End(t.Context())
			require.NoError(t, err)
		}
		slices.Reverse(stored)
		versions := collect(t, h.Versions(t.Context(), "queues", "a"))
		require.Len(t, versions, len(stored))
		for i, v := range versions {
			require.True(t, bytes.Equal(stored[i], v.Body), "version %d", i)
		}
		for e, err := range h.store.Scan(t.Context(), storage.Range{}) {
			require.NoError(t, err)
			require.LessOrEqual(t, len(e.Value), storage.MaxValueSize)
		}
	})
}
