package environment

import (
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/ratelimit"
)

// Suggested limits leave room below the service's own 300 requests a minute
// and token for others that use the same OAuth client.
const (
	SuggestedRateLimitMinute = 250
	SuggestedRateLimitDay    = 60_000
)

// A Record describes one environment: one Genesys Cloud org and how it is kept
// in sync. Its JSON has the same names in snake_case.
type Record struct {
	// ID is given by Create, counts from 1 and is never used again.
	ID int64 `json:"id,omitzero"`

	// Name is unique; letter case is ignored.
	Name string `json:"name"`

	// IsProduction guards what cannot be undone. In a production environment, and
	// only there, these need the environment's name as confirmation; without it
	// they fail with ErrUnconfirmed and change nothing:
	//
	//	what                                      confirmed in
	//	deleting the environment                  Delete
	//	erasing the history of an object          Forget
	//	retention that keeps changes shorter      UpdateOptions of Update and Put
	//	leaving production                        UpdateOptions of Update and Put
	//
	// Everything else is the same in every environment.
	IsProduction bool `json:"is_production"`

	// BaseURL is the region of the org in any usual form: "mypurecloud.ie",
	// "https://api.usw2.pure.cloud", "eu-west-1". Plain http is accepted for
	// loopback hosts only.
	BaseURL string `json:"base_url"`

	// LoginURL is needed only where it cannot be derived from BaseURL: behind a gateway.
	LoginURL string `json:"login_url,omitempty"`

	// ClientID and ClientSecret are an OAuth client with the Client Credentials grant.
	ClientID     string `json:"client_id"`
	ClientSecret Secret `json:"client_secret,omitzero"`

	// Requests in any rolling minute, hour or day; 0 disables that limit. Set one: of several,
	// Day rules before Hour before Minute, and the others have no effect. With none, requests are
	// sent as they come until the service asks to wait (429). Records of one OAuth client share
	// its quota.
	RateLimitMinute int `json:"rate_limit_minute"`
	RateLimitHour   int `json:"rate_limit_hour"`
	RateLimitDay    int `json:"rate_limit_day"`

	// Polling says when each type is polled. The entry "All objects" is the default
	// and a type's own entry overrides it; see Engine.Run for when a pass begins. A
	// plan without the default gets "0 * * * *", hourly, and shows it when
	// the record is read back. "off" for all objects stops every type without an entry
	// of its own; Import still reads what is selected.
	Polling []poller.Entry `json:"polling,omitempty"`

	// TimeZone is the IANA name of the zone whose wall clock Polling follows, such as
	// "Europe/Vienna"; see package poller for changes of the clock. Defaults to UTC.
	TimeZone string `json:"time_zone,omitempty"`

	// RetentionDays keeps a change until it has been superseded for that long;
	// the newest change of each object is always kept. 0 keeps all.
	RetentionDays int `json:"retention_days"`

	// AuditMinutes is how often Engine.Run reads the org's audits, in minutes, to tell who made
	// a change: history.Change.Who. The first reading begins a day earlier; what was recorded before that
	// stays without a name. It takes the permission audits:audit:view, and about
	// one request each time, at most 1 % of the quota. 0 turns it off. A record
	// that ParseRecord reads and that leaves it out gets DefaultAuditMinutes.
	AuditMinutes int `json:"audit_minutes"`

	// Ignore is added to the default rules, which always apply.
	Ignore []IgnoreRule `json:"ignore,omitempty"`

	// Types selects types of objects by name or label: "routing.queues", "Queues". Empty selects
	// every type that is on by default, adds those that Polling names and leaves out those that
	// it turns off. A type that a selected one is listed under is always included.
	Types []string `json:"types,omitempty"`

	// Paused stops scheduled polling; see Engine.Pause.
	Paused bool `json:"paused,omitempty"`

	// Created and Updated are by the clock of the machine that did it.
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`

	// Deleting is when a Delete began that has not ended yet.
	Deleting time.Time `json:"deleting,omitzero"`

	// Revision counts updates. An Update with another revision than the stored
	// one is refused.
	Revision int64 `json:"revision,omitzero"`
}

// An IgnoreRule leaves a field out of comparison: out of detection and out of
// the field changes, not out of the stored body.
type IgnoreRule struct {
	Type  string `json:"type"`  // name or label of a type, or "All objects"
	Field string `json:"field"` // dotted path; "*" is one level, "**" any depth
}

func (r Record) limits() ratelimit.Limits {
	return ratelimit.Limits{Minute: r.RateLimitMinute, Hour: r.RateLimitHour, Day: r.RateLimitDay}
}

func (r Record) retention() history.Retention {
	return history.Retention{MaxAge: time.Duration(r.RetentionDays) * 24 * time.Hour}
}

func (r Record) client() genesys.Config {
	return genesys.Config{BaseURL: r.BaseURL, LoginURL: r.LoginURL, ClientID: r.ClientID, ClientSecret: r.ClientSecret.Reveal()}
}
