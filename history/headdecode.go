package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/storage"
)

// decodeHead decodes the head in e into hd, which may hold the one before it.
func decodeHead(e storage.Entry, hd *head) error {
	if err := hd.UnmarshalJSON(e.Value); err != nil {
		return &storage.KeyError{Key: e.Key, Err: err}
	}
	return nil
}

// UnmarshalJSON decodes what encoding/json makes of a head. There is one for every object in every
// pass, so it is several times as fast, and strings that stay the same from head to head, such as the
// fingerprint of the rules, are shared. A scan therefore decodes into one head again and again.
func (hd *head) UnmarshalJSON(text []byte) error {
	last := *hd
	*hd = head{}
	it := jsonscan.Members(text)
	for it.Next() {
		if err := hd.decodeMember(it.Key(), it.Value(), &last); err != nil {
			return fmt.Errorf("%s of a head: %w", it.Key(), err)
		}
	}
	return it.Err()
}

// decodeMember decodes one member. One that is not known is skipped: a newer version wrote it.
func (hd *head) decodeMember(key, raw []byte, last *head) (err error) {
	switch string(key) {
	case `"name"`:
		hd.Name, err = decodeString(raw, last.Name)
	case `"parent"`:
		hd.Parent, err = decodeString(raw, last.Parent)
	case `"marker"`:
		hd.Marker, err = decodeString(raw, last.Marker)
	case `"first_seen"`:
		err = hd.FirstSeen.UnmarshalJSON(raw)
	case `"reread"`:
		hd.Reread = new(reread)
		err = json.Unmarshal(raw, hd.Reread)
	case `"waits"`:
		hd.Waits = new(wait)
		err = json.Unmarshal(raw, hd.Waits)
	case `"seq"`:
		hd.Seq, err = strconv.ParseUint(string(raw), 10, 64)
	case `"changed"`:
		err = hd.Changed.UnmarshalJSON(raw)
	case `"kind"`:
		hd.Kind, err = decodeString(raw, last.Kind)
	case `"hidden"`:
		hd.Hidden, err = strconv.ParseUint(string(raw), 10, 64)
	case `"hidden_at"`:
		err = hd.HiddenAt.UnmarshalJSON(raw)
	case `"raw"`:
		hd.Raw, err = decodeDigest(raw)
	case `"size"`:
		hd.Size, err = strconv.Atoi(string(raw))
	case `"canonical"`:
		hd.Canonical, err = decodeDigest(raw)
	case `"shape"`:
		hd.Rules, err = decodeString(raw, last.Rules)
	}
	return err
}

// decodeString decodes a string, which is likely the last one.
func decodeString[T ~string](raw []byte, last T) (T, error) {
	if jsonscan.Equal(raw, string(last)) {
		return last, nil
	}
	s, ok := jsonscan.String(raw)
	if !ok {
		return "", errNoString
	}
	return T(s), nil
}

// decodeDigest decodes the hexadecimal digits of a digest.
func decodeDigest(raw []byte) (d diff.Digest, err error) {
	if raw[0] != '"' {
		return d, errNoString
	}
	err = d.UnmarshalText(raw[1 : len(raw)-1])
	return d, err
}

var errNoString = errors.New("not a string")
