package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxsync/cxsync/history/diff"
)

// Two states are compared type by type. All objects of a type are drawn as portraits: their natural
// key and their body, in which ids are replaced by natural keys, so that what is the same thing in
// two orgs is the same text (portrait.go, naturalkey.go). Then objects with one key are compared as
// two bodies of one object are. Two states of one environment need no keys: there an id is the same
// thing.
//
// Nothing is guessed: objects that share a key are reported as ambiguous, and what cannot be read is
// reported as that. Silence means equal.

// A Side is one of the two states that Compare compares.
type Side struct {
	History *History
	At      time.Time // defaults to now

	// Unreadable says why a type cannot be compared, such as a permission that its client lacks; ""
	// if it can. Defaults to asking the history alone, which knows a type after its first pass.
	Unreadable func(typeName string) string
}

// A DifferenceKind says how two states differ.
type DifferenceKind string

// The kinds of differences.
const (
	DifferenceOnlyA      DifferenceKind = "only_a"     // the object is on the first side only
	DifferenceOnlyB      DifferenceKind = "only_b"     // the object is on the second side only
	DifferenceFields     DifferenceKind = "fields"     // the object is on both sides and differs
	DifferenceAmbiguous  DifferenceKind = "ambiguous"  // several objects of a side have one natural key: none is compared
	DifferenceUnreadable DifferenceKind = "unreadable" // a type or an object cannot be compared; Reason says why
)

// A Difference is one finding of Compare.
type Difference struct {
	Kind   DifferenceKind     `json:"kind"`
	Type   string             `json:"type"`
	Key    string             `json:"key,omitempty"` // the natural key: that of the parent and the name
	A      []Ref              `json:"a,omitempty"`   // on the first side: one, or all that are ambiguous
	B      []Ref              `json:"b,omitempty"`
	Fields []diff.FieldChange `json:"fields,omitempty"` // lead from the body of A to that of B, ids replaced by natural keys
	Reason string             `json:"reason,omitempty"`
}

// CompareOptions are the settings of a Compare. The zero value compares everything.
type CompareOptions struct {
	// Types are those that are compared, as in Query. Defaults to all that either side has.
	Types []string

	// Match maps objects of the first side to those of the second that they are, whatever these are
	// called.
	Match map[Ref]Ref

	// Ignore leaves out fields of a type, or of all for an empty Type, that are expected to differ.
	Ignore []IgnoredField

	// Substitute names texts that are expected to differ, such as "-test" on the first side and
	// "-prod" on the second one, in names and in values.
	Substitute []Substitution
}

// An IgnoredField is a path, as in diff.Rules, in the bodies of a type.
type IgnoredField struct{ Type, Path string }

// A Substitution is a text of the first side and what stands for it on the second.
type Substitution struct{ A, B string }

// Compare iterates over what differs between two states: of two environments, or of one at two
// times. Nothing is left out silently: what cannot be compared is a Difference too. Differences
// come by type, and within a type by natural key.
//
// Objects of one environment match by their ids. Those of two match by CompareOptions.Match, else
// by their natural key: the key of the parent and the name, or the fields that Model.NaturalKey
// names. An object that was renamed is therefore one of each side only. Ids in bodies compare as
// the natural keys of the objects that they refer to; UUIDs of what is not synced compare as equal,
// because no two orgs share any. Left out are the fields that either side ignores, selfUri, who
// made and changed an object, and what Model.PerOrg names.
func Compare(ctx context.Context, a, b Side, opts *CompareOptions) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		c := comparison{sides: [2]Side{a, b}}
		if opts != nil {
			c.opts = *opts
		}
		if err := c.open(ctx); err != nil {
			yield(Difference{}, err)
			return
		}
		for _, typeName := range c.types {
			found, err := c.compareType(ctx, typeName)
			for _, d := range found {
				if !yield(d, nil) {
					return
				}
			}
			if err != nil {
				yield(Difference{}, err)
				return
			}
		}
	}
}

// A comparison is one Compare under way.
type comparison struct {
	sides [2]Side
	opts  CompareOptions
	own   bool // both sides are one environment
	types []string
	rings [2]*keyring
}

// open checks the options and reads what all objects of both sides are called. Substitutions apply to
// the first side only: its texts become those of the second one.
func (c *comparison) open(ctx context.Context) error {
	for _, s := range c.sides {
		if s.History == nil {
			return errors.New("history: a side of a comparison has no History")
		}
	}
	a, b := c.sides[0].History, c.sides[1].History
	c.own = a.store == b.store && a.environment == b.environment
	types := map[string]bool{}
	for i, s := range c.sides {
		var from, to []string
		for _, sub := range c.opts.Substitute {
			if sub.A == "" || sub.B == "" {
				return errors.New("history: a substitution needs a text for both sides")
			}
			if i == 0 {
				from, to = append(from, sub.A), append(to, sub.B)
			}
		}
		var err error
		if c.rings[i], err = s.History.keyring(ctx, s.At, swapper(from, to)); err != nil {
			return err
		}
		seen, err := s.History.passedTypes(ctx)
		if err != nil {
			return err
		}
		for _, typeName := range seen {
			types[typeName] = true
		}
	}
	c.types = slices.Sorted(maps.Keys(types))
	if len(c.opts.Types) > 0 {
		c.types = nil
		for _, named := range c.opts.Types {
			typeName, err := c.resolveType(named)
			if err != nil {
				return err
			}
			c.types = append(c.types, typeName)
		}
		slices.Sort(c.types)
		c.types = slices.Compact(c.types)
	}
	return c.resolve()
}

// resolveType returns the name of a type that either side knows.
func (c *comparison) resolveType(named string) (string, error) {
	typeName, err := c.sides[0].History.resolveType(named)
	if err != nil {
		if other, onlyB := c.sides[1].History.resolveType(named); onlyB == nil {
			return other, nil
		}
	}
	return typeName, err
}

// resolve puts the names of types into the options.
func (c *comparison) resolve() (err error) {
	match := make(map[Ref]Ref, len(c.opts.Match))
	for from, to := range c.opts.Match {
		for _, r := range []*Ref{&from, &to} {
			if r.Type, err = c.resolveType(r.Type); err != nil {
				return err
			}
			r.Name = ""
		}
		match[from] = to
	}
	ignore := slices.Clone(c.opts.Ignore)
	for i, f := range ignore {
		if f.Type == "" {
			continue
		}
		if ignore[i].Type, err = c.resolveType(f.Type); err != nil {
			return err
		}
	}
	c.opts.Match, c.opts.Ignore = match, ignore
	return nil
}

// passedTypes returns the types that some pass has ended of.
func (h *History) passedTypes(ctx context.Context) ([]string, error) {
	var types []string
	for sum, err := range h.Passes(ctx) {
		if err != nil {
			return nil, err
		}
		types = append(types, sum.Type)
	}
	return types, nil
}

// compareType holds the portraits of all objects of one type and compares them by their keys. That a
// side does not know the type at its time is a finding and no error: the others are compared.
func (c *comparison) compareType(ctx context.Context, typeName string) ([]Difference, error) {
	if reason, err := c.unreadable(ctx, typeName); reason != "" || err != nil {
		return []Difference{{Kind: DifferenceUnreadable, Type: typeName, Reason: reason}}, err
	}
	comparer, err := c.comparer(ctx, typeName)
	if err != nil {
		return nil, err
	}
	var portraits [2]map[string]*portrait
	for i := range c.sides {
		portraits[i], err = c.portray(ctx, i, typeName, comparer)
		if errors.Is(err, ErrUnknown) {
			return []Difference{{Kind: DifferenceUnreadable, Type: typeName, Reason: c.sideName(i) + err.Error()}}, nil
		} else if err != nil {
			return nil, err
		}
	}
	a, b := portraits[0], portraits[1]
	keys := map[string]bool{}
	for _, side := range portraits {
		for key := range side {
			keys[key] = true
		}
	}
	var found []Difference
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		d, err := c.judge(ctx, comparer, a[key], b[key])
		if err != nil {
			return found, err
		}
		if d.Kind != "" {
			d.Type, d.Key = typeName, key
			found = append(found, d)
		}
	}
	return found, nil
}

func (c *comparison) sideName(i int) string {
	return [...]string{"the first side: ", "the second side: "}[i]
}

// unreadable says why a type cannot be compared.
func (c *comparison) unreadable(ctx context.Context, typeName string) (string, error) {
	for i, s := range c.sides {
		if s.Unreadable != nil {
			if reason := s.Unreadable(typeName); reason != "" {
				return c.sideName(i) + reason, nil
			}
		}
		if last, err := s.History.passRecord(ctx, typeName); err != nil {
			return "", err
		} else if last.Number == 0 {
			return c.sideName(i) + "the type was never read", nil
		}
	}
	return "", nil
}

// comparer returns one that leaves out what either side ignores, by whatever rules its objects were
// read last, and what differs by nature. It asks the heads for these rules, because after a change of
// rules objects keep the former ones until they are read again.
func (c *comparison) comparer(ctx context.Context, typeName string) (*diff.Comparer, error) {
	rules := diff.Rules{Ignore: []string{"**.selfUri"}}
	for _, s := range c.sides {
		model := s.History.opts.Models[typeName]
		rules.Ignore = slices.Concat(rules.Ignore, model.Provenance)
		if !c.own {
			rules.Ignore = slices.Concat(rules.Ignore, model.PerOrg)
		}
		known := map[string]bool{}
		for hd, err := range s.History.heads(ctx, typeName) {
			if err != nil {
				return nil, err
			}
			if known[hd.Rules] {
				continue
			}
			known[hd.Rules] = true
			stored, err := s.History.ruleSet(ctx, hd.Rules)
			if err != nil {
				return nil, err
			}
			rules = diff.Union(rules, stored.Rules)
		}
	}
	for _, f := range c.opts.Ignore {
		if f.Type == "" || f.Type == typeName {
			rules.Ignore = append(rules.Ignore, f.Path)
		}
	}
	comparer, err := diff.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("history: comparing %s: %w", typeName, err)
	}
	return comparer, nil
}
