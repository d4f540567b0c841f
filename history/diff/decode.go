package diff

import (
	"bytes"
	"fmt"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// UnmarshalJSON decodes what encoding/json makes of a change, several times as fast: an answer
// about the past decodes every change since. Members that it does not know it skips. Old and New
// are copies, so that a change does not keep the text of its whole frame in memory.
func (c *FieldChange) UnmarshalJSON(text []byte) error {
	*c = FieldChange{}
	it := jsonscan.Members(text)
	for it.Next() {
		var err error
		switch key := it.Key(); string(key) {
		case `"path"`:
			c.Path, err = decodeText(it.Value(), "path")
		case `"op"`:
			var op string
			op, err = decodeText(it.Value(), "op")
			c.Op = Op(op)
		case `"from"`:
			c.From, err = decodeText(it.Value(), "from")
		case `"label"`:
			c.Label, err = decodeText(it.Value(), "label")
		case `"names"`:
			c.Names, err = decodeNames(it.Value())
		case `"old"`:
			c.Old = bytes.Clone(it.Value())
		case `"new"`:
			c.New = bytes.Clone(it.Value())
		}
		if err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("diff: a field change: %w", err)
	}
	return nil
}

func decodeNames(raw []byte) (map[string]string, error) {
	names := map[string]string{}
	it := jsonscan.Members(raw)
	for it.Next() {
		name, err := decodeText(it.Value(), "names")
		if err != nil {
			return nil, err
		}
		names[string(jsonscan.AppendString(nil, it.Key()))] = name
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("diff: the names of a field change: %w", err)
	}
	return names, nil
}

// operations are the usual texts of Op, which need no memory of their own.
var operations = [...]Op{OpAdd, OpRemove, OpReplace, OpMove}

// decodeText decodes the string that a member of a change has. The error names the member. The text
// of an operation is looked up first, as every change has one; only a string can have one of these
// words between its first and its last byte, so the quotes need no look.
func decodeText(raw []byte, member string) (string, error) {
	for _, op := range operations {
		if len(raw) == len(op)+2 && string(raw[1:len(raw)-1]) == string(op) {
			return string(op), nil
		}
	}
	s, ok := jsonscan.String(raw)
	if !ok {
		return "", fmt.Errorf("diff: a field change: its %s is not a string", member)
	}
	return s, nil
}
