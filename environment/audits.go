package environment

import (
	"context"
	"errors"
	"time"

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
func (s *session) auditBudget() float64 { return auditShare * s.requestsPerDay() }

// requestsPerDay is how many requests the quota allows in a day.
func (s *session) requestsPerDay() float64 {
	limit, err := s.record.limits().Effective()
	perDay := float64(serverPerMinute * 24 * 60)
	if err == nil && limit.N > 0 {
		perDay = min(perDay, float64(limit.N)*float64(24*time.Hour)/float64(limit.Window))
	}
	return perDay
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
