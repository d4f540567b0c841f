package genesys

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/official"
)

// notOfficialPermissions are rows and parts that need something else than the API's description says.
var notOfficialPermissions = map[string]string{
	"users: directory:user:view, not ":                                         directoryView,
	"users.routinglanguages: directory:user:view, not ":                        directoryView,
	"users.routingskills: directory:user:view, not ":                           directoryView,
	"routing.settings: routing:transcriptionSettings:view, not ":               providersDocs,
	"routing.settings.contactcenter: routing:transcriptionSettings:view, not ": providersDocs,
	"telephony.sites: telephony:sites:view, not ":                              "the GET of a site names it",
}

const (
	directoryView = "the description of POST /users/query, which lists the same, names it"
	providersDocs = "Genesys's Terraform provider documents it"
)

func all[T any](values []T, is func(T) bool) bool {
	return !slices.ContainsFunc(values, func(v T) bool { return !is(v) })
}

// What a row and its parts need is what the API's description says of their calls: of the list, or of the GET where
// that reads the object. A row of which the description says nothing says so.
func TestPermissionsOfRows(t *testing.T) {
	used := map[string]bool{}
	var wrong []string
	check := func(name, method, path string, own []string, unknown bool) {
		o, ok := operation(method, path)
		if !ok {
			return // see notOfficial
		}
		demanded, known := official.Permissions()[method+" "+o.Path]
		same := slices.Equal(slices.Sorted(slices.Values(own)), slices.Compact(slices.Sorted(slices.Values(demanded))))
		if same && known != unknown {
			return
		}
		what := fmt.Sprintf("%s: %s, not %s", name, strings.Join(own, " or "), strings.Join(demanded, " or "))
		if !known {
			what = fmt.Sprintf("%s: %s, where nothing is known", name, strings.Join(own, " or "))
		}
		if _, excused := notOfficialPermissions[what]; excused {
			used[what] = true
			return
		}
		wrong = append(wrong, what)
	}
	for typ := range DefaultCatalogue().All() {
		check(typ.Name, typ.method(), typ.Path, typ.Permissions, typ.PermissionUnknown)
		for _, part := range typ.Parts {
			own := part.Permissions
			if own == nil {
				own = typ.Permissions
			}
			check(typ.Name+" "+part.Member, "GET", part.Path, own, false)
		}
		if o, ok := operation("GET", typ.Get); ok && !typ.PermissionUnknown {
			get := official.Permissions()["GET "+o.Path]
			isListed := func(p string) bool { return slices.Contains(get, p) }
			if len(typ.GetPermissions) > 0 || len(get) > 0 && (len(typ.Permissions) == 0 || !all(typ.Permissions, isListed)) {
				check(typ.Name+" GET", "GET", typ.Get, typ.GetPermissions, false)
			}
		}
	}
	slices.Sort(wrong)
	require.Empty(t, strings.Join(wrong, "\n"))
	for _, what := range slices.Sorted(maps.Keys(notOfficialPermissions)) {
		require.True(t, used[what], "%q is an exception from nothing", what)
	}
}
