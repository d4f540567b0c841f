package environment

import (
	"fmt"
	"strings"

	"github.com/cxsync/cxsync/genesys"
)

// Selected returns the types that an environment syncs, each type after the one
// it is listed under.
func (e *Engine) Selected(r Record) []genesys.ObjectType {
	return selected(e.opts.Catalogue, r)
}

func selected(catalogue *genesys.Catalogue, r Record) []genesys.ObjectType {
	want := map[string]bool{}
	for _, named := range r.Types {
		if t, ok := catalogue.Lookup(named); ok {
			want[t.Name] = true
		}
	}
	if len(r.Types) > 0 {
		return catalogue.Select(func(t genesys.ObjectType) bool { return want[t.Name] })
	}
	for t := range catalogue.All() {
		want[t.Name] = t.Default
	}
	for _, entry := range r.Polling {
		if t, ok := catalogue.Lookup(entry.Type); ok {
			want[t.Name] = !isOff(entry.Cron)
		}
	}
	return catalogue.Select(func(t genesys.ObjectType) bool { return want[t.Name] })
}

// needed returns what the client of a record reads, audits among it as a type, for what permissions that takes.
func (e *Engine) needed(r Record) []genesys.ObjectType {
	types := e.Selected(r)
	if r.AuditMinutes > 0 {
		types = append(types, genesys.ObjectType{Name: "audits", Permissions: []string{auditPermission}})
	}
	return types
}

func isOff(cron string) bool { return strings.EqualFold(strings.TrimSpace(cron), "off") }

// resolver returns the function that a plan looks up names and labels with.
func resolver(catalogue *genesys.Catalogue) func(string) (string, bool) {
	return func(nameOrLabel string) (string, bool) {
		t, ok := catalogue.Lookup(nameOrLabel)
		return t.Name, ok
	}
}

// typeName returns the name of the type of that name or label.
func (e *Engine) typeName(nameOrLabel string) (string, error) {
	t, ok := e.opts.Catalogue.Lookup(nameOrLabel)
	if !ok {
		return "", fmt.Errorf("environment: %q is no type%s", nameOrLabel, suggestion(e.opts.Catalogue, nameOrLabel))
	}
	return t.Name, nil
}

// suggestion ends a sentence about a text that is no type, for a person who wrote "queue".
func suggestion(catalogue *genesys.Catalogue, text string) string {
	t, ok := catalogue.Suggest(text)
	if !ok {
		return "; use a name such as routing.queues or a label such as Queues"
	}
	return fmt.Sprintf("; did you mean %s (%s)?", t.Name, t.Label)
}
