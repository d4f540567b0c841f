package genesystest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/internal/official"
)

// download fetches an address as the answer gave it, with or without the token.
func (c *caller) download(address string, token bool) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(c.t, err)
	if token {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.send(req)
}

// TestFilesAreSigned: the recording of a prompt has another address in every
// answer, which the org serves for an hour, to strangers only.
func TestFilesAreSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		c := newCaller(t, org)
		path := "/api/v2/architect/prompts/" + firstID(org, "architect.prompts") + "/resources"
		address := func() string {
			var page struct {
				Entities []struct {
					MediaURI string `json:"mediaUri"`
				} `json:"entities"`
			}
			require.NoError(t, json.Unmarshal(c.get(path).body, &page))
			return page.Entities[0].MediaURI
		}
		first, second := address(), address()
		require.NotEqual(t, first, second)
		require.Equal(t, strings.Split(first, "?")[0], strings.Split(second, "?")[0])
		file := c.download(first, false)
		require.Equal(t, 200, file.status)
		require.Equal(t, "RIFF", string(file.body[:4]))
		require.Equal(t, file.body, c.download(second, false).body)
		require.Equal(t, 400, c.download(first, true).status, "a token was shown to a stranger")
		require.Equal(t, 403, c.download(strings.Replace(first, "nonce=", "nonce=1", 1), false).status)
		require.Equal(t, 403, c.download(strings.Split(first, "?")[0], false).status)
		time.Sleep(time.Hour)
		require.Equal(t, 403, c.download(first, false).status)
		require.Equal(t, 200, c.download(address(), false).status)
	})
}

// TestFilesOverASocket: over a socket nothing leads off the machine.
func TestFilesOverASocket(t *testing.T) {
	org := genesystest.New(nil)
	server, err := org.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	c := newCaller(t, org)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v2/architect/prompts?includeResources=true", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NotContains(t, string(body), "mypurecloud.com")
	at := strings.Index(string(body), "http://localhost")
	require.Positive(t, at)
	address, _, _ := strings.Cut(string(body[at:]), `"`)
	_, err = url.Parse(address)
	require.NoError(t, err)
	file, err := http.Get(address) //nolint:gosec,noctx // the address is the test's own
	require.NoError(t, err)
	defer file.Body.Close()
	require.Equal(t, http.StatusOK, file.StatusCode)
}

// TestShuffledSets: the elements of sets come in another order in each answer,
// those of other arrays stay.
func TestShuffledSets(t *testing.T) {
	org := genesystest.New(&genesystest.Options{ShuffleSets: true})
	c := newCaller(t, org)
	typ, ok := typeOf(org, "architect.schedulegroups")
	require.True(t, ok)
	require.Contains(t, typ.Sets, "openSchedules")
	id := firstID(org, typ.Name)
	refs := make([]any, 9)
	for i := range refs {
		refs[i] = map[string]any{"id": string(rune('a' + i))}
	}
	require.NoError(t, org.Update(typ.Name, id, map[string]any{"openSchedules": refs, "other": refs}))
	orders := map[string]bool{}
	for range 5 {
		body := c.get("/api/v2/architect/schedulegroups/" + id).json()
		open := body["openSchedules"].([]any)
		orders[string(mustMarshal(t, open))] = true
		require.ElementsMatch(t, refs, open)
		require.Equal(t, refs, body["other"])
	}
	require.Greater(t, len(orders), 1)
}

// TestHomeDivisionOnly: a list that names no division is shorter than it looks.
func TestHomeDivisionOnly(t *testing.T) {
	org := genesystest.New(&genesystest.Options{HomeDivisionOnly: true, Counts: map[string]int{"telephony.extensionpools": 30}})
	c := newCaller(t, org)
	home := firstID(org, "authorization.divisions")
	const path = "/api/v2/telephony/providers/edges/extensionpools?pageSize=100"
	asked := 0
	for id := range org.Objects("authorization.divisions") {
		n := len(c.get(path + "&divisionId=" + id).json()["entities"].([]any))
		if id == home {
			require.Len(t, c.get(path).json()["entities"], n)
			require.Less(t, n, 30)
		}
		asked += n
	}
	require.Equal(t, 30, asked)
}

// TestPermissionsAreOfficial: every list demands what the API's description
// names, whatever the catalogue says. Rows that say something else are printed.
func TestPermissionsAreOfficial(t *testing.T) {
	org := genesystest.New(&genesystest.Options{RateLimit: -1})
	c := newCaller(t, org)
	asked := 0
	for _, typ := range org.Types() {
		path, _, _ := strings.Cut(typ.Path, "?")
		demanded, known := official.Permissions()[typ.Method+" "+path]
		if !known || strings.Contains(path, "{") {
			continue
		}
		if own := slices.Sorted(slices.Values(typ.Permissions)); !slices.Equal(own, slices.Sorted(slices.Values(demanded))) {
			t.Logf("%s: the catalogue says %v, the API %v", typ.Name, own, demanded)
		}
		status := func(permissions ...string) int {
			org.SetPermissions(permissions...)
			if typ.Method == http.MethodPost {
				return c.do(http.MethodPost, path, map[string]any{}).status
			}
			return c.get(typ.Path).status
		}
		if len(demanded) > 0 {
			require.Equal(t, 403, status("nothing:at:all"), typ.Name)
			asked++
		}
		for _, permission := range append(demanded, "nothing:at:all")[:max(1, len(demanded))] {
			require.NotEqual(t, 403, status(permission), "%s with %s", typ.Name, permission)
		}
	}
	require.Greater(t, asked, 150)
}
