package genesys

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/official"
)

// What the official description has not, or says differently, with the evidence.
var notOfficial = map[string]string{
	"webchat.deployments GET /api/v2/webchat/deployments":                      "the API was removed",
	"webchat.deployments GET /api/v2/webchat/deployments/{}":                   "the API was removed",
	"webchat.settings GET /api/v2/webchat/settings":                            "the API was removed",
	"widgets.deployments GET /api/v2/widgets/deployments":                      "the API was removed",
	"widgets.deployments GET /api/v2/widgets/deployments/{}":                   "the API was removed",
	"telephony.extensions parameter divisionId":                                "announced for this list when extensions got divisions",
	"telephony.lines parameter expand is deprecated":                           "no other call has the properties of a line",
	"flows.datatables.rows field key":                                          "members of a row are the columns of its table; key is always one",
	"organizations.limits.namespaces field .":                                  "the elements are strings",
	"organizations.limits.namespaces items entities of object has no entities": "the answer has no model",
}

// Parameters with a default that a row may leave alone, by name.
var harmlessDefaults = map[string]string{
	"pageNumber": "paging", "pageSize": "paging", "sortBy": "order", "sortOrder": "order", "limit": "paging",
	"filterType":  "how a name is compared that no row asks for",
	"format":      "Raw is what people wrote",
	"language":    "the language of texts that the service makes",
	"objectCount": "counts are not configuration", "deleted": "false leaves out what is deleted",
	"includeSchemas": "schemas of variables are part of flows.latestconfiguration", "includeVoices": "integrations.speech.tts.engines.voices has them",
	"includeImportStatus": "progress is not configuration", "summary": "false is the whole policy",
	"createDefault": "true would create something", "onlyLatestPerContext": "set where it matters",
	"days": "a measurement", "divisionId": "* is every division",
}

var variablesInPath = regexp.MustCompile(`\{[^}]*\}`)

// operation finds the official call of a template, whatever its variables are
// called. Where the official path has a variable a row may have a fixed word.
func operation(method, template string) (official.Operation, bool) {
	path := variablesInPath.ReplaceAllString(cutQuery(template), "{}")
	if o, ok := operations()[method+" "+path]; ok {
		return o, true
	}
	for name, o := range operations() {
		if matchesWords(name, method+" "+path) {
			return o, true
		}
	}
	return official.Operation{}, false
}

var operations = sync.OnceValue(func() map[string]official.Operation {
	operations := map[string]official.Operation{}
	for name, o := range official.Operations() {
		operations[variablesInPath.ReplaceAllString(name, "{}")] = o
	}
	return operations
})

func matchesWords(official, path string) bool {
	a, b := strings.Split(official, "/"), strings.Split(path, "/")
	return len(a) == len(b) && slices.EqualFunc(a, b, func(a, b string) bool { return a == b || a == "{}" })
}

func parameterNames(query string) (names []string) {
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// hasPath reports whether a dotted path leads somewhere in a model. A map and an
// untyped object hold anything.
func hasPath(model, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	for _, f := range official.Models()[model] {
		if f.Name != name {
			continue
		}
		return !more || f.Map || f.Type == "object" || hasPath(f.Type, rest)
	}
	return false
}

// Every row of the catalogue against the official description of the API: each
// path, each parameter and each field that a row names exists there, a default
// row uses no deprecated call, and a list parameter with a default is set or
// known to do no harm.
func TestRowsAgainstTheOfficialDescription(t *testing.T) {
	excused := map[string]bool{}
	var wrong []string
	check := func(ok bool, t ObjectType, format string, args ...any) {
		if ok {
			return
		}
		what := t.Name + " " + fmt.Sprintf(format, args...)
		if _, known := notOfficial[what]; known {
			excused[what] = true
			return
		}
		wrong = append(wrong, what)
	}
	for typ := range DefaultCatalogue().All() {
		checkCall := func(method, template string, more ...string) official.Operation {
			o, ok := operation(method, template)
			check(ok, typ, "%s %s", method, variablesInPath.ReplaceAllString(cutQuery(template), "{}"))
			if !ok {
				return o
			}
			check(!typ.Default || !o.Deprecated, typ, "%s %s is deprecated", method, cutQuery(template))
			_, query, _ := strings.Cut(template, "?")
			for _, name := range append(parameterNames(query), more...) {
				i := slices.IndexFunc(o.Parameters, func(p official.Parameter) bool { return p.Name == name })
				check(i >= 0, typ, "parameter %s", name)
				check(i < 0 || !o.Parameters[i].Deprecated, typ, "parameter %s is deprecated", name)
			}
			return o
		}
		var sent []string
		for _, query := range slices.Concat(typ.Variants, typ.Split) {
			sent = append(sent, parameterNames(query)...)
		}
		if typ.Divisions != "" {
			sent = append(sent, typ.Divisions)
		}
		if typ.ByID != "" {
			sent = append(sent, typ.ByID)
		}
		p := &pager{t: typ, size: typ.PageSize}
		if typ.PageSize > 0 && typ.Paging != PagingSearch {
			sent = append(sent, p.sizeParameter())
			if typ.Paging == PagingPage {
				sent = append(sent, "pageNumber")
			} else {
				token, _, _ := strings.Cut(typ.Token, "=")
				sent = append(sent, token)
			}
		}
		o := checkCall(typ.method(), typ.Path, sent...)
		_, query, _ := strings.Cut(typ.Path, "?")
		for _, parameter := range o.Parameters {
			set := slices.Contains(append(parameterNames(query), sent...), parameter.Name)
			_, harmless := harmlessDefaults[parameter.Name]
			check(parameter.Default == "" || set || harmless, typ, "leaves %s=%s to the service", parameter.Name, parameter.Default)
		}
		if typ.Get != "" {
			checkCall("GET", typ.Get)
		}
		for _, part := range typ.Parts {
			answer := checkCall("GET", part.Path).Answer
			check(part.Field == "" || hasPath(answer, part.Field), typ, "field %s of the part %s", part.Field, part.Member)
		}
		models, ok := official.TypeModels()[typ.Name]
		check(ok || o.Path == "", typ, "has no models")
		if models.Item == "object" || o.Path == "" {
			continue
		}
		if typ.Paging != PagingSingleton && typ.Items != "." {
			check(hasPath(models.List, typ.Items), typ, "items %s of %s", typ.Items, models.List)
		}
		for _, path := range slices.Concat(typ.ID, typ.Key, strings.Split(typ.Title, "+")) {
			check(path == "" || hasPath(models.Item, path) || hasPath(models.ByID, path), typ, "field %s", path)
		}
		if marked := typ; typ.Parent != "" && len(typ.Marker) > 0 {
			marked, _ = DefaultCatalogue().Lookup(typ.Parent)
			models = official.TypeModels()[marked.Name]
		}
		for _, path := range typ.Marker {
			check(hasPath(models.Item, path), typ, "marker %s", path)
		}
		for _, part := range typ.Parts {
			check(part.Field != "" || !hasPath(models.Item, part.Member), typ, "part %s is a member of the model, too", part.Member)
		}
	}
	slices.Sort(wrong)
	require.Empty(t, strings.Join(wrong, "\n"))
	for what := range notOfficial {
		require.True(t, excused[what], "%q is an exception from nothing", what)
	}
}

// Each list of more than one page that can be narrowed to an object says by which parameter.
func TestListsThatTakeAnID(t *testing.T) {
	for typ := range DefaultCatalogue().All() {
		o, _ := operation(typ.method(), typ.Path)
		i := slices.IndexFunc(o.Parameters, func(p official.Parameter) bool { return !p.Deprecated && (p.Name == "id" || p.Name == "ids") })
		want := ""
		if i >= 0 && typ.Parent == "" && typ.PageSize > 0 {
			want = o.Parameters[i].Name
		}
		require.Equal(t, want, typ.ByID, typ.Name)
	}
}

// What is off says why, and what is on needs no excuse.
func TestWhatIsOffSaysWhy(t *testing.T) {
	for typ := range DefaultCatalogue().All() {
		require.Equal(t, typ.Default, typ.Reason == "", typ.Name)
		require.Contains(t, []string{"A", "B", "C"}, typ.Grade, typ.Name)
		require.Contains(t, []AuditHow{AuditOwn, AuditParent, AuditSettings, AuditSpecial, AuditNone}, typ.Audit.How, typ.Name)
		require.Equal(t, typ.Audit.How == AuditNone, typ.Audit.Service == "", typ.Name)
		if typ.Absent {
			require.Equal(t, PagingSingleton, typ.Paging, typ.Name)
		}
	}
}

// lostByGet are compared fields that only a list has, of types whose objects are read by a GET.
var lostByGet = map[string]string{
	"wfm.businessunits authorized": "what the client may do, not the business unit",
}

// Where a GET reads what a list leaves out, the list has nothing to compare that the GET leaves out: it would be lost.
func TestGetsLoseNothing(t *testing.T) {
	for typ := range DefaultCatalogue().All() {
		models := official.TypeModels()[typ.Name]
		if typ.Whole || models.ByID == "" {
			continue
		}
		ignored := typ.Ignored()
		for _, f := range official.Models()[models.Item] {
			_, excused := lostByGet[typ.Name+" "+f.Name]
			lost := !hasPath(models.ByID, f.Name) && !slices.Contains(ignored, f.Name)
			require.Equal(t, excused, lost, "%s %s", typ.Name, f.Name)
		}
	}
}
