//go:build !race

package diff

import "testing"

// somePairs is how many random pairs are compared by default.
const somePairs = 2_000

// The race detector makes pools forget, on purpose.
func TestNoAllocations(t *testing.T) {
	c := compile(t, Rules{Ignore: []string{"dateModified", "**.selfUri"}, Sets: []string{"skills"}})
	body := []byte(`{"id":"1","n":-1.50e3,"s":"a\nb é","skills":[{"id":"a"},{"id":"b"}],"m":{"selfUri":"x","l":[1,null,true]},"dateModified":"d"}`)
	var sum byte
	if n := testing.AllocsPerRun(1000, func() {
		d, err := c.Digest(&secret, body)
		if err != nil {
			t.Error(err)
		}
		sum += d[0] + RawDigest(&secret, body)[0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
