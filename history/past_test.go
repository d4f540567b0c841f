package history

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A search for a text at any time finds what decoding every body of AsOf finds, whatever the text is: what tells
// bodies apart before they are made never hides one.
func TestSearchEqualsBruteForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, h := newEstate(3), openEstate(t, 1)
		texts := map[string]bool{"1000": true, "0.5": true, "é": true, `"target"`: true, "a\n": true, "x~y": true, "true": true, "none of it": true}
		values := []any{json.Number("1e3"), json.Number("1000.0"), json.Number("50e-2"), "x~y/z", "caf\u00e9", true, `say "1000"`, nil}
		var times []time.Time
		for round := range 4 {
			for i, id := range e.ids("flows") {
				e.objects["flows"][id]["odd"] = values[(i+round)%len(values)]
				if i%4 == round%4 {
					e.objects["flows"][id]["odd"] = map[string]any{"x~y": values[(i+round)%len(values)], "list": []any{id, round}}
				}
			}
			e.record(t, h)
			times = append(times, tick())
			tick()
			for range 6 {
				texts[e.edit().ID] = true
			}
			delete(e.objects["flows"], e.any("flows"))
		}
		found := 0
		for _, at := range times {
			bodies := collect(t, h.AsOf(t.Context(), "", at))
			for text := range texts {
				var want, got, byPattern []string
				for _, v := range bodies {
					if holds(t, v.Body, text) {
						want = append(want, v.Type+" "+v.ID)
					}
				}
				for _, hit := range collect(t, h.Search(t.Context(), Search{Text: text, At: at})) {
					got = append(got, hit.Type+" "+hit.ID)
				}
				pattern := regexp.MustCompile(regexp.QuoteMeta(text))
				for _, hit := range collect(t, h.Search(t.Context(), Search{Pattern: pattern, At: at})) {
					byPattern = append(byPattern, hit.Type+" "+hit.ID)
				}
				require.Equal(t, want, got, "%q at %s", text, at)
				require.Equal(t, want, byPattern, "%q at %s", text, at)
				found += len(got)
			}
		}
		require.Greater(t, found, 100)
	})
}

// holds reports whether a value in a body holds a text: strings as they read, the others as they are written.
func holds(t *testing.T, body json.RawMessage, text string) bool {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	var in func(v any) bool
	in = func(v any) bool {
		switch v := v.(type) {
		case nil:
			return false
		case []any:
			return slices.ContainsFunc(v, in)
		case map[string]any:
			for _, member := range v {
				if in(member) {
					return true
				}
			}
			return false
		}
		return strings.Contains(fmt.Sprint(v), text)
	}
	return in(v)
}

// One object may have more behind a time than is held at once. It is read whole, and the others in another turn.
func TestAsOfOfOneLongLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		began := time.Now()
		for n := range 200 {
			pass(t, h, estateRules, obj("a", `"n":%d`, n), obj("b", `"n":%d`, n/100))
			tick()
		}
		r := h.keys.below("head", "queues")
		held, err := h.behind(t.Context(), "queues", began.Add(time.Second), &r, 1<<10)
		require.NoError(t, err)
		require.Equal(t, h.keys.head("queues", "b"), r.End)
		require.Len(t, held.entries, 198)
	})
}
