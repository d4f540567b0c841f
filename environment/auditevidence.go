package environment

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
)

// evidence translates a record, unless it tells of no write to a selected type. That the version of
// something moved by itself is noise, of which there is a lot.
func (t *tail) evidence(r genesys.AuditRecord) (history.Evidence, bool) {
	if !r.Writes() || r.ID == "" || r.Time.IsZero() {
		return history.Evidence{}, false
	}
	actor := r.Actor()
	e := history.Evidence{
		ID: r.ID, At: r.Time, Entity: r.Entity.Type, Object: r.Entity.ID, Name: r.Entity.Name, Action: r.Action,
		Actor:  history.Actor{ID: actor.ID, Name: actor.Name, Client: cmp.Or(r.Client.ID, r.Client.Name)},
		System: r.Level != genesys.AuditLevelUser && (r.User.ID != "" || actor.ID == ""),
	}
	if actor.ID == "" && e.Actor.Client == "" && !e.System {
		e.Actor.Client = "an OAuth client" // which one records do not say
	}
	if r.UserOrgID != "" && t.org != "" && r.UserOrgID != t.org {
		e.Actor.Org = r.UserOrgID
	}
	isNoise := e.System
	for _, p := range r.Properties {
		e.Properties = append(e.Properties, p.Property)
		isNoise = isNoise && p.Property == "version"
		if p.Property == "individuals" { // of a group
			for _, value := range slices.Concat(p.OldValues, p.NewValues) {
				var member genesys.Named
				if json.Unmarshal([]byte(value), &member) == nil && member.ID != "" {
					e.Parts = append(e.Parts, genesys.JoinID(member.ID))
				}
			}
		}
	}
	for _, other := range r.Entities {
		e.Parts = append(e.Parts, genesys.JoinID(other.ID))
	}
	for _, target := range t.client.Catalogue().Audited(r) {
		if t.types[target.Type] {
			e.Targets = append(e.Targets, history.Target{Type: target.Type, ID: target.ID, Below: target.Below, Last: target.Last})
		}
	}
	return e, len(e.Targets) > 0 && (!isNoise || len(r.Properties) == 0)
}
