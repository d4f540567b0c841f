package environment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
)

// One tail of the org's audits is read for each environment, by one process at a time. It is a
// cursor in the org's time: every few minutes what was written since is read, and the ten minutes
// before it again, because records arrive late and in any order. The history leaves out what it has
// had. The cursor is moved by the commit that stores the records and what they explain, so a process
// that dies between two commits has read nothing.
//
// An org that answers for all services at once costs one request a reading. One that demands a
// service is asked for those services alone that tell of selected types, the busiest more often, so
// that all take no more than their share of the quota.

const (
	// DefaultAuditMinutes is Record.AuditMinutes of a record in JSON that does not say.
	DefaultAuditMinutes = 5

	maxAuditMinutes = 24 * 60
	auditPermission = "audits:audit:view"
	// auditOverlap is how much is read again: records may come so much late.
	auditOverlap = 10 * time.Minute
	// auditReach is how far back the tail goes: the service answers for 14 days.
	auditReach = 13 * 24 * time.Hour
	// auditStart is how far back it begins.
	auditStart = 24 * time.Hour
	// auditWindow bounds what is read and stored at a time.
	auditWindow = 6 * time.Hour
	// auditShare is the part of the quota that the tail takes at most.
	auditShare = 0.01
	// auditRarest is the longest time between two readings of a service that has hardly any records.
	auditRarest = 3 * time.Hour
)

// auditTail is what is remembered of the tail.
type auditTail struct {
	Checked     time.Time                `json:"checked"` // when it was last read, or tried
	Unavailable string                   `json:"unavailable,omitempty"`
	Failed      string                   `json:"failed,omitempty"`
	Services    map[string]*auditService `json:"services,omitempty"` // by name; "" for all at once
	Readings    int64                    `json:"readings"`
	Requests    int64                    `json:"requests"`
}

type auditService struct {
	Until time.Time `json:"until"`          // how far it was read
	Busy  float64   `json:"busy,omitempty"` // records an hour, about
}

func (s *session) auditTail(ctx context.Context) (auditTail, error) {
	state, err := storage.GetJSON[auditTail](ctx, s.engine.store, s.auditKey())
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	if state.Services == nil {
		state.Services = map[string]*auditService{}
	}
	return state, err
}

func (s *session) auditKey() string { return ownKey(s.record.ID, "audits") }

// auditEvery is how often the tail is read at most: every AuditMinutes, or less often where that would be more than its
// share of the quota.
func (s *session) auditEvery() time.Duration {
	return max(time.Duration(s.record.AuditMinutes)*time.Minute, time.Duration(float64(24*time.Hour)/max(1, s.auditBudget())))
}

// auditBudget is how many requests the tail may take in a day.
func (s *session) auditBudget() float64 {
	limit, err := s.record.limits().Effective()
	perDay := float64(serverPerMinute * 24 * 60)
	if err == nil && limit.N > 0 {
		perDay = min(perDay, float64(limit.N)*float64(24*time.Hour)/float64(limit.Window))
	}
	return auditShare * perDay
}

// auditCost returns how many requests a day the tail takes: what a reading took so far, and one for the
// mapping of the org.
func (s *session) auditCost(ctx context.Context) (float64, error) {
	if s.record.AuditMinutes == 0 {
		return 0, nil
	}
	state, err := s.auditTail(ctx)
	if err != nil || state.Unavailable != "" {
		return 0, err
	}
	each := 1.0
	if state.Readings > 0 {
		each = float64(state.Requests) / float64(state.Readings)
	}
	return 1 + each*float64(24*time.Hour)/float64(s.auditEvery()), nil
}

// An AuditStatus tells how far the org's audits are read, and what came of them.
type AuditStatus struct {
	Minutes     int            `json:"minutes"`               // as in the record; 0 is off
	Checked     time.Time      `json:"checked,omitzero"`      // when they were last read, or tried
	Unavailable string         `json:"unavailable,omitempty"` // why this client cannot read them
	Failed      string         `json:"failed,omitempty"`      // the error of the last reading
	Readings    int64          `json:"readings"`
	Requests    int64          `json:"requests"` // of all readings
	Tally       *history.Tally `json:"tally,omitempty"`
}

func (s *session) auditStatus(ctx context.Context) (AuditStatus, error) {
	state, err := s.auditTail(ctx)
	if err != nil {
		return AuditStatus{}, err
	}
	status := AuditStatus{
		Minutes: s.record.AuditMinutes, Checked: state.Checked, Unavailable: state.Unavailable, Failed: state.Failed,
		Readings: state.Readings, Requests: state.Requests,
	}
	tally, isOn, err := s.history.Tally(ctx)
	if isOn {
		status.Tally = &tally
	}
	return status, err
}

// readAudits reads the tail of an environment's audits for as long as Run polls it.
func (e *Engine) readAudits(ctx context.Context, id int64) {
	for ctx.Err() == nil {
		changed := e.changed.next()
		wait, err := e.readAuditsOnce(ctx, id)
		if err != nil && ctx.Err() == nil && !errors.Is(err, storage.ErrLocked) && !errors.Is(err, errTakenOver) {
			e.opts.Logger.WarnContext(ctx, "audits could not be read and are tried again", "environment_id", id, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(wait):
		}
	}
}

// readAuditsOnce reads the tail if that is due, and returns when to look again.
func (e *Engine) readAuditsOnce(ctx context.Context, id int64) (wait time.Duration, err error) {
	s, err := e.online(ctx, id, "")
	if err != nil {
		return retryTrim, err
	}
	if s.record.AuditMinutes == 0 {
		return time.Hour, nil // or when the record changes
	}
	due := func() (time.Duration, error) {
		state, err := s.auditTail(ctx)
		every := s.auditEvery()
		if state.Unavailable != "" {
			every = retryUnavailable
		}
		return every - min(every, s.since(state.Checked)), err
	}
	wait, err = due()
	if wait > 0 || err != nil {
		return max(wait, time.Second), err // without a lease, which takes two commits
	}
	err = e.unlessHeld(ctx, id, func(ctx context.Context, lease *lease) error {
		if wait, err := due(); wait > 0 || err != nil {
			return err // another process was first
		}
		return s.readTail(ctx, lease)
	}, "audits")
	return min(s.auditEvery(), time.Minute), err
}

// readTail reads what is due of the tail, and notes how that ended.
func (s *session) readTail(ctx context.Context, lease *lease) error {
	state, err := s.auditTail(ctx)
	if err != nil {
		return err
	}
	ctx, reading := withReading(ctx)
	defer reading.stop(nil)
	t := tail{session: s, lease: lease, state: &state}
	err = t.read(ctx)
	if late := context.Cause(ctx); err != nil && tooLate(late) || ended(ctx) || lease.Lost(err) {
		return err
	}
	state.Checked, state.Failed, state.Unavailable = s.now(), "", ""
	switch refused := new(unavailableError); {
	case errors.As(err, &refused):
		state.Unavailable, err = refused.reason, nil
	case err != nil:
		state.Failed = err.Error()
	}
	state.Readings++
	state.Requests += reading.requests.Load()
	var b storage.Batch
	if putErr := b.PutJSON(s.auditKey(), state); putErr != nil {
		return putErr
	}
	return errors.Join(err, lease.finish(ctx, s.engine.store, &b))
}

// A tail is one reading of it.
type tail struct {
	*session
	lease *lease
	state *auditTail
	org   string              // ID of the organization
	types map[string]bool     // that are selected
	tells map[string][]string // by service of the org, the services of the catalogue that it stands for
}

func (t *tail) read(ctx context.Context) error {
	may, err := t.permissions(ctx, time.Now().Add(-accessFor))
	if err != nil {
		return err
	}
	if may.Known() && !may.Has(auditPermission) {
		return &unavailableError{reason: "the client lacks the permission " + auditPermission}
	}
	if err := t.learnTime(ctx); err != nil {
		return err
	}
	if err := t.resolve(ctx); err != nil {
		return t.failed(ctx, err)
	}
	single, err := t.client.AuditNeedsService(ctx)
	if err != nil {
		return t.failed(ctx, err)
	}
	now, _, _ := t.orgTime()
	due := []string{""}
	if single {
		due = t.dueServices(now)
	}
	for _, service := range due {
		if err := t.readService(ctx, service, now); err != nil {
			return t.failed(ctx, err)
		}
	}
	return nil
}

// failed translates an error of the org.
func (t *tail) failed(ctx context.Context, err error) error {
	if over := t.ends(ctx, err); over != nil {
		return over
	}
	if errors.Is(err, genesys.ErrUnavailable) {
		return &unavailableError{reason: err.Error()}
	}
	return fmt.Errorf("environment: audits: %w", err)
}

// resolve finds out which services of the org tell of the selected types.
func (t *tail) resolve(ctx context.Context) error {
	mapping, err := t.auditMapping(ctx)
	if err != nil {
		return err
	}
	org, err := storage.GetJSON[genesys.Named](ctx, t.engine.store, t.orgKey())
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	t.org = org.ID
	t.types, t.tells = map[string]bool{}, map[string][]string{}
	for _, selected := range t.engine.Selected(t.record) {
		t.types[selected.Name] = true
		if org := mapping.Audit(selected); org.Service != "" && !slices.Contains(t.tells[org.Service], selected.Audit.Service) {
			t.tells[org.Service] = append(t.tells[org.Service], selected.Audit.Service)
		}
	}
	return nil
}

// dueServices returns the services to be read now. They share the budget by how busy they are.
func (t *tail) dueServices(now time.Time) (due []string) {
	total := 0.0
	for service := range t.tells {
		total += t.weight(service)
	}
	for _, service := range slices.Sorted(maps.Keys(t.tells)) {
		perDay := t.auditBudget() * t.weight(service) / total
		every := min(auditRarest, max(t.auditEvery(), time.Duration(float64(24*time.Hour)/perDay)))
		if known := t.state.Services[service]; known == nil || now.Sub(known.Until) >= every-time.Second {
			due = append(due, service)
		}
	}
	return due
}

func (t *tail) weight(service string) float64 {
	weight := 0.5
	if known := t.state.Services[service]; known != nil {
		weight += known.Busy
	}
	return weight
}

// readService reads one service, or all at once, up to now.
func (t *tail) readService(ctx context.Context, service string, now time.Time) error {
	known := t.state.Services[service]
	if known == nil {
		known = &auditService{Until: now.Add(-auditStart)}
		t.state.Services[service] = known
	}
	since := known.Until.Add(-auditOverlap)
	if oldest := now.Add(-auditReach); since.Before(oldest) {
		since = oldest
	}
	for since.Before(now) {
		until := since.Add(auditWindow)
		if until.After(now) {
			until = now
		}
		if err := t.readWindow(ctx, service, known, since, until); err != nil {
			return err
		}
		since = until
	}
	return nil
}

// readWindow reads what was written between two times, and stores it with the cursor.
func (t *tail) readWindow(ctx context.Context, service string, known *auditService, since, until time.Time) error {
	var records []history.Evidence
	n := 0
	for r, err := range t.client.Audits(ctx, genesys.AuditQuery{Since: since, Until: until, Service: service, Realtime: true}) {
		if err != nil {
			return err
		}
		n++
		if e, ok := t.evidence(r); ok {
			records = append(records, e)
		}
	}
	before := *known
	perHour := float64(n) / max(auditOverlap, until.Sub(since)).Hours()
	known.Busy += (perHour - known.Busy) / 8
	known.Until = until
	read := history.AuditsRead{Records: records, Read: map[string]history.Span{}}
	for of, tells := range t.tells {
		if service == "" || service == of {
			for _, name := range tells {
				read.Read[name] = history.Span{Since: since, Until: until}
			}
		}
	}
	err := t.history.Fenced(t.lease.Fence).Attribute(ctx, read, func(b *storage.Batch) error {
		return b.PutJSON(t.auditKey(), t.state)
	})
	if err != nil {
		*known = before
		return err
	}
	for _, e := range records {
		for _, target := range e.Targets {
			if !e.System && !e.At.Before(before.Until.Add(-auditOverlap)) {
				t.hint(target, e.At)
			}
		}
	}
	return nil
}

// auditMapping returns of what the org keeps audits, which is asked for once a day.
func (s *session) auditMapping(ctx context.Context) (mapping genesys.AuditMapping, err error) {
	err = s.audits.do(ctx, func() error {
		if time.Since(s.audits.known) < accessFor {
			mapping = s.audits.mapping
			return nil
		}
		if mapping, err = s.client.AuditMapping(ctx, true); err == nil {
			s.audits.mapping, s.audits.known = mapping, time.Now()
		}
		return err
	})
	return mapping, err
}

// auditCache keeps the mapping of the org's audits.
type auditCache struct {
	gate
	mapping genesys.AuditMapping
	known   time.Time
}

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
