package genesystest

import (
	"iter"
	"slices"
)

// System is the editor of edits that the platform makes by itself. Their audit
// records have the level SYSTEM and name nobody.
const System = "system"

// An Editor edits an org as somebody: versions, dates and authors move, and
// audits are written, as in the service.
type Editor struct {
	org *Org
	who string
}

// As returns an editor for a user, by ID, for [Org.Support] or for [System].
// What the methods of Org edit is done by the first user; what a client writes
// over HTTP is done by it.
func (o *Org) As(who string) Editor { return Editor{o, who} }

// Support is the ID of a person of another org who may act in this one, as
// partners and the support of Genesys do.
func (o *Org) Support() string { return makeUUID(o.opts.Seed^0x737570, 0, 0) }

// Create is Org.Create by the editor.
func (e Editor) Create(typ string, fields any) (id string, err error) {
	return e.CreateChild(typ, "", fields)
}

// CreateChild is Org.CreateChild by the editor.
func (e Editor) CreateChild(typ, parentID string, fields any) (id string, err error) {
	patch, err := toFields(fields)
	if err != nil {
		return "", err
	}
	o := e.org
	o.mu.Lock()
	defer o.mu.Unlock()
	s, err := o.shapeOf(typ)
	if err != nil {
		return "", err
	}
	id, _, err = o.create(s, parentID, patch, o.author(e.who))
	return id, err
}

// Update is Org.Update by the editor.
func (e Editor) Update(typ, id string, patch any) error {
	p, err := toFields(patch)
	if err != nil {
		return err
	}
	return e.org.edit(typ, id, func(s *shape) error {
		_, err := e.org.update(s, id, "Update", func(body *fields) { body.merge(p) }, e.org.author(e.who))
		return err
	})
}

// Delete is Org.Delete by the editor.
func (e Editor) Delete(typ, id string) error {
	return e.org.edit(typ, id, func(s *shape) error { return e.org.remove(s, id, e.org.author(e.who)) })
}

// Edits walks what was done to the org, in the order of time: the truth that
// audits tell some of. It has the last 100,000 edits.
func (o *Org) Edits() iter.Seq[Edit] {
	o.mu.Lock()
	log := slices.Clip(o.audit.log)
	o.mu.Unlock()
	return func(yield func(Edit) bool) {
		for i := range log {
			if !log[i].noEdit && !yield(log[i].Edit) {
				return
			}
		}
	}
}
