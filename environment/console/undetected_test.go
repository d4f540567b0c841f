package console_test

import (
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history"
)

// audit takes in records of the org's audits, which are read until some days from now: each time
// a day more, so that what was waited for is over.
func (w *world) audit(t *testing.T, records ...history.Evidence) {
	t.Helper()
	h, err := history.Open(t.Context(), w.store, w.env.ID, nil)
	require.NoError(t, err)
	w.audited++
	read := history.Span{Since: time.Now().AddDate(-1, 0, 0), Until: time.Now().AddDate(0, 0, 3+w.audited)}
	require.NoError(t, h.Attribute(t.Context(), history.AuditsRead{Records: records, Read: map[string]history.Span{"": read}}, nil))
}

// acts are n records of writes that left no trace, the newest ten minutes before now and each a
// minute before the next. Those of even numbers are of a queue, the others of one that nobody saw.
func acts(now time.Time, n int, queue string, texts map[string]string) []history.Evidence {
	names := append(slices.Sorted(maps.Values(texts)), "Sales")
	var all []history.Evidence
	for i := range n {
		id, text := queue, names[i%len(names)]
		if i%2 == 1 {
			id = uuid(i)
		}
		all = append(all, history.Evidence{
			ID: fmt.Sprint("act ", i), At: now.Add(-10*time.Minute - time.Duration(i)*time.Minute), Targets: []history.Target{{Type: "routing.queues", ID: id}},
			Entity: "Queue " + text, Object: id, Name: fmt.Sprint("Act ", i, " ", text), Action: "Update" + text,
			Actor: history.Actor{ID: "x", Name: "Ada " + text}, Properties: slices.Repeat([]string{text}, 12),
		})
	}
	return all
}

// Writes that no pass saw are listed once each, the newest first, over as many pages as it takes,
// with a link to the object if something is on record of it.
func TestUndetected(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.poll(t)
	require.NotContains(t, get(t, w.handler, "/e/1/", nil).Body.String(), "/undetected")
	require.Contains(t, get(t, w.handler, "/e/1/undetected", nil).Body.String(), "audits are not read")
	w.audit(t)
	require.Contains(t, get(t, w.handler, "/e/1/", nil).Body.String(), "0 edits")
	require.Contains(t, get(t, w.handler, "/e/1/undetected", nil).Body.String(), "None.")

	const n = 450
	queue, now := w.queue(), time.Now()
	records := acts(now, n, queue, nil)
	old := acts(now.AddDate(0, 0, -65), 1, queue, nil)[0] // behind a page of which all is empty
	old.ID, old.Name = "old", "Act old"
	w.audit(t, append(records, old)...)
	require.Contains(t, get(t, w.handler, "/e/1/", nil).Body.String(), `<a href="/e/1/undetected">451 edits`)
	var found []string
	pages := 0
	for address := "/e/1/undetected"; address != ""; pages++ {
		require.Less(t, pages, 20)
		answer := get(t, w.handler, address, nil)
		require.Equal(t, 200, answer.Code, answer.Body)
		page := answer.Body.String()
		for _, m := range regexp.MustCompile(`(<a class="object" href="([^"]*)">|<span class="object">)<bdi>Act (\w+)`).FindAllStringSubmatch(page, -1) {
			found = append(found, m[3])
			odd := strings.HasPrefix(m[1], "<span")
			require.Equal(t, odd, m[3] != "old" && strings.ContainsAny(m[3][len(m[3])-1:], "13579"), m[0])
			if m[3] == "0" {
				require.Equal(t, 200, get(t, w.handler, html.UnescapeString(m[2]), nil).Code)
			}
		}
		address = ""
		if m := regexp.MustCompile(`<a href="([^"]*)" rel="next">`).FindStringSubmatch(page); m != nil {
			address = "/e/1/undetected" + html.UnescapeString(m[1])
		}
	}
	var want []string
	for i := range n {
		want = append(want, strconv.Itoa(i))
	}
	require.Equal(t, append(want, "old"), found)
}

// More writes in one instant than a page holds do not keep anybody on a page.
func TestUndetectedInOneInstant(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.poll(t)
	records := acts(time.Now(), 250, w.queue(), nil)
	for i := range records[1:] {
		records[i].At = records[0].At
	}
	w.audit(t, records...)
	address := "/e/1/undetected"
	for range 3 {
		m := regexp.MustCompile(`<a href="([^"]*)" rel="next">`).FindStringSubmatch(get(t, w.handler, address, nil).Body.String())
		if m == nil {
			return
		}
		address = "/e/1/undetected" + html.UnescapeString(m[1])
	}
	t.Fatal("it goes on and on")
}
