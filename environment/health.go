package environment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How an environment is doing, in a word: what a person asks first, and what an alarm watches. It is
// a function of the Status alone, so it says the same in every process. The question behind the
// verdicts is whether the history can be trusted to have what the plan promises.

// A Verdict says in one word how an environment or a type is doing.
type Verdict string

// The verdicts, the best first.
const (
	VerdictGood    Verdict = "good"    // what is on record is as fresh as the plan says
	VerdictLate    Verdict = "late"    // a scheduled pass is overdue
	VerdictBlind   Verdict = "blind"   // edits, or deletions for a week, cannot be seen
	VerdictFailing Verdict = "failing" // the last pass ended with an error
)

// rank orders verdicts, the worst last.
func (v Verdict) rank() int {
	return slices.Index([]Verdict{VerdictGood, VerdictLate, VerdictBlind, VerdictFailing}, v)
}

// A Condition is a verdict with its reason.
type Condition struct {
	Verdict Verdict   `json:"verdict"`
	Reason  string    `json:"reason,omitempty"` // one sentence; empty where there is nothing to say
	Since   time.Time `json:"since,omitzero"`   // since when; zero if that is not known
}

// A TypeHealth is the health of one type.
type TypeHealth struct {
	Type string `json:"type"`
	Condition
}

// A Health is the health of an environment: the worst of its types. A type that was never readable,
// for lack of a permission or a product, is blind by itself but does not make the environment so:
// nothing that was once on record goes stale. If no type was ever readable, the environment is
// blind.
type Health struct {
	Environment int64  `json:"environment"`
	Name        string `json:"name"`
	Condition
	Types []TypeHealth `json:"types"`
}

// Health returns how an environment and its types are doing, in a word, a reason and
// since when. It makes no request.
func (e *Engine) Health(ctx context.Context, id int64) (Health, error) {
	status, err := e.Status(ctx, id)
	if err != nil {
		return Health{}, err
	}
	return status.Health(time.Now()), nil
}

const (
	// lateAfter is how long after its tick a pass may still not have ended: types that
	// share a tick are spread over 30 seconds, and wait for the quota together.
	lateAfter = 5 * time.Minute
	// lateRunning is the same for a pass that is being made.
	lateRunning = time.Hour
)

// Health judges a status. The time is that of the clock that schedules follow, this
// machine's.
func (s Status) Health(now time.Time) Health {
	h := Health{Environment: s.Record.ID, Name: s.Record.Name, Types: make([]TypeHealth, len(s.Types))}
	for i, t := range s.Types {
		h.Types[i] = TypeHealth{t.Type, t.health(now.In(s.Record.Location()), slices.Contains(s.Unproven, t.Type))}
	}
	h.Condition = s.worst(h.Types)
	return h
}

// worst is the verdict on an environment: the worst of its types, since the first of those that
// share it began, or for good health since the last trouble of any type ended.
func (s Status) worst(types []TypeHealth) Condition {
	h := Condition{Verdict: VerdictGood}
	var counted []TypeHealth // the types with the worst verdict so far
	neverReadable := 0
	for i, t := range types {
		if t.Verdict == VerdictBlind && s.Types[i].LastPass.IsZero() {
			neverReadable++
			continue
		}
		switch worse := t.Verdict.rank() - h.Verdict.rank(); {
		case worse > 0:
			h, counted = Condition{Verdict: t.Verdict}, append(counted[:0], t)
		case worse == 0:
			counted = append(counted, t)
		}
	}
	if neverReadable == len(types) && neverReadable > 0 {
		h.Verdict, counted = VerdictBlind, types
	}
	for _, t := range counted {
		longer := t.Since.Before(h.Since) != (h.Verdict == VerdictGood) // good is since the last trouble ended
		if h.Since.IsZero() || longer && !t.Since.IsZero() {
			h.Since = t.Since
		}
	}
	h.Reason = s.reason(h.Verdict, counted, neverReadable)
	return h
}

// reason puts into words what counted for the verdict on an environment.
func (s Status) reason(v Verdict, counted []TypeHealth, neverReadable int) string {
	switch {
	case v != VerdictGood && len(counted) == 1:
		return fmt.Sprintf("%s: %s", counted[0].Type, counted[0].Reason)
	case v != VerdictGood:
		does := map[Verdict]string{VerdictLate: "are late", VerdictBlind: "are not fully seen", VerdictFailing: "fail"}[v]
		return fmt.Sprintf("%d of %d types %s; %s: %s", len(counted), len(s.Types), does, counted[0].Type, counted[0].Reason)
	case s.Record.Paused:
		return "paused: nothing is polled until it is resumed"
	case neverReadable > 0:
		return fmt.Sprintf("%d of %d types cannot be read with this client, and never could", neverReadable, len(s.Types))
	}
	return ""
}

// health judges one type; unproven is whether Status.Unproven names it. The first case that holds is
// the verdict, so the cases are ordered from the worst to the best. Times are in the zone of now.
func (t TypeStatus) health(now time.Time, unproven bool) Condition {
	wait := lateAfter
	if t.Running {
		wait = lateRunning
	}
	switch {
	case t.Failed != "":
		return Condition{VerdictFailing, strings.TrimPrefix(t.Failed, "environment: "+t.Type+": "), t.Since}
	case t.Unavailable != "":
		return Condition{VerdictBlind, t.Unavailable, t.Since}
	case unproven:
		return Condition{VerdictBlind, "no pass could prove what is gone: " + cmp.Or(t.Reason, "none was complete"), t.Unproven}
	case !t.Due.IsZero() && now.Sub(t.Due) > wait:
		made := "made"
		if t.Running {
			made = "ended"
		}
		due := t.Due.In(now.Location()).Format("2006-01-02 15:04 MST")
		return Condition{VerdictLate, fmt.Sprintf("the pass due at %s has not been %s", due, made), t.Due}
	case t.LastPass.IsZero() && t.Due.IsZero() && t.Cron == "off":
		return Condition{VerdictGood, "off: it is read only when somebody asks", t.Since}
	case t.LastPass.IsZero():
		return Condition{VerdictGood, "not read yet", t.Since}
	case !t.Complete:
		return Condition{VerdictGood, "its last pass proved no removal: " + t.Reason, t.Since}
	}
	return Condition{VerdictGood, "", t.Since}
}
