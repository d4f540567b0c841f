package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
)

// UnmarshalJSON decodes what encoding/json makes of a record. An answer about the past decodes all
// records since, so the usual members are decoded without reflection; a record with any other one,
// such as a step to other rules, is left to encoding/json.
func (r *record) UnmarshalJSON(text []byte) error {
	*r = record{}
	it := jsonscan.Members(text)
	for it.Next() {
		usual, err := r.decodeMember(it.Key(), it.Value())
		if !usual {
			type plain record
			*r = record{}
			return json.Unmarshal(text, (*plain)(r))
		}
		if err != nil {
			return fmt.Errorf("%s of a change: %w", it.Key(), err)
		}
	}
	return it.Err()
}

// decodeMember decodes one member, or says that it is none of the usual ones.
func (r *record) decodeMember(key, raw []byte) (usual bool, err error) {
	switch string(key) {
	case `"seq"`:
		r.Seq, err = strconv.ParseUint(string(raw), 10, 64)
	case `"prev"`:
		r.Prev, err = strconv.ParseUint(string(raw), 10, 64)
	case `"id"`:
		r.ID, err = decodeString(raw, r.ID)
	case `"name"`:
		r.Name, err = decodeString(raw, r.Name)
	case `"kind"`:
		r.Kind, err = decodeString(raw, KindUpdated)
	case `"after"`:
		err = r.After.UnmarshalJSON(raw)
	case `"changes"`:
		it := jsonscan.Elements(raw)
		for it.Next() && err == nil {
			var c diff.FieldChange
			err = c.UnmarshalJSON(it.Value())
			r.Fields = append(r.Fields, c)
		}
		if err == nil {
			err = it.Err()
		}
	default:
		return false, nil
	}
	return true, err
}

// A frameText is what the value of a frame says.
type frameText struct {
	After   time.Time
	Pass    uint64
	Entries [][]byte
}

// splitFrame returns what the value of a frame says, with its entries as they are written: who
// wants one of hundreds decodes that one. They alias the value.
func splitFrame(e storage.Entry) (f frameText, err error) {
	it := jsonscan.Members(e.Value)
	for it.Next() && err == nil {
		switch string(it.Key()) {
		case `"after"`:
			err = f.After.UnmarshalJSON(it.Value())
		case `"pass"`:
			f.Pass, err = strconv.ParseUint(string(it.Value()), 10, 64)
		case `"entries"`:
			f.Entries, err = jsonscan.Split(it.Value(), nil)
		}
	}
	if err = cmp.Or(err, it.Err()); err != nil {
		return frameText{}, fmt.Errorf("history: %w", &storage.KeyError{Key: e.Key, Err: err})
	}
	return f, nil
}
