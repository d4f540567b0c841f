package genesys

import (
	"strings"
	"time"
)

// The levels of an audit record say who acted.
const (
	AuditLevelUser     = "USER"             // a person, or an OAuth client
	AuditLevelSystem   = "SYSTEM"           // a service of the platform, often as the echo of a person's act
	AuditLevelInternal = "GENESYS_INTERNAL" // an employee of Genesys
)

// An AuditRecord says who did what to what, and when. Its texts are printable
// and clipped, and values of secrets are [SecretMark]. Decoding accepts every
// shape in which audits come: that of the queries, that of the notification
// topic (see ParseAuditEvent), and the one that encoding makes. What has an
// unexpected form is left empty, since one odd member says nothing about the others.
type AuditRecord struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"eventDate"`   // by the clock of the org; zero if it cannot be read
	Service string    `json:"serviceName"` // "ContactCenter"
	Action  string    `json:"action"`      // "Update"
	Level   string    `json:"level"`       // AuditLevelUser, AuditLevelSystem or AuditLevelInternal
	Status  string    `json:"status"`      // SUCCESS, FAILURE or WARNING; empty in events

	Entity AuditEntity `json:"entity"` // what was acted on

	// User is empty where a service or a client acted for nobody; see Actor. The
	// user may belong to another org, that of a partner or of Genesys.
	User      Named    `json:"user"`
	UserOrgID string   `json:"userHomeOrgId"`
	Client    Named    `json:"client"` // the OAuth client; orgs leave it empty
	RemoteIP  []string `json:"remoteIp,omitempty"`

	Application          string            `json:"application,omitempty"`
	InitiatedBy          string            `json:"initiatedBy,omitempty"` // ID of the record of the act that this one follows from
	TransactionInitiator bool              `json:"transactionInitiator,omitempty"`
	Message              string            `json:"message,omitempty"`
	Context              map[string]string `json:"context,omitempty"`

	Properties []PropertyChange `json:"propertyChanges,omitempty"`
	Entities   []EntityChange   `json:"entityChanges,omitempty"`
}

// An AuditEntity is what a record tells of. Service and Type together name a
// kind of thing as audits do; see Catalogue.Audited.
type AuditEntity struct {
	Type string `json:"type"` // "Queue"
	ID   string `json:"id"`
	Name string `json:"name"`
}

// A PropertyChange is one property that an action changed. Values may be JSON.
type PropertyChange struct {
	Property  string   `json:"property"`
	OldValues []string `json:"oldValues,omitempty"`
	NewValues []string `json:"newValues,omitempty"`
}

// An EntityChange is one other entity that an action added, removed or changed.
type EntityChange struct {
	ID        string   `json:"entityId"`
	Name      string   `json:"entityName"`
	Type      string   `json:"entityType"`
	OldValues []string `json:"oldValues,omitempty"`
	NewValues []string `json:"newValues,omitempty"`
}

// Writes reports whether the record tells of an edit that was made: its action
// is one that changes something, and it did not fail.
func (r AuditRecord) Writes() bool {
	return !strings.EqualFold(r.Status, "FAILURE") && actionWrites(r.Action)
}

// Actor returns the user who acted, with an empty ID where the record names
// none. Records of groups name their author in Context only.
func (r AuditRecord) Actor() Named {
	if r.User.ID != "" || r.Service != "Groups" {
		return r.User
	}
	for key, value := range r.Context {
		if strings.EqualFold(key, "userId") && value != "" {
			return Named{ID: value, Name: r.User.Name}
		}
	}
	return r.User
}
