package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// An id means nothing outside its org: the queue "Support" of a test org and that of production have
// other ids, and so has everything that refers to them. What both have in common is what people call
// things. Comparing two orgs, and naming the files of an export, needs such a name for every object.

// A keyring knows the natural key of every object of one environment at one time: what names it
// alike in every org. It is made of the key of the parent and what the Model says, by default the
// name; of an object that joins its parent with another one, such as a member of a queue, it is the
// key of that other one. An object that is deleted, and may still have objects below it, has no
// body, and goes by its name.
//
// Keys are made when they are first asked for, each once, from the keys of others: keyState keeps a
// circle of these from going round. Keys of parent and child are joined by "/", which is escaped
// inside of a name, so that no name looks like a path. A key need not be unique; who needs that
// finds out.
type keyring struct {
	*History
	at    time.Time
	index idIndex
	owns  map[string]map[string]*keyed // by type and id
	swap  func(string) string          // substitution in texts; nil for none
}

// keyed is what a keyring knows of one object.
type keyed struct {
	Ref
	parent string
	fields []string // values of Model.NaturalKey; none where the body is not known
	live   bool
	key    string
	state  keyState // of key
}

type keyState uint8

const (
	keyOpen     keyState = iota // not asked for yet
	keyUnderWay                 // being made; who meets it again goes by its name
	keyDone
)

// keyring reads what all objects are called at a time, or now for the zero time; see keyring.swap.
func (h *History) keyring(ctx context.Context, at time.Time, swap func(string) string) (*keyring, error) {
	k := &keyring{History: h, at: at, owns: map[string]map[string]*keyed{}, swap: swap}
	var err error
	if k.index, err = h.idIndex(ctx, ""); err != nil {
		return nil, err
	}
	types, err := h.types(ctx)
	if err != nil {
		return nil, err
	}
	for _, typeName := range types {
		if err := k.load(ctx, typeName); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// load reads what the objects of a type are called. Bodies are read only where a key needs them, and
// those of the past made only there.
func (k *keyring) load(ctx context.Context, typeName string) error {
	known := map[string]*keyed{}
	k.owns[typeName] = known
	for hd, err := range k.heads(ctx, typeName) {
		if err != nil {
			return err
		}
		known[hd.id] = &keyed{Ref: Ref{typeName, hd.id, hd.Name}, parent: hd.Parent, live: k.at.IsZero() && hd.live()}
	}
	fields := k.opts.Models[typeName].NaturalKey
	if k.at.IsZero() && len(fields) == 0 {
		return nil
	}
	if k.at.IsZero() {
		for o, err := range k.live(ctx, typeName) {
			if err != nil {
				return err
			}
			if one := known[o.ID]; one != nil { // else it came meanwhile
				one.live, one.Name, one.fields = true, o.Name, keyFields(o.body, fields)
			}
		}
		return nil
	}
	return k.loadPast(ctx, typeName, fields)
}

// loadPast is load for the past. An object that was deleted then is called what it was called last.
// Where retention has removed that, its name of now is taken.
func (k *keyring) loadPast(ctx context.Context, typeName string, fields []string) error {
	if err := k.checkKnown(ctx, typeName, k.at); errors.Is(err, ErrUnknown) {
		return nil // whoever compares the type says so
	} else if err != nil {
		return err
	}
	complete := withBody
	if len(fields) == 0 {
		complete = func(*pastState) error { return nil }
	}
	for s, err := range k.allAsOf(ctx, typeName, k.at, complete) {
		if err != nil && !errors.Is(err, ErrTrimmed) {
			return err
		}
		one := k.owns[typeName][s.ID]
		if one == nil {
			continue // it came meanwhile
		}
		one.live = err != nil || s.live
		if err != nil {
			continue
		}
		one.Name = s.Name
		if s.live && len(fields) > 0 {
			body, err := s.body()
			if err != nil {
				return err
			}
			one.fields = keyFields(body, fields)
		}
	}
	return nil
}

// keyFields returns the texts at dotted paths.
func keyFields(body []byte, paths []string) []string {
	var values []string
	for _, path := range paths {
		value := ""
		if raw, ok := jsonscan.Lookup(body, strings.Split(path, ".")...); ok {
			if text, ok := jsonscan.String(raw); ok {
				value = text
			} else if raw[0] != 'n' {
				value = string(raw)
			}
		}
		values = append(values, value)
	}
	return values
}

// key returns the natural key of an object.
func (k *keyring) key(r Ref) string {
	one := k.owns[r.Type][r.ID]
	if one == nil || one.state == keyUnderWay {
		return k.own(r.Name, r.ID)
	}
	if one.state == keyDone {
		return one.key
	}
	one.state = keyUnderWay
	model := k.opts.Models[r.Type]
	parent := ""
	if one.parent != "" {
		parent = k.key(Ref{Type: model.Parent, ID: one.parent}) + "/"
	}
	own := ""
	switch {
	case model.Singleton:
		parent = strings.TrimSuffix(parent, "/")
	case len(one.fields) > 0:
		names := make([]string, len(one.fields))
		for i, value := range one.fields {
			names[i] = k.own(string(k.rename([]byte(value))), "")
		}
		own = strings.Join(names, " ")
	default:
		own = k.joined(one)
	}
	one.key, one.state = parent+own, keyDone
	return one.key
}

// joined is the key below the parent's of an object that is called by its name, or by the
// object that its id ends with: the id of a member of a queue is queue/user, so its key is that of
// the user. It is the name that counts if no known object at the top has that id, or if it is one
// of the same type.
func (k *keyring) joined(one *keyed) string {
	if part := lastPart(one.ID); part != one.ID && len(part) == uuidSize {
		if s := k.index.whole[part]; s.top > 0 && s.refs[0].Type != one.Type {
			return k.key(s.refs[0])
		}
	}
	return k.own(one.Name, one.ID)
}

// own returns what an object is called, or else its id if that is not one that an org makes up.
func (k *keyring) own(name, id string) string {
	if isUUID([]byte(name)) {
		name = ""
	}
	if part := lastPart(id); name == "" && !isUUID([]byte(part)) {
		name = part
	}
	if k.swap != nil {
		name = k.swap(name)
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "%", "%25"), "/", "%2F")
}

// rename returns text with the id of each known object replaced by its type and natural key, and
// other UUIDs, which another org has otherwise, by one word.
func (k *keyring) rename(text []byte) []byte {
	var renamed []byte
	from := 0
	uuids(text, func(start int) bool {
		renamed = append(renamed, text[from:start]...)
		from = start + uuidSize
		refs := k.index.resolve(string(text[start:from]))
		if len(refs) == 0 {
			renamed = append(renamed, "unknown id"...)
		}
		for i, r := range refs {
			if i > 0 {
				renamed = append(renamed, '|')
			}
			renamed = append(append(append(renamed, r.Type...), ':'), k.key(r)...)
		}
		return true
	})
	if from == 0 {
		return text
	}
	return append(renamed, text[from:]...)
}

// portable returns a body in which every id and every expected difference is replaced by what is
// alike in every org. It goes from string to string, names of members included, as customers' maps are
// keyed by id; between them everything stays byte for byte. Members may come out in another order
// than that of their names, so whoever compares the result makes its canonical form first.
func (k *keyring) portable(body []byte) ([]byte, error) {
	var out, scratch []byte
	from := 0
	for i := bytes.IndexByte(body, '"'); i >= 0 && i < len(body); {
		end, form := jsonscan.ScanString(body, i)
		if end < 0 {
			return nil, jsonscan.ErrorAt(body, ^end)
		}
		text := body[i+1 : end-1]
		if form != 0 {
			scratch = jsonscan.AppendString(scratch[:0], body[i:end])
			text = scratch
		}
		better := text
		if k.swap != nil {
			better = []byte(k.swap(string(text)))
		}
		if better = k.rename(better); !bytes.Equal(better, text) {
			quoted, err := encode(string(better))
			if err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			out = append(append(out, body[from:i]...), quoted...)
			from = end
		}
		next := bytes.IndexByte(body[end:], '"')
		if next < 0 {
			break
		}
		i = end + next
	}
	if from == 0 {
		return body, nil
	}
	return append(out, body[from:]...), nil
}

// swapper returns what replaces each text of one list by its neighbour in another one; nil for no
// texts. Of two texts that begin at the same place the longest one counts, whatever their order, which
// is why they are sorted: a Replacer takes the first argument that fits.
func swapper(from, to []string) func(string) string {
	pairs := make([][2]string, 0, len(from))
	for i := range from {
		pairs = append(pairs, [2]string{from[i], to[i]})
	}
	slices.SortStableFunc(pairs, func(a, b [2]string) int { return len(b[0]) - len(a[0]) })
	var flat []string
	for _, p := range pairs {
		flat = append(flat, p[0], p[1])
	}
	if len(flat) == 0 {
		return nil
	}
	return strings.NewReplacer(flat...).Replace
}
