package history

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cxsync/cxsync/internal/instant"
)

// The join finds the records that tell who made a change. A change says only that its object was
// one thing at After and another one at At; a record says that somebody wrote to something at one
// moment. So each record that writes to the object within (After, At] may have made the change, and
// no other may. From these the join leaves out, step by step, what is less likely than the rest: a
// record behind At if there is one before it, what the service did by itself beside what a person
// did, an update beside the creation that the change shows, what changed other properties than the
// change has, and what names other objects. What is left is named, all of it: if it is one actor, that one made the change,
// and else each of them may have.
//
// The spans of two changes of one object overlap, from the start of the pass that found the first
// one to its commit. A record there made one of the two, not both. It belongs to the change that
// has its property; if that does not tell, to the one that has no other record, or none but of the
// service's own; and to both as a possibility if both have.
//
// The invariant: an actor who did not write to the object within the span is never named, and of two
// who may have made a change neither is left out for coming second. So a late record can turn one
// actor into several and pending into anything; it cannot make right what was wrong.

// joinSlack is how much later than a pass saw a change the org's record of it may say it was made:
// the service may write its record after the deed, and its clocks differ.
const joinSlack = 10 * time.Second

// joinEarly is how much earlier than the deed the org's record of it may say it was: some services
// write whole seconds.
const joinEarly = time.Second

// A fact is what the join needs of a change.
type fact struct {
	Seq     uint64    `json:"-"` // in the key
	Type    string    `json:"type"`
	ID      string    `json:"id"`
	Parent  string    `json:"parent,omitempty"`
	Kind    Kind      `json:"kind"`
	After   time.Time `json:"after,omitzero"`
	At      time.Time `json:"at"`
	Paths   []string  `json:"paths,omitempty"`   // of the fields that changed
	Settled bool      `json:"settled,omitempty"` // it stays for its neighbours in time alone
}

// A verdict is what the join found about a fact.
type verdict struct {
	candidates []*keptRecord // that may have made the change
	chosen     []*keptRecord // those of them that the others do not stand behind
}

// join returns a verdict for each fact. They are all that is known of one object, oldest first.
// parent is the type that the object is listed under, "" at the top.
func join(parent string, facts []fact, records []*keptRecord) []verdict {
	verdicts := make([]verdict, len(facts))
	for i := range facts {
		for _, e := range records {
			if mayExplain(parent, &facts[i], e) {
				verdicts[i].candidates = append(verdicts[i].candidates, e)
			}
		}
	}
	for i := range facts[:max(0, len(facts)-1)] {
		separate(&facts[i], &facts[i+1], &verdicts[i], &verdicts[i+1])
	}
	for i := range verdicts {
		verdicts[i].chosen = narrow(&facts[i], verdicts[i].candidates)
	}
	return verdicts
}

// mayExplain reports whether a record wrote to the object that changed, when it may have changed.
func mayExplain(parent string, f *fact, e *keptRecord) bool {
	return inSpan(f, e) && isAbout(parent, f, e)
}

func inSpan(f *fact, e *keptRecord) bool {
	return e.At.After(f.After.Add(-joinEarly)) && !e.At.After(f.At.Add(joinSlack))
}

// isAbout reports whether a record tells of the object that changed: directly, or because the object
// came or went with what it is listed under.
func isAbout(parent string, f *fact, e *keptRecord) bool {
	withParent := f.Parent != "" && (f.Kind == KindDeleted && e.ends() || f.Kind == KindCreated && e.makes())
	return slices.ContainsFunc(e.Targets, func(t Target) bool {
		return t.includes(f.Type, f.ID, f.Parent) || withParent && t.Type == parent && t.ID == f.Parent
	})
}

// points reports whether a record names the object that changed, and nothing else.
func points(f *fact, e *keptRecord) bool {
	if slices.Contains(e.Parts, lastPart(f.ID)) {
		return true
	}
	return len(e.Parts) == 0 && slices.ContainsFunc(e.Targets, func(t Target) bool {
		return t.Type == f.Type && (t.ID == f.ID || t.Last != "")
	})
}

// separate gives a record that two changes of one object could be from to one of them, where it can be told.
func separate(f1, f2 *fact, v1, v2 *verdict) {
	for _, e := range slices.Clone(v1.candidates) {
		if !slices.Contains(v2.candidates, e) {
			continue
		}
		if e.At.After(f1.At) { // a late one of f1 at best, but in time for f2
			v1.drop(e)
			continue
		}
		fits1, fits2 := fits(f1, e), fits(f2, e)
		others1, others2 := hasOther(v1, v2, e), hasOther(v2, v1, e)
		if !others1 && !others2 { // beside what people did, the service's own acts count only here
			others1, others2 = hasAct(f1, v1, v2), hasAct(f2, v2, v1)
		}
		switch {
		case fits1 && !fits2:
			v2.drop(e)
		case fits2 && !fits1:
			v1.drop(e)
		case !others1:
			v2.drop(e)
		case !others2:
			v1.drop(e)
		}
	}
}

func (v *verdict) drop(e *keptRecord) {
	v.candidates = slices.DeleteFunc(v.candidates, func(c *keptRecord) bool { return c == e })
}

// hasOther reports whether v has a candidate that other has not and that is no less than e.
func hasOther(v, other *verdict, e *keptRecord) bool {
	return slices.ContainsFunc(v.candidates, func(c *keptRecord) bool {
		return c != e && (!c.System || e.System) && !slices.Contains(other.candidates, c)
	})
}

// hasAct reports whether v has a candidate of the service's own that other has not, in time for its change.
func hasAct(f *fact, v, other *verdict) bool {
	return slices.ContainsFunc(v.candidates, func(c *keptRecord) bool {
		return c.System && !c.At.After(f.At) && !slices.Contains(other.candidates, c)
	})
}

// narrow returns the candidates that are left when the less likely ones are left out.
func narrow(f *fact, candidates []*keptRecord) []*keptRecord {
	left := candidates
	for _, isBetter := range []func(*keptRecord) bool{
		func(e *keptRecord) bool { return !e.At.After(f.At) },
		func(e *keptRecord) bool { return !e.System },
		(*keptRecord).isNamed,
		func(e *keptRecord) bool { return isOfKind(f.Kind, e) },
		func(e *keptRecord) bool { return overlaps(f, e) },
		func(e *keptRecord) bool { return points(f, e) },
	} {
		if better := filtered(left, isBetter); len(better) > 0 {
			left = better
		}
	}
	return left
}

func filtered(all []*keptRecord, keep func(*keptRecord) bool) []*keptRecord {
	var kept []*keptRecord
	for _, e := range all {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// fits reports whether a record says what a change shows.
func fits(f *fact, e *keptRecord) bool {
	return isOfKind(f.Kind, e) && (f.Kind != KindUpdated || overlaps(f, e))
}

// isOfKind reports whether an action leads to a change of that kind.
func isOfKind(k Kind, e *keptRecord) bool {
	switch k {
	case KindCreated, KindRestored:
		return e.makes()
	case KindDeleted:
		return e.ends()
	}
	return !e.makes() && !e.ends() || len(e.Parts) > 0
}

// overlaps reports whether a record names a field that changed. Audits and bodies spell the names of
// fields alike but for case and separators, and an audit may name a field or what it is in.
func overlaps(f *fact, e *keptRecord) bool {
	for _, property := range e.Properties {
		words := segments(property)
		for _, path := range f.Paths {
			if slices.ContainsFunc(segments(path), func(s string) bool { return slices.Contains(words, s) }) {
				return true
			}
		}
	}
	return false
}

// segments returns the names in a path, "/acwSettings/timeoutMs" or "acwSettings.timeoutMs", folded.
// Places in arrays are left out.
func segments(path string) []string {
	var names []string
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '.' || r == '[' || r == ']' }) {
		name := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, part)
		if strings.ContainsFunc(name, unicode.IsLetter) {
			names = append(names, name)
		}
	}
	return names
}

// attribution says what a verdict comes to.
func (v *verdict) attribution(seq uint64) Attribution {
	a := Attribution{Seq: seq, Status: WhoNone}
	for _, e := range v.chosen {
		a.At = instant.Later(a.At, e.At)
		if !e.System && e.isNamed() {
			a.Actors = addActor(a.Actors, e.Actor)
		}
	}
	switch {
	case len(a.Actors) == 1:
		a.Status = WhoAttributed
	case len(a.Actors) > 1:
		a.Status = WhoSeveral
	case len(v.chosen) > 0 && v.chosen[0].System:
		a.Status = WhoSystem
	}
	return a
}
