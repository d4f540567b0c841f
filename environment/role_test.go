package environment_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage/memory"
)

// The role of an environment reads all that it selects, and none of its permissions
// can be left out: the types that it alone unlocks, and those listed under them,
// become unavailable, and no others. Validate says so before.
func TestRole(t *testing.T) {
	ctx := t.Context()
	org := genesystest.New(&genesystest.Options{Counts: few(1), LogSize: 1, RateLimit: -1})
	engine := open(t, org, memory.New(), nil)
	record := recordOf(org)
	if *full {
		for t := range genesys.DefaultCatalogue().All() {
			record.Types = append(record.Types, t.Name)
		}
	}
	r := create(t, engine, record)
	role, err := engine.Role(ctx, r.ID)
	require.NoError(t, err)
	var permissions []string
	for _, p := range role.Policies {
		for _, action := range p.ActionSet {
			permissions = append(permissions, fmt.Sprint(p.Domain, ":", p.EntityName, ":", action))
		}
	}
	require.Greater(t, len(permissions), 100)
	unavailable := func() []string {
		result, err := engine.Import(ctx, r.ID, nil)
		require.NoError(t, err)
		require.Empty(t, result.Failed)
		var names []string
		for _, pass := range result.Types {
			if pass.Unavailable != "" {
				names = append(names, pass.Type)
			}
		}
		slices.Sort(names)
		return names
	}
	org.SetPermissions(permissions...)
	require.Empty(t, unavailable())
	validation, err := engine.Validate(ctx, r.ID)
	require.NoError(t, err)
	require.Empty(t, validation.Missing)
	require.Empty(t, validation.Excess)

	types := engine.Selected(r)
	for i, p := range permissions {
		partial := slices.ContainsFunc(types, func(t genesys.ObjectType) bool { // what else is lost
			return slices.Contains(t.GetPermissions, p) || slices.ContainsFunc(t.Parts, func(part genesys.Part) bool { return slices.Contains(part.Permissions, p) })
		})
		if i%150 != 3 && p != "integrations:actionFunction:view" && p != "gamification:contest:view" && !*full {
			continue
		}
		rest := slices.Delete(slices.Clone(permissions), i, i+1)
		org.SetPermissions(rest...)
		lacks := func(any []string) bool {
			return slices.Contains(any, p) && !slices.ContainsFunc(any, func(other string) bool { return slices.Contains(rest, other) })
		}
		lost := map[string]bool{}
		for _, t := range types { // parents first
			if lacks(t.Permissions) || !t.Whole && lacks(t.GetPermissions) || lost[t.Parent] {
				lost[t.Name] = true
			}
		}
		require.True(t, partial || len(lost) > 0, "%s can be left out", p)
		got := unavailable()
		require.Len(t, got, len(lost), "without %s", p)
		for _, name := range got {
			require.True(t, lost[name], "without %s: %s", p, name)
		}
		validation, err := engine.Validate(ctx, r.ID)
		require.NoError(t, err)
		require.Len(t, validation.Missing, 1, p)
		require.Equal(t, p, validation.Missing[0].Permission)
		require.Empty(t, validation.Excess)
	}

	org.SetPermissions(append(permissions, "routing:queue:delete", "analytics:somethingElse:view")...)
	validation, err = engine.Validate(ctx, r.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"routing:queue:delete", "analytics:somethingElse:view"}, validation.Excess)
	require.Contains(t, validation.String(), "may write what it only has to read, with 1 permissions: routing:queue:delete")
}
