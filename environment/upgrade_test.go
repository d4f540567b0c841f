package environment_test

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// testdata/upgrade holds an org and what an older version had stored of it: store.jsonl.gz is every key
// and value of a store into which the code of 2026-11-23 (commit eb05a14) had imported all its default types,
// and answers.json.gz what the org answered then, and to the code of 2026-11-26. Neither is made anew: that an
// old store is read is the point of it. What a later catalogue asks is answered by what the same path answers.

// An answeredOrg answers what it once answered.
type answeredOrg map[string]string // by method and URI

func (o answeredOrg) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := 200, ""
	path, _, _ := strings.Cut(r.URL.RequestURI(), "?")
	switch {
	case path == "/oauth/token":
		body = `{"access_token":"t","token_type":"bearer","expires_in":86399}`
	case o[r.Method+" "+r.URL.RequestURI()] != "":
		body = o[r.Method+" "+r.URL.RequestURI()]
	default:
		status, body = 404, `{"message":"not found","code":"not.found","status":404}`
		newest := ""
		for key := range o {
			if base, _, _ := strings.Cut(key, "?"); base == r.Method+" "+path && key > newest {
				newest, status, body = key, 200, o[key]
			}
		}
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "Inin-Correlation-Id": {"c"},
		"Date": {time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC).Add(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))).Format(http.TimeFormat)},
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// edit changes objects in what is answered below a path.
func (o answeredOrg) edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	edited := false
	for key, answer := range o {
		_, uri, _ := strings.Cut(key, " ")
		if !strings.HasPrefix(uri, path) || !json.Valid([]byte(answer)) {
			continue
		}
		var v any
		require.NoError(t, json.Unmarshal([]byte(answer), &v))
		eachObject(v, change)
		after, err := json.Marshal(v)
		require.NoError(t, err)
		var before any
		require.NoError(t, json.Unmarshal([]byte(answer), &before))
		if was, _ := json.Marshal(before); !bytes.Equal(was, after) {
			o[key], edited = string(after), true
		}
	}
	require.True(t, edited, "nothing is there to edit below %s", path)
}

func eachObject(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachObject(e, f)
		}
	case map[string]any:
		f(v)
		for _, e := range v {
			eachObject(e, f)
		}
	}
}

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/upgrade/" + name)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	data, err := io.ReadAll(z)
	require.NoError(t, err)
	return data
}

func openUpgrade(t *testing.T) (answeredOrg, storage.Store) {
	t.Helper()
	var org answeredOrg
	require.NoError(t, json.Unmarshal(unzip(t, "answers.json.gz"), &org))
	store := memory.New()
	var b storage.Batch
	lines := bufio.NewScanner(bytes.NewReader(unzip(t, "store.jsonl.gz")))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var entry []json.RawMessage
		require.NoError(t, json.Unmarshal(lines.Bytes(), &entry))
		var key, value string
		var raw []byte
		require.NoError(t, json.Unmarshal(entry[0], &key))
		if len(entry) == 3 {
			require.NoError(t, json.Unmarshal(entry[2], &raw))
		} else {
			require.NoError(t, json.Unmarshal(entry[1], &value))
			raw = []byte(value)
		}
		b.Put(key, raw)
	}
	require.NoError(t, lines.Err())
	require.NoError(t, store.Commit(t.Context(), &b))
	return org, store
}

// rename gives an object another id wherever it is named.
func (o answeredOrg) rename(from, to string) {
	for key, answer := range o {
		delete(o, key)
		o[strings.ReplaceAll(key, from, to)] = strings.ReplaceAll(answer, from, to)
	}
}

// upgrade reads types of the org, all without any, into the old store, twice, and returns what that recorded, imports aside.
func upgrade(t *testing.T, org answeredOrg, store storage.Store, types ...string) []string {
	t.Helper()
	secret := environment.SecretFunc(func(context.Context, environment.Record) (environment.Secret, error) {
		return environment.NewSecret(genesystest.ClientSecret), nil
	})
	engine, err := environment.Open(store, &environment.Options{Vault: secret, Transport: org})
	require.NoError(t, err)
	h, err := engine.History(t.Context(), 1)
	require.NoError(t, err)
	cursor, err := h.Cursor(t.Context())
	require.NoError(t, err)
	for range 2 {
		passes, err := engine.Poll(t.Context(), 1, types...)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(passes), cmp.Or(len(types), 325))
		for _, p := range passes {
			require.True(t, p.Complete, "%s: %s %s", p.Type, p.Unavailable, p.Reason)
		}
	}
	return changes(t, engine, 1, history.Query{AfterSeq: cursor})
}

// A store that an older version wrote has no change by the upgrade: not by other identities, calls, expands,
// parts and rules of comparison, nor by lists that hold more.
func TestUpgradeInventsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, store := openUpgrade(t)
		require.Empty(t, upgrade(t, org, store))
	})
}

// What was edited between the last pass of the older version and the first one of the newer one is one change,
// of the object and the field that were edited.
func TestEditsDuringAnUpgrade(t *testing.T) {
	edits := []struct {
		typ, path    string
		field, value string // of the object to edit
		edit         string // its field
		published    string // the id that its newest version has from now on
		want         string
	}{
		{
			"quality.forms.evaluations", "/api/v2/quality/forms/evaluations", "contextId", "e99427e5-df39-47f8-8865-a7e47db270de", "name",
			"11111111-df39-47f8-8865-a7e47db270de", "Call quality edited /id /name",
		},
		{"quality.forms.surveys", "/api/v2/quality/forms/surveys", "contextId", "ccd061ea-0142-4b69-849d-34a355f4a002", "language", "", "NPS /language"},
		{
			"quality.publishedforms.evaluations", "/api/v2/quality/publishedforms/evaluations", "contextId", "88e3901c-a601-458d-8bdd-4ec03e1ab047", "name",
			"", "Call quality edited /name",
		},
		{
			"quality.publishedforms.surveys", "/api/v2/quality/publishedforms/surveys", "contextId", "e69a216b-59b5-4caa-83b6-73f963db5be7", "header",
			"", "NPS /header",
		},
		{"quality.forms.evaluations.versions", "/api/v2/quality/forms/evaluations", "id", "2feaa967-e561-42a4-9e6c-1433a0b88273", "name", "", "Version 1 edited /name"},
		{"integrations.actions.certificates", "/api/v2/integrations/actions/certificates", "status", "Current", "certificate", "", "Client Current /certificate"},
		{"telephony.organization.link", "/api/v2/telephony/organization/link", "status", "Active", "targetName", "", "Disaster recovery edited /targetName"},
		{"integrations.actions", "/api/v2/integrations/actions", "id", "9770d0fc-6802-4b8c-91b2-1a54bbb1f688", "category", "", "Get account /category"},
		{"routing.queues", "/api/v2/routing/queues", "name", "Sales", "description", "", "Sales /description"},
		{"journey.views", "/api/v2/journey/views", "name", "Journey view 1", "description", "", "Journey view 1 /description"},
		{"telephony.lines", "/api/v2/telephony/providers/edges/lines", "id", "fc784db3-de02-4e0c-aa9f-af72802bb163", "name", "", "Ada Adams line edited /name"},
		{"telephony.extensionpools", "/api/v2/telephony/providers/edges/extensionpools", "id", "338234a6-eb7f-443d-9b4b-d4a2ed470e9c", "description", "", "4100-4199 /description"},
	}
	synctest.Test(t, func(t *testing.T) {
		org, store := openUpgrade(t)
		var types, want []string
		for _, e := range edits {
			var id string
			org.edit(t, e.path, func(o map[string]any) {
				if text, ok := o[e.edit].(string); ok && o[e.field] == e.value {
					id, _ = o["id"].(string)
					o[e.edit] = text + " edited"
					for _, witness := range []string{"modifiedDate", "dateModified"} {
						if o[witness] != nil {
							o[witness] = "2026-11-26T23:00:00.000Z"
						}
					}
					if n, ok := o["version"].(float64); ok {
						o["version"] = n + 1
					}
				}
			})
			if e.published != "" {
				org.rename(id, e.published)
			}
			types, want = append(types, e.typ), append(want, "updated "+e.typ+" "+e.want)
		}
		require.ElementsMatch(t, want, upgrade(t, org, store, types...))
	})
}
