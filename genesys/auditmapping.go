package genesys

import (
	"context"
	"maps"
	"slices"
)

// An AuditMapping says of what an org keeps audits: service, then entity type,
// then the actions that are recorded. It is the last word: the catalogue's
// names come from the API's description, and an org may lack some of them.
type AuditMapping map[string]map[string][]string

// AuditMapping reads the mapping of the org, for realtime queries or for the
// others; realtime lacks some services. It needs the permission
// audits:audit:view, as Audits does.
func (c *Client) AuditMapping(ctx context.Context, realtime bool) (AuditMapping, error) {
	path := auditsPath
	if realtime {
		path = realtimePath
	}
	var answer struct {
		Services []struct {
			Name     string `json:"name"`
			Entities []struct {
				Name    string   `json:"name"`
				Actions []string `json:"actions"`
			} `json:"entities"`
		} `json:"services"`
	}
	if err := c.GetJSON(ctx, path+"/servicemapping", &answer); err != nil {
		return nil, err
	}
	m := AuditMapping{}
	for _, s := range answer.Services {
		name := label(s.Name)
		if m[name] == nil {
			m[name] = map[string][]string{}
		}
		for _, e := range s.Entities {
			actions := make([]string, len(e.Actions))
			for i, action := range e.Actions {
				actions[i] = label(action)
			}
			m[name][label(e.Name)] = actions
		}
	}
	return m, nil
}

// Services returns the services, sorted.
func (m AuditMapping) Services() []string { return slices.Sorted(maps.Keys(m)) }

// Audit returns under which names this org's audits tell of a type: the
// catalogue's, with the one other service that has the entity type where the
// catalogue's has not, or AuditNone where no audit of the org tells of it.
func (m AuditMapping) Audit(t ObjectType) Audit {
	a := t.Audit
	if a.Service == "" {
		return Audit{How: AuditNone}
	}
	if _, ok := m[a.Service][a.Entity]; ok {
		return a
	}
	var others []string
	for service, entities := range m {
		if _, ok := entities[a.Entity]; ok {
			others = append(others, service)
		}
	}
	if len(others) != 1 {
		return Audit{How: AuditNone}
	}
	a.Service = others[0]
	return a
}
