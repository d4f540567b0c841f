package history

import (
	"bytes"
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
func (r *record) UnmarshalJSON(text []byte) error { return r.unmarshal(text, nil) }

// unmarshal is UnmarshalJSON without a usual member, or with all of them for nil.
func (r *record) unmarshal(text, without []byte) error {
	*r = record{}
	it := jsonscan.Members(text)
	for it.Next() {
		if bytes.Equal(it.Key(), without) {
			continue
		}
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

// A frameText is what a frame says, with its entries as they are written: who wants one of hundreds
// decodes that one. They alias the value that was read.
type frameText struct {
	frameID
	Key     string
	After   time.Time
	Pass    uint64
	Entries [][]byte
}

// splitFrame returns what the frame in e says, which has the identity id.
func splitFrame(e storage.Entry, id frameID) (frameText, error) {
	f := frameText{frameID: id, Key: e.Key}
	var err error
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
		return frameText{}, f.corrupt(err)
	}
	return f, nil
}

// record returns the entry with a sequence number, or ErrTrimmed.
func (f *frameText) record(seq uint64) (r record, err error) {
	for _, raw := range f.Entries {
		n, _, err := entryNames(raw)
		if err != nil {
			return r, f.corrupt(err)
		}
		if n == seq {
			return f.decode(raw)
		}
	}
	return r, ErrTrimmed
}

// decode decodes an entry of the frame.
func (f *frameText) decode(raw []byte) (r record, err error) {
	if err = r.decode(raw, f.frameID, f.After); err != nil {
		err = f.corrupt(err)
	}
	return r, err
}

// brief decodes an entry into r without what it changed.
func (f *frameText) brief(r *record, raw []byte) error {
	err := r.unmarshal(raw, []byte(`"changes"`))
	if err == nil {
		err = r.place(f.frameID, f.After)
	}
	if err != nil {
		return f.corrupt(err)
	}
	r.Fields, r.Step, r.Before, r.Platform = nil, nil, nil, nil
	return nil
}

// corrupt returns an error with the key of the frame.
func (f *frameText) corrupt(err error) error {
	return fmt.Errorf("history: %w", &storage.KeyError{Key: f.Key, Err: err})
}
