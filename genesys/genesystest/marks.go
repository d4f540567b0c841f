package genesystest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/jsonscan"
)

// witnesses returns the paths of what moves with every edit of a body, whether it is compared or not: versions and dates
// of modification, the marker, and who edited it.
func (s *shape) witnesses(body fields) []string {
	var paths []string
	for _, m := range body {
		if isMark(m.key) {
			paths = append(paths, m.key)
		}
	}
	for _, path := range s.t.Volatile {
		if isMark(path) {
			paths = append(paths, path)
		}
	}
	if s.parent == nil {
		paths = append(paths, s.t.Marker...)
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "id" || s.identifies(path) })
}

// bumpParent moves the marker of the parent whose configuration the object is a part of, if there is one: it stands for
// the object's coming and going, too.
func (o *Org) bumpParent(s *shape, id string, by author) {
	if s.parent == nil || len(s.t.Marker) == 0 {
		return
	}
	parentID := s.parentOf(id)
	body, ok := o.current(s.parent, parentID)
	if !ok {
		return
	}
	f, err := parseFields(body)
	if err != nil {
		return
	}
	moved := false
	for _, path := range s.t.Marker {
		moved = path != "id" && bump(&f, path, by) || moved
	}
	if moved {
		o.put(s.parent, parentID, f.bytes())
	}
}

// identifies reports whether a field is part of the ID.
func (s *shape) identifies(path string) bool { return identifies(s.t, path) }

func identifies(t genesys.ObjectType, path string) bool {
	return slices.Contains(t.ID, path) || path == "version" && t.Parent != "" && t.Paging == genesys.PagingSingleton
}

// isMark reports whether a volatile field moves with an edit.
func isMark(path string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	switch name {
	case "version", "versionId", "versionDate", "dateModified", "modifiedDate", "dateLastModified", "modifyDate",
		"modifiedBy", "lastModifiedUser":
		return true
	}
	return false
}

// bump moves the value at a path, if there is one, and reports whether it did.
func bump(f *fields, path string, by author) bool {
	old, ok := f.get(path)
	if !ok {
		return false
	}
	value, isMoved := bumped(path, old, by)
	if isMoved {
		f.set(path, value)
	}
	return isMoved
}

// bumped is what the value at a path moves to, if it does: dates to now, numbers up, references to
// the author, ids to others, "3.0" to "4.0".
func bumped(path string, old json.RawMessage, by author) (value json.RawMessage, isMoved bool) {
	if len(old) == 0 {
		return old, false
	}
	if n, ok := jsonscan.Int(old); ok {
		return strconv.AppendInt(nil, n+1, 10), true
	}
	s, isText := jsonscan.String(old)
	isAuthor := strings.HasSuffix(path, "modifiedBy")
	switch {
	case (isAuthor || path == "lastModifiedUser") && by.id() == System:
		return old, false // the system leaves the name of who was there before
	case isText && isAuthor:
		return quote(by.userID + by.clientID), true
	case isText && isDate(s):
		return quote(stamp(by.at)), true
	case isText && len(s) == 36 && strings.Count(s, "-") == 4:
		return quote(makeUUID(hashText(1, s), 0, 0)), true
	case isText:
		return quote(bumpText(s)), true
	case old[0] == '{' && (isAuthor || path == "lastModifiedUser"):
		id := by.userID + by.clientID
		return json.RawMessage(`{"id":` + string(quote(id)) + `,"selfUri":` + string(quote("/api/v2/users/"+id)) + `}`), true
	case old[0] == '{':
		inner, err := parseFields(old)
		if err != nil {
			return old, false
		}
		for _, m := range inner {
			if !bytes.HasPrefix(m.raw, []byte("{")) && m.key != "selfUri" {
				isMoved = bump(&inner, m.key, by) || isMoved
			}
		}
		return inner.bytes(), isMoved
	case string(old) == "true", string(old) == "false":
		return strconv.AppendBool(nil, string(old) == "false"), true
	default:
		return old, false
	}
}

func isDate(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

// bumpText moves a text that is a number, "3" or "3.0", or a state.
func bumpText(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	if n, err := strconv.Atoi(whole); err == nil {
		if rest != "" {
			rest = "." + rest
		}
		return strconv.Itoa(n+1) + rest
	}
	states := []string{"AVAILABLE", "OFFLINE", "IDLE", "ACTIVE", "INACTIVE"}
	return states[(slices.Index(states, strings.ToUpper(s))+1)%len(states)]
}
