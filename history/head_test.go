package history

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// standardHead is a head as encoding/json decodes it.
type standardHead head

var headMembers = []string{
	"name", "parent", "marker", "first_seen", "seq", "changed", "kind", "hidden", "hidden_at", "raw", "canonical", "shape",
}

func someHeads() []head {
	at := time.Date(2026, 11, 1, 8, 15, 30, 123456789, time.UTC)
	return []head{
		{},
		{Name: "Sales", Marker: "7", Seq: 12, Changed: at, Kind: KindCreated, Raw: diff.Digest{1, 2, 255}, Canonical: diff.Digest{15: 9}, Rules: "00ff"},
		{Name: `é <&> "\` + "\n\u2028\xff", Parent: "p", FirstSeen: at.In(time.FixedZone("", 3600)), Seq: math.MaxUint64, Changed: at, Hidden: 13, HiddenAt: at},
	}
}

// checkHead decodes text, into a head that was used before, as encoding/json does. It may refuse more.
func checkHead(t *testing.T, text []byte, last head) (ok bool) {
	t.Helper()
	got := last
	if got.UnmarshalJSON(text) != nil {
		return false
	}
	var want standardHead
	require.NoError(t, json.Unmarshal(text, &want), "%s", text)
	require.Equal(t, head(want), got, "%s", text)
	return true
}

func TestHeadIsDecodedAsItWasWritten(t *testing.T) {
	for _, last := range someHeads() {
		for _, hd := range someHeads() {
			var b storage.Batch
			require.NoError(t, b.PutJSON("plain", hd))
			escaped, err := json.Marshal(hd)
			require.NoError(t, err)
			for op := range b.Ops() {
				require.True(t, checkHead(t, op.Value, last), "%s", op.Value)
			}
			require.True(t, checkHead(t, escaped, last), "%s", escaped)
			require.True(t, checkHead(t, append([]byte(`{"unknown":[1],`), escaped[1:]...), last))
			for n := range escaped {
				require.False(t, checkHead(t, escaped[:n], last), "%s", escaped[:n])
			}
		}
	}
	for _, name := range headMembers {
		for _, value := range []string{"true", "-1", "1.5", "[]", "{}", strings.Repeat("1", 34)} {
			require.False(t, checkHead(t, fmt.Appendf(nil, `{%q:%s}`, name, value), head{}), "%s: %s", name, value)
		}
	}
}

func TestDamagedHeadIsNamed(t *testing.T) {
	s := memory.New()
	h := open(t, s, nil)
	pass(t, h, diff.Rules{}, obj("a", `"n":1`), obj("b", `"n":1`))
	var b storage.Batch
	b.Put(h.keys.head("queues", "b"), []byte(`{"name":"b","seq":"x"}`))
	require.NoError(t, s.Commit(t.Context(), &b))
	var ids []string
	for hd, err := range h.Heads(t.Context(), "queues") {
		if err == nil {
			ids = append(ids, hd.ID)
			continue
		}
		var damage *storage.KeyError
		require.ErrorAs(t, err, &damage)
		require.Equal(t, h.keys.head("queues", "b"), damage.Key)
		require.ErrorContains(t, err, `"seq" of a head`)
	}
	require.Equal(t, []string{"a"}, ids)
}

func TestHeadsShareStrings(t *testing.T) {
	text, err := json.Marshal(someHeads()[1])
	require.NoError(t, err)
	var hd head
	require.Zero(t, testing.AllocsPerRun(100, func() { err = hd.UnmarshalJSON(text) }))
	require.NoError(t, err)
}

func FuzzHead(f *testing.F) {
	for _, hd := range someHeads() {
		text, err := json.Marshal(hd)
		require.NoError(f, err)
		f.Add(text, "Sales")
	}
	f.Fuzz(func(t *testing.T, text []byte, last string) {
		defer bounded.Start(t)()
		it := jsonscan.Members(text)
		for it.Next() {
			key, _ := jsonscan.String(it.Key())
			for _, name := range headMembers {
				if strings.EqualFold(key, name) && string(it.Key()) != `"`+name+`"` {
					t.Skip("encoding/json knows that member, but never writes it so")
				}
			}
		}
		checkHead(t, text, head{Name: last, Parent: last, Marker: last, Kind: Kind(last), Rules: last})
	})
}
