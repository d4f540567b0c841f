package history

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/memory"
)

// some reads some objects between two passes, and returns whether a pass is needed, and what was asked for.
func (s *fakeSource) some(t *testing.T, h *History, ids ...string) (needsPass bool, asked []string) {
	t.Helper()
	time.Sleep(time.Minute)
	s.asked = nil
	p, err := h.Begin(t.Context(), "queues", diff.Rules{})
	require.NoError(t, err)
	_, needsPass, err = p.ReadObjects(t.Context(), s, ReadOptions{Coverage: s.coverage}, ids...)
	require.NoError(t, err)
	return needsPass, s.asked
}

// What is read alone between two passes is recorded as a pass would record it: both tell of the same versions, whatever
// was read between them.
func TestObjectsReadAlone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			marked := seed%2 == 1
			with, without := open(t, memory.New(), nil), open(t, memory.New(), nil)
			values := map[int]int{}
			for i := range 5 + r.IntN(20) {
				values[i] = 0
			}
			s := &fakeSource{lists: map[string][]Item{}, ends: map[string]error{}}
			list := func() {
				s.lists[""] = nil
				for i := range 40 {
					if n, ok := values[i]; ok {
						marker := map[bool]string{true: fmt.Sprint("v", n)}[marked]
						one := item(fmt.Sprint("q", i), "", marker, fmt.Sprintf(`"n":%d`, n))
						s.lists[""] = append(s.lists[""], one)
					}
				}
			}
			list()
			s.apart = time.Second
			for range 12 {
				var ids []string
				for range r.IntN(4) {
					i := r.IntN(30)
					switch _, ok := values[i]; {
					case !ok:
						values[i] = 1
					case r.IntN(5) == 0:
						delete(values, i)
					default:
						values[i]++
					}
					ids = append(ids, fmt.Sprint("q", i))
				}
				list()
				before := len(changesOf(t, with, KindDeleted))
				needsPass, asked := s.some(t, with, ids...)
				require.GreaterOrEqual(t, 2*len(ids), len(asked))
				gone := false
				for _, id := range ids {
					var i int
					_, err := fmt.Sscanf(id, "q%d", &i)
					require.NoError(t, err)
					_, is := values[i]
					hd, found, err := with.head(t.Context(), "queues", id)
					require.NoError(t, err)
					gone = gone || !is && found && hd.live()
				}
				require.Len(t, changesOf(t, with, KindDeleted), before, "nothing is gone without a pass")
				require.False(t, gone && !needsPass)
				s.mustRead(t, with, "queues", ReadOptions{})
				s.mustRead(t, without, "queues", ReadOptions{})
			}
			require.Equal(t, told(t, without), told(t, with))
		})
	}
}

// told returns what the log tells, but for when.
func told(t *testing.T, h *History) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for c, err := range h.Changes(t.Context(), Query{}) {
		require.NoError(t, err)
		all[c.ID] = append(all[c.ID], fmt.Sprint(c.Kind, c.Fields))
	}
	return all
}

func changesOf(t *testing.T, h *History, kind Kind) (all []Change) {
	t.Helper()
	for c, err := range h.Changes(t.Context(), Query{Kinds: []Kind{kind}}) {
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// What one object alone cannot tell is left to a pass.
func TestWhatOneObjectCannotTell(t *testing.T) {
	t.Parallel()
	release := func(s *fakeSource) {
		for i := range s.lists[""] {
			s.lists[""][i] = item(s.lists[""][i].ID, "", "", `"n":1,"new":null`)
		}
	}
	for name, c := range map[string]struct {
		happens func(*fakeSource)
		ids     []string
		needs   bool
	}{
		"nothing happened":          {func(*fakeSource) {}, []string{"q00001"}, false},
		"an object of another kind": {func(*fakeSource) {}, []string{"other"}, false},
		"an object is gone":         {func(s *fakeSource) { s.lists[""] = s.lists[""][1:] }, []string{"q00000"}, true},
		"a release of the platform": {release, []string{"q00001"}, true},
		"a list that fails":         {func(s *fakeSource) { s.ends["new"] = &UnclearError{Err: errors.New("busy")} }, []string{"new"}, true},
		"a source without the call": {func(s *fakeSource) { s.noGet = true }, []string{"q00001"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, memory.New(), nil)
				s := queues(t, h, 15)
				before, _, err := h.LastPass(t.Context(), "queues")
				require.NoError(t, err)
				c.happens(s)
				needs, _ := s.some(t, h, c.ids...)
				require.Equal(t, c.needs, needs)
				require.Empty(t, changesOf(t, h, KindUpdated))
				require.Empty(t, changesOf(t, h, KindDeleted))
				after, _, err := h.LastPass(t.Context(), "queues")
				require.NoError(t, err)
				require.Equal(t, before, after, "it is no pass")
			})
		})
	}
}
