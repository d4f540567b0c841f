package environment

import (
	"slices"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// What a history needs to know about the bodies of a type to answer questions: which members are
// references, dates or secrets, which type is listed under which. The catalogue of genesys knows
// it, and history must not know genesys, so it is translated here.

// provenance are the members that say who made or changed an object.
var provenance = []string{
	"**.createdBy", "**.createdByApp", "**.createdByClient", "**.modifiedBy", "**.modifiedByApp", "**.modifiedByClient",
	"**.updatedBy", "**.publishedBy", "**.lastRunBy",
}

// perOrg are members that differ from org to org by nature: Compare of two orgs ignores them,
// although a pass compares them over time.
var perOrg = []string{
	"**.version", "**.dateCreated", "**.createdDate", "**.dateModified", "**.modifiedDate", "**.datePublished", "**.publishedDate",
}

// models says what the bodies of each type mean, for questions to the history.
func models(catalogue *genesys.Catalogue) map[string]history.Model {
	all := make(map[string]history.Model, catalogue.Len())
	for t := range catalogue.All() {
		all[t.Name] = history.Model{
			Parent: t.Parent, NaturalKey: naturalKey(t), Singleton: t.Paging == genesys.PagingSingleton,
			PerOrg: perOrg, Provenance: provenance, Secrets: t.Secrets, Identity: identity(t), AuditService: t.Audit.Service,
		}
	}
	return all
}

// naturalKey returns the fields that tell objects apart. A name that is another object's is in no
// body beside an id; the history knows what an object is called, and what it is joined with.
func naturalKey(t genesys.ObjectType) []string {
	borrowed := func(field string) bool {
		return slices.Contains(t.Borrowed, field) || slices.Contains(t.Borrowed, "*")
	}
	if slices.ContainsFunc(t.Key, borrowed) {
		return nil
	}
	return t.Key
}

// identity says how to tell the objects of a type from bodies that an older catalogue recorded under
// other ids; nil if ids of the type never changed. See history.Identity.
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
