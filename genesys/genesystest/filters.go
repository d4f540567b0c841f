package genesystest

import (
	_ "embed"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/genesys"
)

// Each line names a type and the parameters of its list that choose or order
// objects, besides its variants. Others are ignored, as the service does. A
// name is compared as a whole, with asterisks at its ends for anything; "name^"
// wants names that begin with it, "name~" names that contain it.
//
//go:embed data/filters.txt
var filterTable string

var filtersByType = sync.OnceValue(func() map[string][]string {
	all := map[string][]string{}
	for line := range strings.Lines(filterTable) {
		words := strings.Fields(line)
		all[words[0]] = words[1:]
	}
	return all
})

// A filter says which objects of a list a request wants, and in which order.
type filter struct {
	conditions []condition // all of them hold
	sortBy     string      // "" for the list's own order
	descending bool
}

// A condition wants one of some fields to have one of some values.
type condition struct {
	fields []string
	values []string
	how    matching
}

type matching byte

const (
	matchWhole matching = iota // with asterisks at the ends for anything
	matchPrefix
	matchPart
)

// filterFor reads the filter out of a list request's query.
func filterFor(s *shape, query url.Values) filter {
	var f filter
	if len(s.t.Variants) > 0 {
		name, _, _ := strings.Cut(s.t.Variants[0], "=")
		value := query.Get(name)
		if value == "" && name == "deactivated" {
			value = "false"
		}
		if value != "" {
			f.want(strings.TrimSuffix(name, "s"), matchWhole, value)
		}
	}
	if s.t.Divisions != "" && !query.Has(s.t.Divisions) {
		f.want("division.name", matchWhole, "Home")
	}
	for _, parameter := range filtersByType()[s.t.Name] {
		f.read(s, parameter, query)
	}
	f.settle(s)
	return f
}

// read adds what one parameter of a request says.
func (f *filter) read(s *shape, parameter string, query url.Values) {
	how := map[byte]matching{'^': matchPrefix, '~': matchPart}[parameter[len(parameter)-1]]
	parameter = strings.TrimRight(parameter, "^~")
	values := query[parameter]
	if s.t.Name == "users" && parameter == "state" {
		switch query.Get(parameter) {
		case "":
			values = []string{"active"}
		case "any":
			return
		}
	}
	if len(values) == 0 || values[0] == "" {
		return
	}
	switch parameter {
	case "sortBy":
		f.sortBy = values[0]
	case "sortOrder":
		if f.sortBy == "" {
			f.sortBy, _, _ = strings.Cut(s.t.Title, "+")
		}
		f.descending = strings.HasPrefix(strings.ToLower(values[0]), "d")
	case "ids":
		f.want("id", matchWhole, strings.Split(strings.Join(values, ","), ",")...)
	case "id", "type", "state":
		f.want(parameter, matchWhole, strings.Split(strings.Join(values, ","), ",")...)
	case "divisionId":
		f.want("division.id", matchWhole, strings.Split(strings.Join(values, ","), ",")...)
	case "nameOrDescription":
		f.conditions = append(f.conditions, condition{[]string{"name", "description"}, values, how})
	default:
		f.want(parameter, how, values...)
	}
}

func (f *filter) want(field string, how matching, values ...string) {
	f.conditions = append(f.conditions, condition{[]string{field}, values, how})
}

// settle leaves lists alone whose pages have no numbers, and those that are
// asked for in the order that the catalogue's path wants: they have it anyway.
func (f *filter) settle(s *shape) {
	numbered := s.t.Paging == genesys.PagingPage || s.t.Paging == genesys.PagingSearch
	if f.sortBy != "" && (!numbered || strings.Contains(s.t.Path, "sortBy="+f.sortBy)) {
		f.sortBy, f.descending = "", false
	}
}

func (f filter) empty() bool { return len(f.conditions) == 0 && f.sortBy == "" }

// key tells filters apart.
func (f filter) key() string {
	var b strings.Builder
	for _, c := range f.conditions {
		b.WriteString(strings.Join(c.fields, ",") + "\x00" + string(rune('0'+c.how)) + strings.Join(c.values, "\x01") + "\x02")
	}
	b.WriteString(f.sortBy)
	if f.descending {
		b.WriteByte('-')
	}
	return b.String()
}

func (c condition) holds(value func(field string) string) bool {
	return slices.ContainsFunc(c.fields, func(field string) bool {
		have := strings.ToLower(value(field))
		return slices.ContainsFunc(c.values, func(want string) bool { return c.how.matches(have, strings.ToLower(want)) })
	})
}

func (m matching) matches(have, want string) bool {
	if m == matchWhole {
		rest, anyEnd := strings.CutSuffix(want, "*")
		rest, anyStart := strings.CutPrefix(rest, "*")
		switch {
		case anyStart && anyEnd:
			return strings.Contains(have, rest)
		case anyStart:
			return strings.HasSuffix(have, rest)
		case !anyEnd:
			return have == rest
		}
		want = rest
	}
	if m == matchPart {
		return strings.Contains(have, want)
	}
	return strings.HasPrefix(have, want)
}
