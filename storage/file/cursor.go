package file

import (
	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// A fileCursor walks over what the file holds of a range.
type fileCursor struct {
	cursor *bbolt.Cursor
	entry       // raw is valid until the transaction ends
	ok     bool // there is an entry
}

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
