package environment

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// provenance are the members that say who made or changed an object.
var provenance = []string{
	"**.createdBy", "**.createdByApp", "**.createdByClient", "**.modifiedBy", "**.modifiedByApp", "**.modifiedByClient",
	"**.updatedBy", "**.publishedBy", "**.lastRunBy",
}

// perOrg are members that differ from org to org by nature, although they are compared over time.
var perOrg = []string{
	"**.version", "**.dateCreated", "**.createdDate", "**.dateModified", "**.modifiedDate", "**.datePublished", "**.publishedDate",
}

// models says what the bodies of each type mean, for questions to the history.
func models(catalogue *genesys.Catalogue) map[string]history.Model {
	all := make(map[string]history.Model, catalogue.Len())
	for t := range catalogue.All() {
		all[t.Name] = history.Model{
			Parent: t.Parent, NaturalKey: t.Key, Singleton: t.Paging == genesys.PagingSingleton,
			PerOrg: perOrg, Provenance: provenance, Secrets: t.Secrets, Identity: identity(t), AuditService: t.Audit.Service,
		}
	}
	return all
}

// identity says how bodies that an older catalogue recorded tell their objects; nil if it knew them by the same ids.
func identity(t genesys.ObjectType) *history.Identity {
	rule := t.IdentityRule()
	if rule == "" {
		return nil
	}
	return &history.Identity{Rule: rule, Objects: func(parent string, body []byte) []history.Object {
		var all []history.Object
		for _, o := range t.Identify(parent, body) {
			all = append(all, history.Object{ID: o.ID, Name: o.Name, Parent: o.Parent, Body: o.Body})
		}
		return all
	}}
}

// A Side is one of the two states that Compare compares: that of an environment.
type Side struct {
	Environment int64
	At          time.Time // defaults to now
}

// Compare iterates over what differs between two environments, or between one at two times: see
// history.Compare. Types that the client of either side cannot read are said to be unreadable.
// Types of opts are names or labels. It reads what is stored and sends no request.
func (e *Engine) Compare(ctx context.Context, a, b Side, opts *history.CompareOptions) iter.Seq2[history.Difference, error] {
	return func(yield func(history.Difference, error) bool) {
		var o history.CompareOptions
		if opts != nil {
			o = *opts
		}
		var sides [2]history.Side
		for i, s := range []Side{a, b} {
			var err error
			if sides[i], err = e.side(ctx, s); err != nil {
				yield(history.Difference{}, err)
				return
			}
		}
		for d, err := range history.Compare(ctx, sides[0], sides[1], &o) {
			if !yield(d, err) {
				return
			}
		}
	}
}

func (e *Engine) side(ctx context.Context, s Side) (history.Side, error) {
	h, err := e.History(ctx, s.Environment)
	if err != nil {
		return history.Side{}, err
	}
	status, err := e.Status(ctx, s.Environment)
	if err != nil {
		return history.Side{}, err
	}
	unavailable := map[string]string{}
	for _, t := range status.Types {
		if t.Unavailable != "" {
			unavailable[t.Type] = fmt.Sprintf("environment %q cannot read the type: %s", status.Record.Name, t.Unavailable)
		}
	}
	return history.Side{History: h, At: s.At, Unreadable: func(typeName string) string { return unavailable[typeName] }}, nil
}
