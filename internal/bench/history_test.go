package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/wI2L/jsondiff"

	"github.com/cxsync/cxsync/history"
)

// flow returns a body with a list of steps, of about size bytes. A changed one has two steps renamed and one removed.
func flow(size int, changed bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	guid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
	}
	var steps []string
	for i, n := 0, 0; n < size-200; i++ {
		step := fmt.Sprintf(`{"id":%q,"name":"Step %d","type":"TransferToAcd","timeout":%d,"enabled":%v,"target":{"queueId":%q,"priority":%d,"preferred":[%q,%q]}}`,
			guid(), i, 30+i%5, i%3 > 0, guid(), i%10, guid(), guid())
		n += len(step)
		switch {
		case changed && i == 2:
			continue
		case changed && (i == 1 || i == 40):
			step = strings.Replace(step, "Step", "Renamed step", 1)
		}
		steps = append(steps, step)
	}
	return fmt.Appendf(nil, `{"id":%q,"name":"Inbound","published":%v,"steps":[%s]}`, guid(), changed, strings.Join(steps, ","))
}

// canonicalPair returns a flow before and after, in canonical form, so that every peer sees the same change.
func canonicalPair(tb testing.TB, c *history.Comparer, size int) (old, new []byte) {
	tb.Helper()
	old, errOld := c.Canonical(nil, flow(size, false))
	new, errNew := c.Canonical(nil, flow(size, true))
	if errOld != nil || errNew != nil {
		tb.Fatal(errOld, errNew)
	}
	return old, new
}

func comparer(tb testing.TB) *history.Comparer {
	tb.Helper()
	c, err := history.Compile(history.Shape{})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

var diffSizes = []int{20_000, 500_000}

// patchText returns our changes as the RFC 6902 patch that they hold, which is what peers' patches are compared with.
func patchText(tb testing.TB, changes []history.FieldChange) []byte {
	tb.Helper()
	type operation struct {
		Op    history.Op      `json:"op"`
		Path  string          `json:"path"`
		From  string          `json:"from,omitempty"`
		Value json.RawMessage `json:"value,omitempty"`
	}
	patch := []operation{}
	for _, c := range changes {
		patch = append(patch, operation{c.Op, c.Path, c.From, c.New})
	}
	text, err := json.Marshal(patch)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// TestPatchAgainstPeers has another library apply our patch, and compares its size with that of the smallest correct one
// that a library makes.
func TestPatchAgainstPeers(t *testing.T) {
	c := comparer(t)
	for _, size := range []int{2_000, 20_000} {
		old, new := canonicalPair(t, c, size)
		changes, err := c.Diff(old, new)
		if err != nil {
			t.Fatal(err)
		}
		text := patchText(t, changes)
		patch, err := jsonpatch.DecodePatch(text)
		if err != nil {
			t.Fatal(err)
		}
		applied, err := patch.Apply(old)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Canonical(nil, applied); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%d bytes: json-patch applies our patch to something else: %v", size, err)
		}
		lcs, err := jsondiff.CompareJSON(old, new, jsondiff.LCS())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := json.Marshal(lcs)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes: %d operations in %d bytes, jsondiff LCS %d in %d", size, len(changes), len(text), len(lcs), len(peer))
		if len(text) > len(peer) {
			t.Errorf("%d bytes: our patch has %d bytes, jsondiff's %d", size, len(text), len(peer))
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	c := comparer(b)
	for _, size := range diffSizes {
		old, new := canonicalPair(b, c, size)
		run := func(name string, diff func() (operations int, err error)) {
			b.Run(fmt.Sprintf("%s/%dKB", name, size/1000), func(b *testing.B) {
				b.SetBytes(int64(len(old)))
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					var err error
					if n, err = diff(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n), "operations")
			})
		}
		run("cxsync", func() (int, error) {
			changes, err := c.Diff(old, new)
			return len(changes), err
		})
		run("jsondiff", func() (int, error) {
			patch, err := jsondiff.CompareJSON(old, new)
			return len(patch), err
		})
		run("jsondiff-lcs", func() (int, error) {
			patch, err := jsondiff.CompareJSON(old, new, jsondiff.LCS())
			return len(patch), err
		})
	}
}
