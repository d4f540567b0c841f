package genesys

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/internal/spelling"
)

// The names that an audit query may hold. The table is of the official model; an org may be ahead of
// it, so a name that the table does not know is looked for in the org's own mapping before it is
// refused.

// auditNamesTSV holds the services, entity types and actions of the official
// model of an audit record, and whether an action changes something.
//
//go:embed auditnames.tsv
var auditNamesTSV string

// auditNames are the rows of the table: kind, then name, then whether it writes.
var auditNames = sync.OnceValue(func() map[string]map[string]bool {
	names := map[string]map[string]bool{"service": {}, "entity": {}, "action": {}}
	for row := range strings.Lines(auditNamesTSV) {
		cells := strings.Split(strings.TrimSpace(row)+"\t", "\t")
		if kind := names[cells[0]]; kind != nil {
			kind[cells[1]] = cells[2] == "yes"
		}
	}
	return names
})

// actionWrites reports whether an action changes something. One that the table
// does not know does, unless its name begins with a word for looking.
func actionWrites(action string) bool {
	if writes, ok := auditNames()["action"][action]; ok {
		return writes
	}
	action = strings.ToLower(action)
	isLook := func(word string) bool { return strings.HasPrefix(action, word) }
	return action != "" && !slices.ContainsFunc(lookWords[:], isLook)
}

var lookWords = [...]string{"view", "read", "get", "list", "search", "download", "export", "authenticat"}

// unknownNames reports whether a name in the query is none of the table's. An
// org may be ahead of it.
func (q AuditQuery) unknownNames() bool {
	for _, n := range q.names() {
		if _, known := auditNames()[n.kind][n.value]; !known {
			return true
		}
	}
	return false
}

// An auditName is a name in a query: its kind in the table, and the field that has it.
type auditName struct{ kind, field, value string }

// names returns those names in the query that the table knows by kind.
func (q AuditQuery) names() []auditName {
	return slices.DeleteFunc([]auditName{
		{"service", "Service", q.Service}, {"entity", "EntityType", q.EntityType}, {"action", "Action", q.Action},
	}, func(n auditName) bool { return n.value == "" })
}

// check refuses a name that neither the table nor the org has.
func (q AuditQuery) check(m AuditMapping) error {
	known := map[string]map[string]bool{}
	for kind, names := range auditNames() {
		known[kind] = maps.Clone(names)
	}
	for service, entities := range m {
		known["service"][service] = true
		for entity, actions := range entities {
			known["entity"][entity] = true
			for _, action := range actions {
				known["action"][action] = true
			}
		}
	}
	for _, n := range q.names() {
		if _, ok := known[n.kind][n.value]; ok {
			continue
		}
		meant := spelling.Closest(n.value, maps.Keys(known[n.kind]))
		if meant != "" {
			meant = fmt.Sprintf("; did you mean %q?", meant)
		}
		return fmt.Errorf("genesys: an audit query knows no %s %q%s", n.field, label(n.value), meant)
	}
	return nil
}
