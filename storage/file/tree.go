package file

import (
	"bytes"
	"errors"
	"fmt"
)

// A tree is a B+tree that a checker walks. All its leaves are at one depth, so one way
// down tells at which depth there are none but leaves. When a store is opened these are
// not read: they are nearly all of the file, and only which pages they take matters then.
type tree struct {
	leaf func(id uint64, e element) // called for each element of a leaf
	// leafDepth is the depth of leaves that need not be read, or -1.
	leafDepth int
}

// An element is a key of a page with what belongs to it: a value or a bucket on a leaf, the
// page below on a branch.
type element struct {
	key, value []byte
	bucket     bool   // value is a bucket
	child      uint64 // the page below a branch
}

// walk checks the page id, at a depth below the root, and all below it. Its first
// key must be low, as the branch above it says, on which bbolt relies when it
// writes, and all must be less than high; nil is no bound.
func (c *checker) walk(t tree, id uint64, depth int, low, high []byte) {
	if depth == t.leafDepth {
		c.claim(id, 1, leafHead)
		return
	}
	p := c.read(id)
	if p == nil {
		return
	}
	elements, err := p.elements()
	if err == nil && depth > 0 && len(elements) == 0 {
		err = errors.New("a leaf without elements, which bbolt would have removed")
	}
	if err == nil {
		err = ordered(elements, low, high)
	}
	if err != nil {
		c.report(id, "%v", err)
		return
	}
	for i, e := range elements {
		if p.flags() == leafPage {
			t.leaf(id, e)
			continue
		}
		below := high
		if i+1 < len(elements) {
			below = elements[i+1].key
		}
		c.walk(t, e.child, depth+1, e.key, below)
	}
}

// elements parses a branch or a leaf. bbolt writes keys and values without gaps,
// in the order of their elements, so no field can be wrong unnoticed.
func (p page) elements() ([]element, error) {
	if len(p) < pageHeaderSize {
		return nil, fmt.Errorf("page of %d bytes", len(p))
	}
	leaf := p.flags() == leafPage
	if !leaf && (p.flags() != branchPage || p.count() == 0) {
		return nil, fmt.Errorf("neither a leaf nor a branch: flags %#x, %d elements", p.flags(), p.count())
	}
	at := pageHeaderSize + elementSize*p.count()
	if at > len(p) {
		return nil, fmt.Errorf("%d elements do not fit", p.count())
	}
	elements := make([]element, p.count())
	for i := range elements {
		start := pageHeaderSize + elementSize*i
		h := p[start:]
		var pos, keySize, valueSize uint32
		if leaf {
			pos, keySize, valueSize = native.Uint32(h[4:]), native.Uint32(h[8:]), native.Uint32(h[12:])
			if native.Uint32(h) > 1 {
				return nil, fmt.Errorf("element %d has flags %#x", i, native.Uint32(h))
			}
			elements[i].bucket = native.Uint32(h) == 1
		} else {
			pos, keySize = native.Uint32(h), native.Uint32(h[4:])
			elements[i].child = native.Uint64(h[8:])
		}
		if start+int(pos) != at || uint64(keySize)+uint64(valueSize) > uint64(len(p)-at) {
			return nil, fmt.Errorf("element %d is not where it should be", i)
		}
		elements[i].key = p[at : at+int(keySize)]
		at += int(keySize)
		elements[i].value = p[at : at+int(valueSize)]
		at += int(valueSize)
	}
	return elements, nil
}

// ordered checks that keys ascend, begin with low and stay below high; nil is no bound.
func ordered(elements []element, low, high []byte) error {
	for i, e := range elements {
		if i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 || i == 0 && low != nil && !bytes.Equal(e.key, low) {
			return fmt.Errorf("key %q is out of order", e.key)
		}
	}
	if n := len(elements); n > 0 && high != nil && bytes.Compare(elements[n-1].key, high) >= 0 {
		return fmt.Errorf("key %q is out of order", elements[n-1].key)
	}
	return nil
}

// bucket checks an element of the root, which holds a bucket. A small bucket has
// its only page in the element itself.
func (c *checker) bucket(id uint64, e element) {
	if !e.bucket || len(e.value) < bucketSize {
		c.report(id, "%q is no bucket", e.key)
		return
	}
	root := native.Uint64(e.value)
	if root != 0 {
		t := tree{leaf: c.value, leafDepth: -1}
		if !c.deep {
			t.leafDepth = c.leafDepth(root)
		}
		c.walk(t, root, 0, nil, nil)
		return
	}
	elements, err := page(e.value[bucketSize:]).elements()
	if err == nil {
		err = ordered(elements, nil, nil)
	}
	if err != nil {
		c.report(id, "bucket %q: %v", e.key, err)
	}
	for _, e := range elements {
		c.value(id, e)
	}
}

// leafDepth follows the first elements from root down to a leaf. What is wrong
// on the way the walk will report.
func (c *checker) leafDepth(root uint64) int {
	const deepest = 64 // more than any tree that fits on a disk
	p := make(page, pageHeaderSize+elementSize)
	for depth := range deepest {
		if root >= c.high {
			return -1
		}
		if _, err := c.file.ReadAt(p, int64(root)*c.pageSize); err != nil || p.flags() != branchPage {
			return depth
		}
		root = native.Uint64(p[pageHeaderSize+8:])
	}
	return -1
}

// value checks an entry: that it is a value, and its checksum.
func (c *checker) value(id uint64, e element) {
	if e.bucket {
		c.report(id, "%q is a bucket", e.key)
	} else if err := check(e.key, e.value); err != nil {
		c.add(err)
	}
}
