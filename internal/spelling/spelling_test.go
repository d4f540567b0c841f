package spelling_test

import (
	"testing"

	"github.com/cxsync/cxsync/internal/spelling"
)

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"queues", "queus", 1},
		{"kitten", "sitting", 3},
		{"ab", "ba", 2},
		{"same", "same", 0},
	} {
		if there, back := spelling.Edits(test.a, test.b), spelling.Edits(test.b, test.a); there != test.want || back != test.want {
			t.Errorf("from %q to %q it is %d edits, and %d back, want %d", test.a, test.b, there, back, test.want)
		}
	}
}
