package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/cxsync/cxsync/storage"
)

// What makes the id of an object may turn out to be wrong: the id of a version was taken for that of
// the object, or a whole list for one object. A newer catalogue then calls the same objects by other
// ids. Without more, a pass would find all of them deleted and created.
//
// So the first pass by a new rule begins with the bodies on record: Identity says which objects
// they are of, and their heads move there, with all that is kept under an id. Bodies say it more
// safely than what the pass is about to see, since a version that was published meanwhile has
// another id. Each commit moves whole objects, so that a pass which dies in between leaves what the
// next one completes.
//
// The log is not rewritten. Its entries keep the ids that they were recorded under, and a key
// former/<type>/<id> says what they are called now: everything that reads many entries gives them
// the id of today (frames), and what follows one object knows its id anyway. So a moved object
// keeps its past.
//
// Three things have no counterpart and end without a change, by an entry of kindSuperseded: an older
// version that was recorded beside a newer one of the same object, an object that is now a list of
// objects, which are imported from its body, and a body that does not tell what it is of.

// An Identity says which objects the bodies are of that were recorded by another rule for ids.
type Identity struct {
	// Rule names the rule that makes ids now. It changes with the rule, and is not empty.
	Rule string

	// Objects returns the objects that a body below a parent, "" at the top, is of. Mostly it is
	// one, without a Body: that is the whole body. Others, each with an ID, a Name and a Body, were
	// recorded as one. There are none if the body does not tell.
	Objects func(parent string, body []byte) []Object
}

// kindSuperseded ends what was recorded under an id that is none of an object any more. It is no
// change.
const kindSuperseded Kind = "superseded"

// identify brings what is on record of the type under the ids by which it is known now. It is done
// once for each rule: the record of the pass names the rule. As ids below a parent begin with that
// of the parent, it is done again until the types above have moved too.
func (p *Pass) identify(ctx context.Context) error {
	rule, settled, err := p.h.identityRule(ctx, p.typeName)
	if err != nil || rule == p.last.Identity {
		return err
	}
	moves, lost, err := p.h.moves(ctx, p.typeName)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(moves, p.h.opts.BatchObjects) {
		err := p.h.commit(ctx, p.origin, func(t *tx) error {
			for _, m := range chunk {
				if err := m.write(ctx, p.h, t); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if settled {
		p.last.Identity = rule
	}
	p.last.Forgot = p.last.Forgot || lost
	return p.h.moveParentRecords(ctx, p.origin, p.typeName)
}

// identityRule returns the rule that makes ids of a type: its own and those of the types above, whose
// ids begin its own. It is settled if what is above goes by it already.
func (h *History) identityRule(ctx context.Context, typeName string) (rule string, settled bool, err error) {
	model := h.opts.Models[typeName]
	settled = true
	if model.Parent != "" {
		if rule, settled, err = h.identityRule(ctx, model.Parent); err != nil {
			return "", false, err
		}
		if rule != "" && settled {
			last, err := h.passRecord(ctx, model.Parent)
			if err != nil {
				return "", false, err
			}
			settled = last.Identity == rule
		}
	}
	if own := model.Identity; own != nil {
		rule += "/" + own.Rule
	}
	return rule, settled, nil
}

// formerIDs returns the ids of today by those that objects of a type were recorded under.
func (h *History) formerIDs(ctx context.Context, typeName string) (map[string]string, error) {
	if typeName == "" {
		return nil, nil
	}
	all, err := h.former(ctx, h.keys.below("former", typeName))
	return all[typeName], err
}

// former reads the ids of today in a range of keys, by type and former id.
func (h *History) former(ctx context.Context, r storage.Range) (map[string]map[string]string, error) {
	var all map[string]map[string]string
	for e, err := range h.store.Scan(ctx, r) {
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		parts, err := storage.SplitKey(e.Key[len(h.keys.root):])
		if err != nil || len(parts) != 3 {
			return nil, fmt.Errorf("history: %q is not the key of a former id", e.Key)
		}
		var now string
		if err := decode(e.Key, e.Value, &now); err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]map[string]string{}
		}
		if all[parts[1]] == nil {
			all[parts[1]] = map[string]string{}
		}
		all[parts[1]][parts[2]] = now
	}
	for _, ids := range all {
		// It may have moved twice, and then the key of the first move leads to that of the second. In an
		// older store an id that moved and came back leads round in a circle, where the search has to end.
		for id, now := range ids {
			for range ids {
				next, ok := ids[now]
				if !ok || next == id {
					break
				}
				now = next
			}
			ids[id] = now
		}
	}
	return all, nil
}

// forgetFormer erases that an object was recorded under other ids.
func (h *History) forgetFormer(ctx context.Context, typeName, id string) error {
	return h.commit(ctx, origin{typeName: typeName}, func(t *tx) error {
		former, err := h.formerIDs(ctx, typeName)
		for was, now := range former {
			if now == id {
				t.batch.Delete(h.keys.former(typeName, was))
			}
		}
		return err
	})
}
