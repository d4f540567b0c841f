package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
)

// TestVolatilityMovements shows what is said of arrays that only permute, and of URLs.
func TestVolatilityMovements(t *testing.T) {
	h := newHistory(t)
	ids := []string{"p", "q", "r", "s", "t"}
	for n := range 8 {
		turned := append(slices.Clone(ids[n%5:]), ids[:n%5]...)
		texts, _ := json.Marshal(turned)
		grown, _ := json.Marshal(append(turned, strconv.Itoa(n)))
		long := strings.Repeat("long ", 40)
		objects := make([]string, len(turned))
		for i, id := range turned {
			objects[i] = fmt.Sprintf(`{"id":%q,"text":%q}`, id, long)
		}
		pass(t, h, diff.Rules{}, obj("a", `"texts":%s,"objects":[%s],"grown":%s,"media":{"uri":"https://h/%d.wav"},"host":"https://h%d/x","number":%d`,
			texts, strings.Join(objects, ","), grown, n, n, n))
	}
	got, err := h.Volatility(t.Context(), nil)
	require.NoError(t, err)
	moves := map[string]Movement{}
	for _, v := range got {
		moves[v.Field] = v.Moves
	}
	require.Equal(t, map[string]Movement{"texts": MovesOrder, "objects": MovesOrder, "grown": "", "media.uri": MovesURL, "host": "", "number": ""}, moves)
	require.True(t, isPermuted([]byte(`[1,{"a":2}]`), []byte(`[{"a":2},1]`)))
	require.False(t, isPermuted([]byte(`[1,1]`), []byte(`[1,2]`)))
	require.False(t, isPermuted([]byte(`"x"`), []byte(`[]`)))
}

func TestVolatility(t *testing.T) {
	h := newHistory(t)
	for n := range 10 {
		objects := []Object{
			obj("a", `"flips":%d,"steady":1,"list":[{"id":"x","state":%d}]`, n, n/2),
			obj("b", `"flips":%d,"steady":%d,"list":[]`, n/5, n/9),
		}
		pass(t, h, diff.Rules{}, objects...)
	}
	got, err := h.Volatility(t.Context(), &VolatilityOptions{Share: 0.3})
	require.NoError(t, err)
	require.Equal(t, []Volatile{
		{Type: "queues", Field: "flips", Objects: 1, Flips: 10, Passes: 10, Share: 0.9},
		{Type: "queues", Field: "list.state", Objects: 1, Flips: 4, Passes: 10, Share: 0.4},
	}, got)
	got, err = h.Volatility(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, err = h.Volatility(t.Context(), &VolatilityOptions{Share: 2})
	require.ErrorContains(t, err, "share is 2")
	for _, v := range slices.Clone(got) {
		_, err := diff.Compile(diff.Rules{Ignore: []string{v.Field}})
		require.NoError(t, err)
	}
}
