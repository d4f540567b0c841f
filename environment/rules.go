package environment

import (
	"slices"
	"strings"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/poller"
)

// What is not compared. Two sources make the rules of a type: the catalogue's, which always apply,
// and the record's, which add to them. An ignored field is left out of detection and of field
// changes; it stays in the stored body. When rules change, no change appears: history compares an
// object by what both the old and the new rules compare, the first time.

// defaultIgnore returns the rules that apply to every environment: what the default catalogue knows
// to move without an edit, such as counters and states. genesys.ObjectType.Uncompared has the
// reasons.
func defaultIgnore() []IgnoreRule {
	var rules []IgnoreRule
	for t := range genesys.DefaultCatalogue().All() {
		for _, field := range t.Ignored() {
			rules = append(rules, IgnoreRule{t.Name, field})
		}
	}
	return rules
}

// rules says how bodies of the type compare in this environment.
func (s *session) rules(t genesys.ObjectType) diff.Rules {
	rules := diff.Rules{Ignore: slices.Clone(t.Ignored()), Sets: t.Sets, Borrowed: t.Borrowed, Reads: t.Reads(), Labels: t.Labels()}
	resolve := resolver(s.engine.opts.Catalogue)
	for _, rule := range s.record.Ignore {
		name, _ := resolve(rule.Type)
		if name == t.Name || isAllObjects(rule.Type) {
			rules.Ignore = append(rules.Ignore, rule.Field)
		}
	}
	return rules
}

// isAllObjects reports whether the type of an entry or a rule stands for every type.
func isAllObjects(named string) bool {
	return strings.EqualFold(strings.TrimSpace(named), poller.AllObjects)
}
