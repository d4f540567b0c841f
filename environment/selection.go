package environment

import (
	"context"
	"fmt"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/internal/printable"
)

// Which types a record means, and what a name or a label stands for.

// Selected returns the types that an environment syncs, each type after the one it is listed under;
// Record.Types says which they are. A name that is no type selects nothing: Record.Check refuses it.
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
	for t := range catalogue.All() { // without Types: the defaults, as Polling adds to them or takes away
		want[t.Name] = t.Default
	}
	for _, entry := range r.Polling {
		if t, ok := catalogue.Lookup(entry.Type); ok {
			want[t.Name] = !isOff(entry.Cron)
		}
	}
	return catalogue.Select(func(t genesys.ObjectType) bool { return want[t.Name] })
}

// needed returns what the client of a record reads, to find out which permissions that takes. The
// audits are among it, as a type that no catalogue has.
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
		return "", fmt.Errorf("environment: %q is no type%s", printable.Brief(nameOrLabel, 200), suggestion(e.opts.Catalogue, nameOrLabel))
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

// recordedType returns the name of the type of that name or label, which may also be one that only
// an earlier catalogue had: its history is still there.
func (e *Engine) recordedType(ctx context.Context, h *history.History, nameOrLabel string) (string, error) {
	name, unknown := e.typeName(nameOrLabel)
	if unknown == nil {
		return name, nil
	}
	for pass, err := range h.Passes(ctx) {
		if err != nil {
			return "", err
		}
		if pass.Type == nameOrLabel {
			return nameOrLabel, nil
		}
	}
	return "", unknown
}
