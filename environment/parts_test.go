package environment_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

// What an object is made of beside its place in a list is one change of it with its field: texts and JSON that have
// calls of their own, what a list holds only if it is asked to, objects of other divisions.
func TestEditsOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{Size: 5, HomeDivisionOnly: true, RateLimit: -1})
		engine := open(t, org, memory.New(), nil)
		text := func(member, value string) func(typ, id string) error {
			return func(typ, id string) error { return org.SetPart(typ, id, member, value) }
		}
		code := func(typ, id string) error {
			return org.SetPart(typ, id, "function", map[string]any{"function": map[string]any{"handler": "index.other"}})
		}
		patch := func(p any) func(typ, id string) error {
			return func(typ, id string) error { return org.Update(typ, id, p) }
		}
		edits := []struct {
			typ   string
			field string // of the one change
			edit  func(typ, id string) error
		}{
			{"integrations.actions", "/requestTemplate", text("requestTemplate", "#set($a = 1)")},
			{"integrations.actions", "/successTemplate", text("successTemplate", `{"b": ${c}}`)},
			{"integrations.actions", "/function", code},
			{"integrations.actions.drafts", "/requestTemplate", text("requestTemplate", "#set($a = 2)")},
			{"integrations.actions.drafts", "/successTemplate", text("successTemplate", "")},
			{"integrations.actions.drafts", "/function", code},
			{"routing.sms.phonenumbers", "/compliance", patch(map[string]any{"compliance": map[string]any{"note": "edited"}})},
			{"telephony.extensionpools", "/description", patch(map[string]any{"description": "edited"})},
			{"telephony.extensions", "/extensionType", patch(map[string]any{"extensionType": "edited"})},
			{"journey.views", "/charts", patch(map[string]any{"charts": []any{map[string]any{"id": "edited"}}})},
			{"gamification.metrics", "/objective", patch(map[string]any{"objective": map[string]any{"note": "edited"}})},
			{"telephony.lines", "/properties", patch(map[string]any{"properties": map[string]any{"note": "edited"}})},
			{"routing.email.domains", "/settings", patch(map[string]any{"settings": map[string]any{"note": "edited"}})},
			{"routing.email.outbound.domains", "/settings", patch(map[string]any{"settings": map[string]any{"note": "edited"}})},
			{"flows.loglevels", "/logLevelCharacteristics", patch(map[string]any{"logLevelCharacteristics": map[string]any{"note": "edited"}})},
			{"wfm.businessunits.servicegoaltemplates", "/impactOverride", patch(map[string]any{"impactOverride": map[string]any{"note": "edited"}})},
			{"architect.ivrs", "/identityResolution", patch(map[string]any{"identityResolution": map[string]any{"note": "edited"}})},
			{"contentmanagement.workspaces", "/acl", patch(map[string]any{"acl": []any{"edited"}})},
			{"quality.forms.evaluations", "/publishedVersions", patch(map[string]any{"publishedVersions": map[string]any{"note": "edited"}})},
		}
		var types []string
		for _, e := range edits {
			types = append(types, e.typ)
		}
		slices.Sort(types)
		env := create(t, engine, recordOf(org, slices.Compact(types)...))
		_, err := engine.Import(t.Context(), env.ID, nil)
		require.NoError(t, err)
		h, err := engine.History(t.Context(), env.ID)
		require.NoError(t, err)
		for _, e := range edits {
			id, home := "", ""
			for oid, body := range org.Objects(e.typ) { // of two divisions, the one that is not the first one's
				var o struct{ Division struct{ ID string } }
				require.NoError(t, json.Unmarshal(body, &o))
				if id == "" || home != "" && o.Division.ID != home && e.typ[:4] == "tele" {
					id = oid
				}
				if home == "" {
					home = o.Division.ID
				}
			}
			require.NotEmpty(t, id, e.typ)
			cursor, err := h.Cursor(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Hour)
			require.NoError(t, e.edit(e.typ, id), "%s %s", e.typ, e.field)
			for range 2 {
				_, err = engine.Poll(t.Context(), env.ID, e.typ)
				require.NoError(t, err)
			}
			var got []history.Change
			for c, err := range h.Changes(t.Context(), history.Query{AfterSeq: cursor}) {
				require.NoError(t, err)
				got = append(got, c)
			}
			require.Len(t, got, 1, "%s %s", e.typ, e.field)
			require.Equal(t, id, got[0].ID)
			require.NotEmpty(t, got[0].Fields)
			for _, field := range got[0].Fields {
				require.True(t, strings.HasPrefix(field.Path, e.field), "%s: %v", e.typ, got[0].Fields)
			}
		}
	})
}
