package environment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/ratelimit"
)

// Whether an org lets an environment be synced. Each check is one finding with one remedy. Only what
// makes everything fail is StatusFailed; what makes something missing or late is a warning, so that
// a person can go on with a client that reads most types. No check reads objects: the permissions
// tell which types can be read.

// guide is the document that says how the OAuth client is made, for remedies to point into.
const guide = "docs/oauth-client.md"

// validateTimeout bounds Validate when the network does not answer.
const validateTimeout = 30 * time.Second

// A CheckStatus is the outcome of one check.
type CheckStatus string

// The outcomes.
const (
	StatusOK      CheckStatus = "ok"
	StatusWarning CheckStatus = "warning" // works, but something will be missing or late
	StatusFailed  CheckStatus = "failed"  // nothing works until it is mended
	StatusUnknown CheckStatus = "unknown" // could not be found out
)

// A Check is one finding of Validate.
type Check struct {
	Name    string      `json:"name"`
	Status  CheckStatus `json:"status"`
	Finding string      `json:"finding"`
	Remedy  string      `json:"remedy,omitempty"`  // what to do, where there is something to do
	Details []string    `json:"details,omitempty"` // that the remedy speaks of
}

// A Validation is what Validate found.
type Validation struct {
	Checks       []Check `json:"checks"`
	Organization string  `json:"organization,omitempty"` // name of the org, once it is known

	// Missing are the permissions that the client lacks, each with all selected types that it
	// unlocks. Excess are those that it has and no selected type needs; those that let it write
	// come first. Both are empty if the permissions could not be found out.
	Missing []genesys.Need `json:"missing"`
	Excess  []string       `json:"excess"`
}

// OK reports whether nothing failed.
func (v Validation) OK() bool {
	return !slices.ContainsFunc(v.Checks, func(c Check) bool { return c.Status == StatusFailed })
}

// String returns one line a check, and its remedy below.
func (v Validation) String() string {
	var b strings.Builder
	for _, c := range v.Checks {
		fmt.Fprintf(&b, "%-8s %-12s %s\n", printable.Text(string(c.Status)), printable.Text(c.Name), printable.Text(c.Finding))
		if c.Remedy != "" {
			fmt.Fprintf(&b, "%-21s %s\n", "", printable.Text(c.Remedy))
		}
		for _, detail := range c.Details {
			fmt.Fprintf(&b, "%-23s %s\n", "", printable.Text(detail))
		}
	}
	return b.String()
}

func (v *Validation) add(name string, status CheckStatus, finding, remedy string) {
	v.Checks = append(v.Checks, Check{Name: name, Status: status, Finding: finding, Remedy: remedy})
}

// detail adds to the last check.
func (v *Validation) detail(text string) {
	last := &v.Checks[len(v.Checks)-1]
	last.Details = append(last.Details, text)
}

// Validate finds out whether the environment can be synced: region, login, organization, whether
// the OAuth client is going to be deleted, permissions missing and in excess, divisions, and whether
// the quota is enough for the plan. What is wrong with the org, the network or the secret is in the
// result; the error is for an environment that does not exist or a store that fails. It takes a
// handful of requests, with interactive priority, and ends within 30 seconds.
func (e *Engine) Validate(ctx context.Context, id int64) (Validation, error) {
	s, err := e.online(ctx, id, OpValidate)
	if errors.Is(err, ErrNoSecret) || errors.Is(err, ErrSealed) {
		v := Validation{Missing: []genesys.Need{}, Excess: []string{}}
		v.add("secret", StatusFailed, err.Error(), "Generate a new secret and put it into the record ("+guide+"#the-secret).")
		return v, nil
	}
	if err != nil {
		return Validation{}, err
	}
	forecast, err := s.forecast(ctx)
	if err != nil {
		return Validation{}, err
	}
	ctx, cancel := context.WithTimeout(ratelimit.WithPriority(ctx, ratelimit.Interactive), validateTimeout)
	defer cancel()
	v := Validation{Missing: []genesys.Need{}, Excess: []string{}}
	for _, doubt := range s.record.doubts(e.opts.Catalogue) {
		v.add("record", StatusWarning, doubt.Error(), "Change the record if this is not what you mean.")
	}
	v.add("region", StatusOK, "API "+s.client.BaseURL()+", login "+s.client.LoginURL(), "")
	if v.login(ctx, s) {
		v.oauthClient(ctx, s)
		v.permissions(ctx, s)
	}
	v.quota(s.record, forecast)
	return v, nil
}

// login proves token and organization with one request each. It reports whether the client was let
// in: nothing else can be found out otherwise. A quota that is used up is no fault of the org's.
func (v *Validation) login(ctx context.Context, s *session) bool {
	org, err := s.client.Organization(ctx)
	refused, isRefused := errors.AsType[*genesys.AuthError](err)
	_, isUsedUp := errors.AsType[*ratelimit.DeadlineError](err)
	if errors.Is(err, context.DeadlineExceeded) && s.limiter.State().Free == 0 {
		isUsedUp = true // it was waiting for a slot, and nobody could say how long that takes
	}
	switch {
	case isRefused:
		v.add("login", StatusFailed, strings.TrimSuffix(refused.Error(), ": "+refused.Remedy), refused.Remedy)
		return false
	case isUsedUp:
		v.add("login", StatusUnknown, err.Error(), "Validate again when the quota has a free slot, or raise the limit.")
		return false
	case errors.Is(err, genesys.ErrUnavailable):
		v.add("login", StatusOK, "a token was granted", "")
		v.add("organization", StatusUnknown, err.Error(), "")
		return true
	case err != nil:
		v.add("login", StatusFailed, err.Error(), "Check that "+s.client.LoginURL()+" and "+s.client.BaseURL()+" can be reached from this machine.")
		return false
	}
	v.Organization = org.Name
	v.add("login", StatusOK, "a token was granted", "")
	v.add("organization", StatusOK, fmt.Sprintf("%s (%s)", org.Name, org.ID), "")
	return true
}

// oauthClient warns of the day on which the OAuth client is deleted, and with it the login.
func (v *Validation) oauthClient(ctx context.Context, s *session) {
	access, err := s.client.Access(ctx)
	if ends := access.Client.DateToDelete; err == nil && !ends.IsZero() {
		v.add("client", StatusWarning, "the OAuth client is deleted on "+ends.UTC().Format(time.DateOnly),
			"Before that, put the ID and secret of another OAuth client into the record ("+guide+"#deletion-dates).")
	}
}

// permissions looks at what the client may read, and in which divisions.
func (v *Validation) permissions(ctx context.Context, s *session) {
	may, err := s.client.Permissions(ctx)
	if err != nil {
		v.add("permissions", StatusUnknown, err.Error(), "Import shows which object types can be read.")
		return
	}
	if !may.Known() {
		v.add("permissions", StatusUnknown, "the client's grants could not be read", "Import shows which object types can be read.")
		return
	}
	var missing, partial, off, unknown []string
	types := s.engine.Selected(s.record)
	for _, t := range types {
		if t.PermissionUnknown {
			unknown = append(unknown, t.Name)
		}
		switch verdict, _ := may.Allows(t); verdict {
		case genesys.VerdictMissing:
			missing = append(missing, t.Name)
		case genesys.VerdictNotInOrg:
			off = append(off, t.Name)
		default:
			if c := may.Coverage(t); !c.AllDivisions && len(c.Divisions) > 0 {
				partial = append(partial, t.Name)
			}
		}
	}
	if len(off) > 0 {
		v.add("products", StatusOK, fmt.Sprintf("%d types belong to products that this org does not have: %s", len(off), abridge(off, 5)), "")
	}
	v.Missing = may.Missing(types)
	if len(v.Missing) == 0 {
		v.add("permissions", StatusOK, fmt.Sprintf("%d types can be read", len(types)-len(off)), "")
	} else {
		v.add("permissions", StatusWarning, lacking(v.Missing, missing, len(types)),
			"Give a role of the OAuth client these permissions ("+guide+"#the-role); each unlocks:")
		for _, need := range v.Missing {
			v.detail(need.Permission + ": " + strings.Join(need.Types, ", "))
		}
	}
	if len(unknown) > 0 {
		v.add("permissions", StatusOK, fmt.Sprintf("%d types of which no permission is known are tried: %s", len(unknown), abridge(unknown, 5)), "")
	}
	v.audits(may, s.record)
	v.excess(may, s.engine.needed(s.record))
	if len(partial) == 0 {
		v.add("divisions", StatusOK, "the roles cover all divisions, future ones too", "")
	} else {
		v.add("divisions", StatusWarning, fmt.Sprintf("%d types are seen in some divisions only: %s", len(partial), abridge(partial, 5)),
			`In Admin > OAuth > the client > Roles, give each role "All future divisions" (`+guide+`#divisions); else objects of other divisions stay unseen.`)
	}
}

// lacking says how many types cannot be read (missing), or only in part: those that needs names
// beside them.
func lacking(needs []genesys.Need, missing []string, types int) string {
	short := map[string]bool{}
	for _, need := range needs {
		for _, name := range need.Types {
			short[name] = true
		}
	}
	for _, name := range missing {
		delete(short, name)
	}
	finding := fmt.Sprintf("%d of %d selected types cannot be read", len(missing), types)
	if len(short) > 0 {
		finding += fmt.Sprintf(", and %d only in part: %s", len(short), abridge(slices.Sorted(maps.Keys(short)), 5))
	}
	return finding
}

// audits says whether it can be found out who makes changes.
func (v *Validation) audits(may *genesys.Permissions, r Record) {
	switch {
	case r.AuditMinutes == 0:
		v.add("audits", StatusOK, "are off: changes do not say who made them", "")
	case may.Has(auditPermission):
		v.add("audits", StatusOK, fmt.Sprintf("are read every %d minutes to say who made a change", r.AuditMinutes), "")
	default:
		v.add("audits", StatusWarning, "cannot be read: changes will not say who made them",
			"Give a role of the OAuth client the permission "+auditPermission+" ("+guide+"#the-role), or set audit_minutes to 0.")
	}
}

// excess warns of what the client could do beyond what this record needs.
func (v *Validation) excess(may *genesys.Permissions, types []genesys.ObjectType) {
	writing, reading := may.Excess(types)
	v.Excess = slices.Concat(writing, reading)
	if len(writing) > 0 {
		v.add("excess", StatusWarning, fmt.Sprintf("the client may write what it only has to read, with %d permissions: %s", len(writing), abridge(writing, 5)),
			"Give it a role with no more than Engine.Role returns ("+guide+"#the-role).")
	} else if len(reading) > 0 {
		v.add("excess", StatusOK, fmt.Sprintf("the client may read more than is selected, with %d permissions: %s", len(reading), abridge(reading, 5)), "")
	}
}

// quota compares the plan with the limit.
func (v *Validation) quota(r Record, f Forecast) {
	if f.Limit.N > 0 {
		v.limits(r)
	}
	switch {
	case f.Limit.N == 0:
		v.add("quota", StatusWarning, "no rate limit is set", fmt.Sprintf("Set rate_limit_minute (suggested %d) or rate_limit_day (suggested %d).", SuggestedRateLimitMinute, SuggestedRateLimitDay))
	case f.Fits:
		v.add("quota", StatusOK, fmt.Sprintf("the plan takes about %.0f requests a day of the %.0f that the limit (%v) and the service (%d a minute) allow", f.PerDay, f.LimitPerDay, f.Limit, serverPerMinute), "")
	default:
		v.add("quota", StatusWarning, fmt.Sprintf("the plan takes about %.0f requests a day, the limit (%v) allows %.0f: passes will be late", f.PerDay, f.Limit, f.LimitPerDay),
			f.remedy())
	}
}

// limits says which limit rules and which have no effect, and what the service itself allows.
func (v *Validation) limits(r Record) {
	rules, idle := "", []string{}
	for _, limit := range []struct {
		field string
		n     int
	}{{"rate_limit_day", r.RateLimitDay}, {"rate_limit_hour", r.RateLimitHour}, {"rate_limit_minute", r.RateLimitMinute}} {
		switch {
		case limit.n == 0:
		case rules == "":
			rules = fmt.Sprintf("%s (%d) rules", limit.field, limit.n)
		default:
			idle = append(idle, fmt.Sprintf("%s (%d)", limit.field, limit.n))
		}
	}
	finding := rules
	if len(idle) > 0 {
		finding += ", without effect: " + strings.Join(idle, ", ")
	}
	finding += fmt.Sprintf("; the service itself allows %d requests a minute and token", serverPerMinute)
	if r.RateLimitDay == 0 && r.RateLimitHour == 0 && r.RateLimitMinute > serverPerMinute {
		v.add("limits", StatusWarning, finding, fmt.Sprintf("Lower rate_limit_minute to %d or less: what is sent beyond that is refused (429) and sent again.", SuggestedRateLimitMinute))
		return
	}
	v.add("limits", StatusOK, finding, "")
}

// remedy says how to make the plan fit.
func (f Forecast) remedy() string {
	var dearest []string
	for _, t := range f.Types {
		dearest = append(dearest, t.Type)
	}
	remedy := "Poll less often, or fewer object types; the most expensive: " + abridge(dearest, 5) + "."
	if len(f.Proposal) > 0 {
		remedy += fmt.Sprintf(" With %q for all other objects it fits.", f.Proposal[0].Cron)
	}
	return remedy
}

// abridge joins the first n names and counts the rest.
func abridge(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
