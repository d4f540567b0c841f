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

	"github.com/cxsync/cxsync/internal/instant"
)

// How audits are read. The service has two queries: one in realtime, which answers at once and
// pages by number, and one that is prepared first and then read with a cursor. For either, one
// query is for a bounded interval, and in some orgs for one service. So an interval is cut into
// queries, and each is read as a list, as if it were a type: with the same retries, doubts and
// checks of completeness.

// An AuditQuery says which audit records to read. All that is set must hold.
type AuditQuery struct {
	Since time.Time // first instant
	Until time.Time // end, not included

	// Service is "ContactCenter", or "" for all services. That is one request for
	// a day where the org allows it in realtime (see AuditNeedsService), and
	// otherwise one query for each service that the org has.
	Service string

	EntityType string // "Queue"
	EntityID   string
	Action     string // "Update"
	UserID     string
	ClientID   string
	TrusteeOrg string // ID of the org that the user belongs to, where it is another one

	// Realtime asks the query that answers at once, which knows the last 14
	// days of most services. The other one knows a year, and takes from seconds
	// to minutes to prepare its answer.
	Realtime bool

	// Wait is how long to wait for an answer to be prepared. Defaults to 10 minutes.
	Wait time.Duration

	// Download lets the service lay a large answer down on another host, which
	// saves requests to the API. It is fetched from there without the token,
	// and one file of it is bounded by Options.MaxBody. Without Realtime only.
	Download bool
}

const (
	auditsPath   = "/api/v2/audits/query"
	realtimePath = "/api/v2/audits/query/realtime"

	realtimeKept = 14 * 24 * time.Hour // how far back realtime looks

	// One query is for at most 30 days; and in realtime for one, since a busy org
	// does not answer for many more in time.
	longestQuery    = 30 * 24 * time.Hour
	longestRealtime = 24 * time.Hour
)

// Audits walks the audit records of an interval. It cuts the interval into
// queries that the service can answer, and asks them from the earliest on; an
// interval that has ended less than some minutes ago may have more records
// later, since they are written seconds to minutes after the fact. Within a
// query records come in the order of their times, more or less.
//
// A service, entity type or action that neither the API nor the org knows is
// refused, with the name that may have been meant. Otherwise it ends with an
// error where List would, and where the service failed to prepare the answer,
// cancelled that, or did not do it within q.Wait. An answer that has expired
// before it was read is ErrNotFound. It needs the permission audits:audit:view.
func (c *Client) Audits(ctx context.Context, q AuditQuery) iter.Seq2[AuditRecord, error] {
	return func(yield func(AuditRecord, error) bool) {
		services, err := c.auditServices(ctx, q)
		if err != nil {
			yield(AuditRecord{}, err)
			return
		}
		for from, to := range q.intervals() {
			for _, service := range services {
				if !c.auditsOf(ctx, q, service, from, to, yield) {
					return
				}
			}
		}
	}
}

// auditsOf yields the answer to one query. It reports whether to go on. Whether an
// interval includes its end is nowhere written: what is not in it is left out, so
// that a record of the instant at which an interval is cut comes once.
func (c *Client) auditsOf(
	ctx context.Context, q AuditQuery, service string, from, to time.Time,
	yield func(AuditRecord, error) bool,
) bool {
	t, err := c.auditList(ctx, q, service, from, to)
	if err != nil {
		yield(AuditRecord{}, err)
		return false
	}
	if q.Download && !q.Realtime {
		ctx = withDownloads(ctx)
	}
	for o, err := range c.List(ctx, t) {
		var r AuditRecord
		if err == nil {
			err = json.Unmarshal(o.Body, &r)
		} else {
			err = expired(err, t.Paging == PagingCursor)
		}
		switch {
		case err != nil:
			yield(AuditRecord{}, err)
			return false
		case !r.Time.IsZero() && (r.Time.Before(from) || !r.Time.Before(to)):
			continue
		case !yield(r, nil):
			return false
		}
	}
	return true
}

// intervals cuts the query's interval, at whole milliseconds as the service has them: so none is
// longer than it may be where request makes whole ones of its ends.
func (q AuditQuery) intervals() iter.Seq2[time.Time, time.Time] {
	return func(yield func(from, to time.Time) bool) {
		longest := longestQuery
		if q.Realtime {
			longest = longestRealtime
		}
		for from := q.Since; from.Before(q.Until); {
			to := from.Truncate(time.Millisecond).Add(longest)
			if !yield(from, instant.Earlier(to, q.Until)) {
				return
			}
			from = to
		}
	}
}

// auditServices checks a query and returns the services that it has to be asked
// of, one after the other; "" is all of them at once.
//
// What the org has to be asked for that, its mapping of services, is a request, so it is made only
// where it is needed: to name all services where the org demands one, and for a name that this
// package does not know, which may be a new one or a mistake.
func (c *Client) auditServices(ctx context.Context, q AuditQuery) ([]string, error) {
	if !q.Since.Before(q.Until) {
		return nil, errors.New("genesys: an audit query needs a Since that is before its Until")
	}
	if now, _, _ := c.Now(); q.Realtime && q.Since.Before(now.Add(-realtimeKept-time.Hour)) {
		return nil, fmt.Errorf("genesys: an audit query in realtime reaches 14 days back, not to %s; leave Realtime out", q.Since.UTC().Format(time.RFC3339))
	}
	var mapping AuditMapping
	unknown := q.unknownNames()
	all := q.Service == ""
	if all && q.Realtime {
		needed, err := c.AuditNeedsService(ctx)
		if err != nil {
			return nil, err
		}
		all = needed
	}
	if all || unknown {
		var err error
		if mapping, err = c.AuditMapping(ctx, q.Realtime); err != nil {
			return nil, err
		}
	}
	if unknown {
		if err := q.check(mapping); err != nil {
			return nil, err
		}
	}
	if all {
		return mapping.Services(), nil
	}
	return []string{q.Service}, nil
}

// AuditNeedsService reports whether the org demands a service in a realtime
// query, as some do. The client asks once and remembers it.
func (c *Client) AuditNeedsService(ctx context.Context) (bool, error) {
	const no, yes = 1, 2
	if known := c.auditNeedsService.Load(); known != 0 {
		return known == yes, nil
	}
	now, _, _ := c.Now()
	if now.IsZero() {
		now = time.Now() // no answer has told yet
	}
	var answer json.RawMessage
	err := c.QueryJSON(ctx, realtimePath, AuditQuery{}.request("", now.Add(-time.Minute), now), &answer)
	if refusal, ok := errors.AsType[*APIError](err); ok && refusal.Status == http.StatusBadRequest {
		c.auditNeedsService.Store(yes)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	c.auditNeedsService.Store(no)
	return false, nil
}

// auditList returns the list of one query's records, as a type of its own.
func (c *Client) auditList(ctx context.Context, q AuditQuery, service string, from, to time.Time) (ObjectType, error) {
	request, err := json.Marshal(q.request(service, from, to))
	if err != nil {
		return ObjectType{}, err
	}
	t := ObjectType{Name: "audits", Label: "Audits", Items: "entities", ID: []string{"id"}, PageSize: 500}
	if q.Realtime {
		t.Method, t.Path, t.Paging, t.Token = http.MethodPost, realtimePath+"?expand=user", PagingSearch, "pageNumber"
		t.Body = strings.TrimSuffix(strings.TrimPrefix(string(request), "{"), "}")
		return t, nil
	}
	id, err := c.prepareAudits(ctx, request, q.Wait)
	if err != nil {
		return ObjectType{}, err
	}
	t.Path = auditsPath + "/" + escapeVariable("", id) + "/results?expand=user"
	if q.Download {
		t.Path += "&allowRedirect=true"
	}
	t.Paging, t.Token = PagingCursor, "cursor=cursor"
	return t, nil
}

// An auditRequest is the JSON body of a query.
type auditRequest struct {
	Interval string        `json:"interval"`
	Service  string        `json:"serviceName,omitempty"`
	Filters  []auditFilter `json:"filters,omitempty"`
	Sort     []auditSort   `json:"sort"`
}

type auditFilter struct {
	Property string `json:"property"`
	Value    string `json:"value"`
}

type auditSort struct {
	Name  string `json:"name"`
	Order string `json:"sortOrder"`
}

// request makes the JSON body of a query. Later records come last, so that those
// that arrive while the pages are read move none to another page.
func (q AuditQuery) request(service string, from, to time.Time) auditRequest {
	const layout = "2006-01-02T15:04:05.000Z" // cuts, so a part of a millisecond at the end is rounded up
	to = to.Add(time.Millisecond - 1)
	r := auditRequest{
		Interval: from.UTC().Format(layout) + "/" + to.UTC().Format(layout), Service: service,
		Sort: []auditSort{{Name: "Timestamp", Order: "ascending"}},
	}
	for _, f := range []auditFilter{
		{"EntityType", q.EntityType},
		{"EntityId", q.EntityID},
		{"Action", q.Action},
		{"UserId", q.UserID},
		{"ClientId", q.ClientID},
		{"TrusteeOrganizationId", q.TrusteeOrg},
	} {
		if f.Value != "" {
			r.Filters = append(r.Filters, f)
		}
	}
	return r
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

// newQuery is how long a query that the service has taken may still be answered 404.
const newQuery = 30 * time.Second

// prepareAudits starts a query and waits until its answer is ready. States that
// it does not know are taken for others on the way.
func (c *Client) prepareAudits(ctx context.Context, query json.RawMessage, wait time.Duration) (id string, err error) {
	if wait == 0 {
		wait = 10 * time.Minute
	}
	late := fmt.Errorf("genesys: the audit query was not answered within %s; ask again later, or for a shorter interval", wait)
	ctx, cancel := context.WithTimeoutCause(ctx, wait, late)
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
