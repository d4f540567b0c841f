package file

import (
	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// Two cursors with one shape, for scan.read to merge: first goes to the first entry of a
// range, next to the following one, both in the direction of the range.

// A fileCursor walks over what the file holds of a range.
type fileCursor struct {
	cursor *bbolt.Cursor
	entry       // raw is valid until the transaction ends
	ok     bool // there is an entry
}

// first goes to the first entry of r. bbolt cannot seek backwards: in reverse it is the
// one before the first that is at the end of r or behind it.
func (c *fileCursor) first(r storage.Range) {
	switch {
	case !r.Reverse:
		c.set(r)(c.cursor.Seek([]byte(r.Start)))
	case r.End == "":
		c.set(r)(c.cursor.Last())
	default:
		if k, _ := c.cursor.Seek([]byte(r.End)); k == nil {
			c.set(r)(c.cursor.Last())
		} else {
			c.set(r)(c.cursor.Prev())
		}
	}
}

func (c *fileCursor) next(r storage.Range) {
	if r.Reverse {
		c.set(r)(c.cursor.Prev())
	} else {
		c.set(r)(c.cursor.Next())
	}
}

// set takes the result of a bbolt cursor, which is a nil key at the end.
func (c *fileCursor) set(r storage.Range) func(k, v []byte) {
	return func(k, v []byte) {
		c.entry = entry{string(k), v, c.coder}
		c.ok = k != nil && r.Contains(c.key)
	}
}

// An oldCursor walks over the undo records of a range.
type oldCursor struct {
	iter btree.MapIter[string, entry]
	entry
	ok bool // there is an entry
}

func (c *oldCursor) first(r storage.Range) {
	switch {
	case !r.Reverse:
		c.set(r, c.iter.Seek(r.Start))
	case r.End != "" && c.iter.Seek(r.End):
		c.set(r, c.iter.Prev())
	default:
		c.set(r, c.iter.Last())
	}
}

func (c *oldCursor) next(r storage.Range) {
	if r.Reverse {
		c.set(r, c.iter.Prev())
	} else {
		c.set(r, c.iter.Next())
	}
}

func (c *oldCursor) set(r storage.Range, found bool) {
	if c.ok = found; found {
		c.entry = c.iter.Value()
		c.ok = r.Contains(c.key)
	}
}
