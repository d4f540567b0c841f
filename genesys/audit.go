package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

// An AuditQuery says which audit records to read.
type AuditQuery struct {
	Service string    // "Routing"; see AuditServices
	Since   time.Time // first instant
	Until   time.Time // end, not included

	// Filters narrow the query; all must hold.
	Filters []AuditFilter

	// Realtime asks the query that answers at once, which knows the last 14
	// days of some services. The other one knows about a year, and takes from
	// seconds to minutes to prepare its answer.
	Realtime bool

	// Wait is how long to wait for the answer to be prepared. Defaults to 10 minutes.
	Wait time.Duration

	// Download lets the service lay a large answer down on another host, which
	// saves requests to the API. It is fetched from there without the token,
	// and one file of it is bounded by Options.MaxBody. Without Realtime only.
	Download bool
}

// An AuditFilter wants a property, such as EntityId, EntityType, Action or UserId, to have a value.
type AuditFilter struct {
	Property string `json:"property"`
	Value    string `json:"value"`
}

// An AuditRecord says who did what to what, and when.
type AuditRecord struct {
	ID          string           `json:"id"`
	Service     string           `json:"serviceName"`
	Date        time.Time        `json:"eventDate"`
	Action      string           `json:"action"`     // "Update"
	Status      string           `json:"status"`     // SUCCESS, FAILURE or WARNING
	Level       string           `json:"level"`      // USER, SYSTEM or GENESYS_INTERNAL
	EntityType  string           `json:"entityType"` // "Queue"
	Entity      Named            `json:"entity"`
	User        Named            `json:"user"`   // empty when a client acted for nobody
	Client      Named            `json:"client"` // the OAuth client; empty for the user interface
	Application string           `json:"application"`
	RemoteIP    []string         `json:"remoteIp"`
	Properties  []PropertyChange `json:"propertyChanges"`
	Entities    []EntityChange   `json:"entityChanges"`
}

// A PropertyChange is one property that an action changed.
type PropertyChange struct {
	Property  string   `json:"property"`
	OldValues []string `json:"oldValues"`
	NewValues []string `json:"newValues"`
}

// An EntityChange is one other entity that an action added, removed or changed.
type EntityChange struct {
	ID        string   `json:"entityId"`
	Name      string   `json:"entityName"`
	Type      string   `json:"entityType"`
	OldValues []string `json:"oldValues"`
	NewValues []string `json:"newValues"`
}

const (
	auditsPath   = "/api/v2/audits/query"
	realtimePath = "/api/v2/audits/query/realtime"
	maxInterval  = 30 * 24 * time.Hour // of one query
)

// AuditServices returns the services that can be asked for, and the entity
// types each has records of. It needs the permission audits:audit:view, as
// Audits does.
func (c *Client) AuditServices(ctx context.Context, realtime bool) (map[string][]string, error) {
	path := auditsPath
	if realtime {
		path = realtimePath
	}
	var mapping struct {
		Services []struct {
			Name     string  `json:"name"`
			Entities []Named `json:"entities"`
		} `json:"services"`
	}
	if err := c.GetJSON(ctx, path+"/servicemapping", &mapping); err != nil {
		return nil, err
	}
	services := make(map[string][]string, len(mapping.Services))
	for _, s := range mapping.Services {
		entities := []string{}
		for _, e := range s.Entities {
			entities = append(entities, e.Name)
		}
		services[s.Name] = entities
	}
	return services, nil
}

// Audits walks the audit records of one service in an interval. Records are
// written seconds to minutes after the fact, so a recent interval may have
// more of them later. It ends with an error where List would, and where the
// service failed to prepare the answer, cancelled that, or did not do it within
// q.Wait. An answer that has expired before it was read is ErrNotFound.
func (c *Client) Audits(ctx context.Context, q AuditQuery) iter.Seq2[AuditRecord, error] {
	return func(yield func(AuditRecord, error) bool) {
		if q.Service == "" || !q.Since.Before(q.Until) {
			yield(AuditRecord{}, errors.New("genesys: an audit query needs a Service, and a Since before its Until"))
			return
		}
		for from := q.Since; from.Before(q.Until); from = from.Add(maxInterval) {
			to := from.Add(maxInterval)
			if to.After(q.Until) {
				to = q.Until
			}
			t, err := c.auditList(ctx, q, from, to)
			if err != nil {
				yield(AuditRecord{}, err)
				return
			}
			for o, err := range c.List(withDownloads(ctx), t) {
				var r AuditRecord
				if err == nil {
					err = json.Unmarshal(o.Body, &r)
				} else {
					err = expired(err, t.Paging == PagingCursor)
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// auditList returns the list of one query's records, as a type of its own.
func (c *Client) auditList(ctx context.Context, q AuditQuery, from, to time.Time) (ObjectType, error) {
	members, err := auditMembers(q, from, to)
	if err != nil {
		return ObjectType{}, err
	}
	t := ObjectType{Name: "audits", Label: "Audits", Items: "entities", ID: []string{"id"}}
	if q.Realtime {
		t.Method, t.Path, t.Paging, t.Token, t.PageSize = http.MethodPost, realtimePath+"?expand=user", PagingSearch, "pageNumber", 100
		t.Body = members
		return t, nil
	}
	id, err := c.prepareAudits(ctx, json.RawMessage("{"+members+"}"), q.Wait)
	if err != nil {
		return ObjectType{}, err
	}
	t.Path = auditsPath + "/" + escapeVariable("", id) + "/results?expand=user"
	if q.Download {
		t.Path += "&allowRedirect=true"
	}
	t.Paging, t.Token, t.PageSize = PagingCursor, "cursor=cursor", 500
	return t, nil
}

// auditMembers returns the members of the query's JSON body.
func auditMembers(q AuditQuery, from, to time.Time) (string, error) {
	const layout = "2006-01-02T15:04:05.000Z"
	b, err := json.Marshal(struct {
		Interval string        `json:"interval"`
		Service  string        `json:"serviceName"`
		Filters  []AuditFilter `json:"filters,omitempty"`
	}{from.UTC().Format(layout) + "/" + to.UTC().Format(layout), q.Service, q.Filters})
	return strings.TrimSuffix(strings.TrimPrefix(string(b), "{"), "}"), err
}

// expired tells an answer that is not there any more from other errors.
func expired(err error, prepared bool) error {
	e, ok := errors.AsType[*APIError](err)
	if !ok || !prepared || e.Status != http.StatusNotFound && e.Status != http.StatusGone {
		return err
	}
	e.meaning = Deleted // it speaks of this query, not of audits
	return fmt.Errorf("genesys: the answer to the audit query has expired, ask again: %w", err)
}

// newQuery is how long a query that was taken may not be found yet.
const newQuery = 30 * time.Second

// prepareAudits starts a query and waits until its answer is ready. States that
// it does not know are taken for others on the way.
func (c *Client) prepareAudits(ctx context.Context, query json.RawMessage, wait time.Duration) (id string, err error) {
	if wait == 0 {
		wait = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("genesys: the audit query was not answered within %s; ask again later, or for a shorter interval", wait))
	defer cancel()
	var status struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}
	if err := c.QueryJSON(ctx, auditsPath, query, &status); err != nil {
		return "", err
	}
	if id = status.ID; id == "" {
		return "", errors.New("genesys: the audit query got no id")
	}
	start, found := time.Now(), false
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		switch strings.ToLower(status.State) {
		case "succeeded":
			return id, nil
		case "failed", "cancelled", "expired":
			return "", fmt.Errorf("genesys: the audit query ended as %s in the service; ask again, or for a shorter interval", status.State)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", context.Cause(ctx)
		case <-timer.C:
		}
		err := c.GetJSON(ctx, auditsPath+"/"+escapeVariable("", id), &status)
		switch {
		case err == nil:
			found = true
		case errors.Is(err, ErrNotFound) && !found && time.Since(start) < newQuery:
		default:
			return "", expired(err, true)
		}
	}
}
