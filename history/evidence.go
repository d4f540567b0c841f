package history

import (
	"slices"
	"strings"
	"time"
)

// Evidence is what one audit record of an org says: who did what to what, and when.
type Evidence struct {
	ID         string    `json:"id"`                   // of the record: one that is given twice counts once
	At         time.Time `json:"at"`                   // when it was done, by the org's time
	Targets    []Target  `json:"targets"`              // what it may be about, in the history's terms
	Entity     string    `json:"entity"`               // the kind of thing, in the words of the audits: "Queue"
	Object     string    `json:"object,omitempty"`     // the id of the thing there
	Name       string    `json:"name,omitempty"`       // of the thing
	Action     string    `json:"action"`               // what was done to it: "Update"
	Actor      Actor     `json:"actor,omitzero"`       // who did it; empty where the record does not say
	System     bool      `json:"system,omitempty"`     // the service did it by itself
	Properties []string  `json:"properties,omitempty"` // of the thing, that it changed
	Parts      []string  `json:"parts,omitempty"`      // ids of other things that it names, such as members that were added
}

// A Target is an object, or the objects below one, or a type. What is empty is not known.
type Target struct {
	Type  string `json:"type"`
	ID    string `json:"id,omitempty"`
	Below string `json:"below,omitempty"` // the id of the object below which it is
	Last  string `json:"last,omitempty"`  // the last part of its id
}

// includes reports whether a target is an object, or may be.
func (t Target) includes(typeName, id, parent string) bool {
	return t.Type == typeName && (t.ID == "" || t.ID == id) && (t.Last == "" || t.Last == lastPart(id)) &&
		(t.Below == "" || t.Below == id || t.Below == parent || strings.HasPrefix(id, t.Below+"/"))
}

// A keptRecord is a record as it is kept, with what became of it.
type keptRecord struct {
	Evidence
	Claims  []string `json:"claims,omitempty"`  // the objects whose settled changes are attributed to it
	Spanned bool     `json:"spanned,omitempty"` // it was done when a settled change may have happened
	Erased  bool     `json:"erased,omitempty"`  // its actor is forgotten

	key    string
	isGone bool // it was let go
}

// isNamed reports whether it is known, or was, who did it.
func (e *keptRecord) isNamed() bool { return e.Erased || e.Actor != Actor{} }

// Bounds of what is kept of a record.
const (
	maxProperties = 64
	maxParts      = 256
	maxTargets    = 256
)

// clipped returns e as it is kept.
func (e Evidence) clipped() Evidence {
	e.At = plain(e.At)
	e.Name, e.Action, e.Actor = clip(e.Name), clip(e.Action), e.Actor.clipped()
	e.Entity, e.Object = clip(e.Entity), clip(e.Object)
	e.Targets = slices.Clone(e.Targets[:min(maxTargets, len(e.Targets))])
	e.Properties = clipAll(e.Properties, maxProperties)
	e.Parts = clipAll(e.Parts, maxParts)
	return e
}

func (a Actor) clipped() Actor {
	return Actor{ID: clip(a.ID), Name: clip(a.Name), Client: clip(a.Client), Org: clip(a.Org)}
}

func clipAll(texts []string, n int) []string {
	texts = slices.Clone(texts[:min(n, len(texts))])
	for i, text := range texts {
		texts[i] = clip(text)
	}
	return texts
}

// Words of actions that bring their object, or take it. Services name their actions as they like
// ("MemberAdd"), so these are looked for among the words of the name.
var (
	making = []string{"create", "add", "import", "copy", "clone", "upload", "restore", "undelete", "assign"}
	ending = []string{"delete", "remove", "purge", "unassign"}
)

// actionWords returns the words of a name such as "MemberAdd", in lower case.
func actionWords(name string) []string {
	var spaced strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(spaced.String()), func(r rune) bool { return r == ' ' || r == '_' || r == '-' })
}

// makes and ends report whether an action brings its object, or takes it.
func (e *Evidence) makes() bool { return e.hasWord(making) }
func (e *Evidence) ends() bool  { return e.hasWord(ending) }

func (e *Evidence) hasWord(words []string) bool {
	return slices.ContainsFunc(actionWords(e.Action), func(w string) bool { return slices.Contains(words, w) })
}

// addActor adds an actor unless it is there: by its id, or without one by client and name. A name
// that was not known is filled in.
func addActor(all []Actor, a Actor) []Actor {
	same := func(b Actor) bool {
		if a.ID != "" || b.ID != "" {
			return a.ID == b.ID
		}
		return a.Client == b.Client && a.Name == b.Name
	}
	if i := slices.IndexFunc(all, same); i >= 0 {
		if all[i].Name == "" {
			all[i].Name = a.Name
		}
		return all
	}
	return append(all, a)
}
