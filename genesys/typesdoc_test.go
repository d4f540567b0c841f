package genesys

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const typesDoc = "../docs/object-types.md"

const typesDocHead = `# Object types

Every type that cxsync knows, as its catalogue says; go test ./genesys -run TestTypesDoc -update writes this page. A record
names types by label or name. Those that are "on" are read unless the record selects others; each other row says why it is not.

- *Requests* are those of a pass in which nothing changed: so many objects come with each page, so that an empty list takes one, too.
  "read when it moves" is one request more for each object whose version or modification date is another one than at the last pass;
  "read" is one for each object at every pass; "parts" are what has calls of its own and belongs to the object.
- *Permission*: any one of those with "or" suffices, one of each with "and" is needed. "?" means that it is not known whether one
  is needed. Engine.Role returns the role that reads what a record selects.
- *Audited*: whether the org's audits tell who made a change: "yes", "with PARENT" where they name the object that it belongs to, or "no".
- *Not compared*, in no type: who made or changed an object and when, its own address, what another object is called whose id stands
  beside the name (it is the one that is renamed), and members that are secrets by name, which are not even stored. What else is not compared is in the last column, in the form of a rule to ignore: state of the service (values
  in parentheses count as one), counters, URLs that each answer signs anew (without their query where it says so), and secrets. Where there are many
  paths, only the members that they end with are listed: genesys.ObjectType.Uncompared has all.

Not here, although the API has calls for them: phrases and topics that intent miners ignore (there is a call for each language,
and none that says which languages have any), and license toggles (deprecated, with a call for each feature, and none that names the features).
`

// The page for users says of each type what the catalogue and the table of fields do.
func TestTypesDoc(t *testing.T) {
	catalogue := DefaultCatalogue()
	groups := map[string][]ObjectType{}
	on := 0
	for typ := range catalogue.All() {
		groups[typ.Group] = append(groups[typ.Group], typ)
		if typ.Default {
			on++
		}
	}
	var b strings.Builder
	b.WriteString(typesDocHead)
	fmt.Fprintf(&b, "\n%d of the %d types are on.\n", on, catalogue.Len())
	for _, group := range sortedKeys(groups) {
		fmt.Fprintf(&b, "\n## %s\n\n| type | on | requests | permission | audited | not compared |\n|---|---|---|---|---|---|\n", group)
		types := groups[group]
		slices.SortFunc(types, func(a, b ObjectType) int { return cmp.Compare(a.Label, b.Label) })
		for _, typ := range types {
			cells := []string{
				typ.Label + "<br>`" + typ.Name + "`", docDefault(typ), docRequests(catalogue, typ), docPermission(typ),
				docAudited(catalogue, typ), docUncompared(typ),
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	if *updateTables {
		require.NoError(t, os.WriteFile(typesDoc, []byte(b.String()), 0o644))
	}
	page, err := os.ReadFile(typesDoc)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(page), "docs/object-types.md is not what the catalogue says; run the test with -update")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func docDefault(t ObjectType) string {
	if t.Default {
		return "on"
	}
	return "off: " + t.Reason
}

func docRequests(c *Catalogue, t ObjectType) string {
	var words []string
	switch {
	case t.PageSize > 0:
		words = append(words, fmt.Sprintf("1 for %d", t.PageSize))
	default:
		words = append(words, "1")
	}
	if n := len(t.Variants); n > 0 {
		words = append(words, fmt.Sprintf("by %d queries", n))
	}
	if parent, ok := c.Lookup(t.Parent); ok && t.Parent != "" {
		each := "for each of " + parent.Label
		if len(t.Marker) > 0 {
			each += " that moves"
		}
		words = append(words, each)
	}
	if !t.Whole {
		words = append(words, "read"+whenMoves(t))
	}
	if len(t.Parts) > 0 {
		var names []string
		for _, part := range t.Parts {
			names = append(names, "`"+part.Member+"`")
		}
		words = append(words, "parts "+strings.Join(names, ", ")+whenMoves(t))
	}
	return strings.Join(words, "; ")
}

func whenMoves(t ObjectType) string {
	if len(t.Marker) > 0 && t.Parent == "" {
		return " when it moves"
	}
	return ""
}

func docPermission(t ObjectType) string {
	words := []string{strings.Join(t.Permissions, " or ")}
	switch {
	case len(t.Permissions) > 8:
		words[0] = "any of its domain"
	case t.PermissionUnknown:
		words[0] = "?"
	case len(t.Permissions) == 0:
		words[0] = "none"
	}
	if len(t.GetPermissions) > 8 {
		words = append(words, "any of its domain")
	} else if len(t.GetPermissions) > 0 {
		words = append(words, strings.Join(t.GetPermissions, " or "))
	}
	for _, part := range t.Parts {
		if more := strings.Join(part.Permissions, " or "); more != "" && !slices.Contains(words, more) {
			words = append(words, more)
		}
	}
	return strings.Join(words, " and ")
}

func docAudited(c *Catalogue, t ObjectType) string {
	switch t.Audit.How {
	case AuditOwn, AuditSettings, AuditSpecial:
		return "yes"
	case AuditParent:
		if parent, ok := c.Lookup(t.Parent); ok && t.Parent != "" {
			return "with " + parent.Label
		}
		return "with what it belongs to"
	}
	return "no"
}

// lastNames returns what paths, in backquotes, end with.
func lastNames(paths []string) []string {
	names := map[string]bool{}
	for _, path := range paths {
		names["`"+path[strings.LastIndexAny(path[:strings.LastIndexByte(path, '`')], "`.")+1:]] = true
	}
	return sortedKeys(names)
}

func docUncompared(t ObjectType) string {
	byClass := map[FieldClass][]string{}
	uncompared := t.Uncompared()
	for _, u := range uncompared {
		if slices.ContainsFunc(uncompared, func(o UncomparedField) bool { return o.Path == "**."+u.Path }) {
			continue
		}
		text := "`" + u.Path + "`"
		if len(u.Settles) > 0 {
			var values []string
			for _, from := range sortedKeys(u.Settles) {
				values = append(values, from+" = "+u.Settles[from])
			}
			text += " (" + strings.Join(values, ", ") + ")"
		}
		if u.Query {
			text += " (the query)"
		}
		if u.Names {
			text += " (names that customers choose)"
		}
		byClass[u.Class] = append(byClass[u.Class], text)
	}
	var words []string
	for _, class := range []FieldClass{FieldState, FieldCounter, FieldSignedURL, FieldSecret} {
		if paths := byClass[class]; len(paths) > 8 {
			words = append(words, fmt.Sprintf("%s: the members %s", class, strings.Join(lastNames(paths), ", ")))
		} else if len(paths) > 0 {
			words = append(words, fmt.Sprintf("%s: %s", class, strings.Join(paths, ", ")))
		}
	}
	return strings.Join(words, "; ")
}
