package environment_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// A renamer stands before an org whose ids all differ from those of a twin: it maps each UUID
// to another one in every answer, and back in every request. Media are on one host, as they
// are for orgs of one region.
type renamer struct{ org http.RoundTripper }

var anyUUID = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

func shiftIDs(text string, by byte) string {
	return anyUUID.ReplaceAllStringFunc(text, func(id string) string {
		return strings.Map(func(r rune) rune {
			if d, err := strconv.ParseUint(string(r), 16, 8); err == nil {
				return rune("0123456789abcdef"[(byte(d)+by)%16])
			}
			return r
		}, id)
	})
}

func (n renamer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	u, err := url.Parse(shiftIDs(r.URL.String(), 11))
	if err != nil {
		return nil, err
	}
	r.URL = u
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(shiftIDs(string(body), 11)))
	}
	resp, err := n.org.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	media := bytes.ReplaceAll(body, []byte("https://downloads.mypurecloud.ie/"), []byte("https://downloads.mypurecloud.com/"))
	resp.Body = io.NopCloser(strings.NewReader(shiftIDs(string(media), 5)))
	resp.ContentLength = -1
	return resp, err
}

// Two orgs that are alike but for every id compare as equal over the whole catalogue; after edits
// exactly the edited objects differ; and what one client cannot read is said to be unreadable.
func TestCompareOfTwoOrgs(t *testing.T) {
	org := genesystest.New(&genesystest.Options{Counts: few(2), RateLimit: -1})
	twin := genesystest.New(&genesystest.Options{Counts: few(2), RateLimit: -1, Domain: "mypurecloud.ie"})
	renamed := renamer{twin.Transport()}
	engine := open(t, org, memory.New(), func(o *environment.Options) {
		first := org.Transport()
		o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Host, "mypurecloud.ie") {
				return renamed.RoundTrip(r)
			}
			return first.RoundTrip(r)
		})
	})
	a := create(t, engine, recordOf(org))
	other := recordOf(twin)
	other.Name = "Twin"
	// The org knows the client by an id that the renamer maps as well.
	b := create(t, engine, other)
	for _, r := range []environment.Record{a, b} {
		result, err := engine.Import(t.Context(), r.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
	}
	sides := [2]environment.Side{{Environment: a.ID}, {Environment: b.ID}}
	compare := func(opts *history.CompareOptions) map[history.DifferenceKind][]string {
		found := map[history.DifferenceKind][]string{}
		for d, err := range engine.Compare(t.Context(), sides[0], sides[1], opts) {
			require.NoError(t, err)
			line := []string{d.Type, d.Key}
			for _, f := range d.Fields {
				line = append(line, f.String())
			}
			found[d.Kind] = append(found[d.Kind], strings.Join(line, " "))
		}
		return found
	}
	found := compare(nil)
	for kind, lines := range found {
		if kind != history.DifferenceAmbiguous && kind != history.DifferenceUnreadable {
			require.Empty(t, lines[:min(len(lines), 30)], "%d %s", len(lines), kind)
		}
	}
	t.Logf("%d ambiguous, %d unreadable", len(found[history.DifferenceAmbiguous]), len(found[history.DifferenceUnreadable]))

	before := time.Now()
	require.NoError(t, twin.Update("routing.queues", firstID(t, twin.Objects("routing.queues")), map[string]any{"description": "another one"}))
	_, err := engine.Poll(t.Context(), b.ID, "Queues")
	require.NoError(t, err)
	found = compare(&history.CompareOptions{Types: []string{"Queues"}})
	require.Len(t, found[history.DifferenceFields], 1)
	require.Contains(t, found[history.DifferenceFields][0], "another one")
	sides[1].At = before
	require.Empty(t, compare(&history.CompareOptions{Types: []string{"Queues"}})[history.DifferenceFields])

	for _, err := range engine.Compare(t.Context(), sides[0], sides[1], &history.CompareOptions{Types: []string{"Queus"}}) {
		require.ErrorContains(t, err, "did you mean")
	}

	twin.SetPermissions("routing:queue:view")
	_, err = engine.Poll(t.Context(), b.ID, "ACD skills")
	require.NoError(t, err)
	sides[1].At = time.Time{}
	found = compare(&history.CompareOptions{Types: []string{"ACD skills"}})
	require.Equal(t, []string{"routing.skills "}, found[history.DifferenceUnreadable])
	require.Len(t, found, 1)
}

// Every id of a known object that stands anywhere in the bodies of a local org is a reference, and nothing else is.
func TestReferencesOfALocalOrg(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1, Size: 10})
	engine := open(t, org, memory.New(), nil)
	record := create(t, engine, recordOf(org))
	_, err := engine.Import(t.Context(), record.ID, nil)
	require.NoError(t, err)
	h, err := engine.History(t.Context(), record.ID)
	require.NoError(t, err)
	parents := map[string]string{}
	for typ := range genesys.DefaultCatalogue().All() {
		parents[typ.Name] = typ.Parent
	}
	ids := map[string][]history.Ref{} // top-level objects by id
	var all []history.Head
	for sum, err := range h.Passes(t.Context()) {
		require.NoError(t, err)
		for head, err := range h.Heads(t.Context(), sum.Type) {
			require.NoError(t, err)
			all = append(all, head)
			if parents[sum.Type] == "" {
				ids[head.ID] = append(ids[head.ID], history.Ref{Type: sum.Type, ID: head.ID})
			}
		}
	}
	references := 0
	for i, head := range all {
		if i%80 != 0 { // a question reads the ids of all objects
			continue
		}
		body, err := h.Body(t.Context(), head.Type, head.ID)
		require.NoError(t, err)
		want := map[history.Ref]bool{}
		for _, id := range anyUUID.FindAllString(string(body), -1) {
			for _, ref := range ids[id] {
				want[ref] = ref.Type != head.Type || ref.ID != head.ID
			}
		}
		found, err := h.References(t.Context(), head.Type, head.ID, &history.ReferenceOptions{Everything: true})
		require.NoError(t, err)
		got := map[history.Ref]bool{}
		for _, r := range found {
			if r.To.Name = ""; parents[r.To.Type] == "" {
				got[r.To] = true
			}
			require.True(t, r.Live)
		}
		for ref, is := range want {
			require.Equal(t, is, got[ref], "%s %s refers to %s", head.Type, head.ID, ref)
		}
		for ref := range got {
			require.True(t, want[ref] || !anyUUID.MatchString(ref.ID), "%s %s refers to %s", head.Type, head.ID, ref)
		}
		references += len(got)
	}
	require.Greater(t, references, 30)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
