package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
)

// A question that can have no answer is refused, and does not pass for one to which nothing is the answer.
func TestQuestionsThatCanHaveNoAnswer(t *testing.T) {
	h := newHistory(t)
	pass(t, h, diff.Rules{}, obj("a", `"n":0`))
	pass(t, h, diff.Rules{}, obj("a", `"n":1`))
	ctx, now := t.Context(), time.Now()
	undo := func(seq uint64) error { _, err := h.Undo(ctx, seq); return err }
	changes := func(q Query) error { _, err := counted(h.Changes(ctx, q)); return err }
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a kind that is none":           {changes(Query{Kinds: []Kind{"update"}}), `"update" is no kind of change; they are ["imported" "created" "updated"`},
		"a kind in capitals":            {changes(Query{Kinds: []Kind{KindUpdated, "Deleted"}}), `"Deleted" is no kind of change`},
		"a kind between two times":      {func() error { _, err := counted(h.Between(ctx, now, now, Query{Kinds: []Kind{"x"}})); return err }(), `"x" is no kind of change`},
		"a time that ends at its start": {changes(Query{Since: now, Until: now.Add(-time.Hour)}), "the second time is before the first"},
		"behind a change to come":       {changes(Query{AfterSeq: 3}), "no change has the number 3: the last is 2: not found"},
		"a change to come":              {undo(3), "history: change 3: no change has the number 3: the last is 2: not found"},
		"change 0":                      {undo(0), "no change has the number 0: the last is 2: not found"},
		"an object that nobody saw":     {changes(Query{Types: []string{"queues"}, ID: "b"}), `history: queues "b": not found`},
		"such an object between times": {func() error {
			_, err := counted(h.Between(ctx, now, now, Query{Types: []string{"queues"}, ID: "b"}))
			return err
		}(), `queues "b": not found`},
		"versions of such an object": {func() error { _, err := counted(h.Versions(ctx, "queues", "b")); return err }(), `queues "b": not found`},
		"no removals":                {h.AcceptRemovals(ctx, "queues"), "which removals of queues are accepted?"},
		"removals of what is there":  {h.AcceptRemovals(ctx, "queues", "a"), `queues "a" is not withheld: not found`},
		"replay of what is to come":  {func() error { _, err := counted(h.Replay(ctx, 99)); return err }(), "no change has the number 99"},
	} {
		require.ErrorContains(t, tt.err, tt.want, name)
	}
	for _, kind := range Kinds() {
		require.NoError(t, changes(Query{Kinds: []Kind{kind}}))
	}
	require.NoError(t, changes(Query{AfterSeq: 2}), "nothing has come behind the last one yet")
	require.NoError(t, changes(Query{Since: now, Until: now}))
	require.NoError(t, changes(Query{Types: []string{"queues"}, ID: "b", AfterSeq: 2}), "it may come")
	require.NoError(t, changes(Query{By: "nobody"}))
}
