package spelling_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
		require.Equal(t, test.want, spelling.Edits(test.a, test.b), "%q, %q", test.a, test.b)
		require.Equal(t, test.want, spelling.Edits(test.b, test.a), "%q, %q", test.b, test.a)
	}
}
