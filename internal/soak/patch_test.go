package soak_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cxsync/cxsync/history/diff"
)

// monthApply applies field changes to a decoded body by the letter of RFC 6902,
// and holds the old values against what is there.
func monthApply(doc any, changes []diff.FieldChange) (any, error) {
	for _, c := range changes {
		var err error
		if doc, err = monthApplyOne(doc, c); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.Op, c.Path, err)
		}
	}
	return doc, nil
}

func monthApplyOne(doc any, c diff.FieldChange) (any, error) {
	if c.Path == "" {
		if c.Op != diff.OpReplace || monthJSON(doc) != monthJSON(monthTree(c.Old)) {
			return nil, fmt.Errorf("the whole body is not the old value %s", c.Old)
		}
		return monthTree(c.New), nil
	}
	switch c.Op {
	case diff.OpMove:
		var moved any
		doc, err := monthEdit(doc, monthPointer(c.From), func(old any, there bool) (any, bool, error) {
			moved = old
			return nil, false, monthThere(there)
		}, false)
		if err != nil {
			return nil, err
		}
		return monthEdit(doc, monthPointer(c.Path), func(any, bool) (any, bool, error) { return moved, true, nil }, true)
	case diff.OpAdd:
		return monthEdit(doc, monthPointer(c.Path), func(_ any, there bool) (any, bool, error) {
			if there {
				return nil, false, errors.New("it is there already")
			}
			return monthTree(c.New), true, nil
		}, true)
	default:
		return monthEdit(doc, monthPointer(c.Path), func(old any, there bool) (any, bool, error) {
			if err := monthThere(there); err != nil {
				return nil, false, err
			}
			if monthJSON(old) != monthJSON(monthTree(c.Old)) {
				return nil, false, fmt.Errorf("the old value is %s, and not %s", monthJSON(old), c.Old)
			}
			if c.Op == diff.OpRemove {
				return nil, false, nil
			}
			if string(c.Old) == string(c.New) {
				return nil, false, errors.New("nothing is replaced")
			}
			return monthTree(c.New), true, nil
		}, false)
	}
}

func monthThere(there bool) error {
	if !there {
		return errors.New("it is not there")
	}
	return nil
}

func monthPointer(pointer string) []string {
	parts := strings.Split(pointer, "/")[1:]
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts
}

// monthEdit replaces the value at a path by what f makes of it; with insert, an
// index of an array is where an element comes in.
func monthEdit(v any, path []string, f func(old any, there bool) (any, bool, error), insert bool) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		old, there := v[path[0]]
		if len(path) > 1 {
			changed, err := monthEdit(old, path[1:], f, insert)
			v[path[0]] = changed
			return v, err
		}
		changed, keep, err := f(old, there)
		if delete(v, path[0]); keep {
			v[path[0]] = changed
		}
		return v, err
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(v) || i == len(v) && (len(path) > 1 || !insert) {
			return nil, fmt.Errorf("there is no element %s", path[0])
		}
		if len(path) > 1 {
			v[i], err = monthEdit(v[i], path[1:], f, insert)
			return v, err
		}
		if insert {
			changed, _, err := f(nil, false)
			return slices.Insert(v, i, changed), err
		}
		changed, keep, err := f(v[i], true)
		if !keep {
			return slices.Delete(v, i, i+1), err
		}
		v[i] = changed
		return v, err
	}
	return nil, errors.New("the path ends early")
}
