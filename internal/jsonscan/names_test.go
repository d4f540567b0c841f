package jsonscan_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A name that is in the set is never missed, and few of the others are taken for one.
func TestNames(t *testing.T) {
	var none jsonscan.Names
	var some jsonscan.Names
	in := []string{"", "id", "name", "selfUri", "dateModified", "ü"}
	for _, name := range in {
		require.False(t, none.MayHave([]byte(name)))
		some.Add(name)
	}
	for _, name := range in {
		require.True(t, some.MayHave([]byte(name)), name)
	}
	wrong := 0
	for i := range 1000 {
		if some.MayHave([]byte("member" + strconv.Itoa(i))) {
			wrong++
		}
	}
	require.Less(t, wrong, 250)
}
