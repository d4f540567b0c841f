package file

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/cxsync/cxsync/storage"
)

// What bbolt writes, version 2 of its format: pages of a fixed size with a
// header of 16 bytes (id, flags, count, overflow), all in the byte order of the
// machine. bbolt trusts these bytes, and on a damaged page it panics, loops or,
// after a wrong list of free pages, overwrites what is in use. So they are
// checked before it sees them.
//
// Pages 0 and 1 are the meta pages: two states of the file, of which the newer
// sound one counts, so that a commit is one write of one page. It names the root
// page of a B+tree of buckets, and the page with the list of free pages. A value of
// the root is a bucket: the root page of its own tree, or, if it is small, its only
// page in place. A page that is too small for what it holds goes on in the pages
// right behind it, its overflow.
//
// The invariant that the check establishes: each page from 2 up to the first that
// was never used is either in use once or free. Then bbolt, which writes only to free
// and new pages, cannot overwrite anything. What values hold is not needed for that:
// a damaged value is found when it is read, by its checksum.
const (
	pageHeaderSize = 16
	elementSize    = 16 // of the elements that follow the header
	bucketSize     = 16 // of the value of a bucket: its root and a sequence

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaSize    = 64
	noFreelist  = ^uint64(0)
	maxPageSize = 16 << 20

	maxProblems = 1000 // that one check reports
)

var native = binary.NativeEndian // bbolt maps pages as structs

// A meta is what a meta page says: the state after one transaction.
type meta struct {
	pageSize             int64
	root, freelist, high uint64 // high is the first page that was never used
	txid                 uint64
}

// readMeta reads the meta page at an offset. It is not ok if magic, version, sum or the size of a
// page are not those of a bbolt file.
func readMeta(r io.ReaderAt, offset int64) (m meta, ok bool) {
	var b [metaSize]byte
	if _, err := r.ReadAt(b[:], offset+pageHeaderSize); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if native.Uint32(b[:]) != metaMagic || native.Uint32(b[4:]) != metaVersion || native.Uint64(b[metaSize-8:]) != sum.Sum64() {
		return m, false
	}
	m = meta{
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]), freelist: native.Uint64(b[32:]), high: native.Uint64(b[40:]), txid: native.Uint64(b[48:]),
	}
	return m, m.pageSize >= 1024 && m.pageSize <= maxPageSize
}

// newestMeta returns the state that bbolt opens, and whether both meta pages
// are sound. One that is not may have been torn by a crash, which is no harm.
func newestMeta(r io.ReaderAt) (newest meta, both bool, err error) {
	m, ok := readMeta(r, 0)
	if !ok { // so the size of a page is not known
		for offset := int64(1024); offset <= maxPageSize; offset *= 2 {
			if m, ok := readMeta(r, offset); ok && m.pageSize == offset {
				return m, false, nil
			}
		}
		return m, false, fmt.Errorf("%w: no sound meta page: not a store, or damaged", storage.ErrCorrupt)
	}
	other, ok := readMeta(r, m.pageSize)
	if ok && other.txid > m.txid {
		m = other
	}
	return m, ok, nil
}

// checkFile checks what bbolt must rely on to open a file and write to it: the
// tree of branch pages, and that each page is either in use or free. It reads
// few leaf pages, so it is quick for a large file.
func checkFile(folder *os.Root, name string) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	c := checker{ctx: context.Background(), file: f}
	return c.check()
}

// A checker checks the pages of a file that nobody writes to.
type checker struct {
	ctx  context.Context //nolint:containedctx // a checker lives for one call
	file *os.File
	deep bool // read all leaf pages, and the values in them

	meta
	state    []pageState // of each page
	problems []error     // that were found, maxProblems at most
}

// A pageState says what a page is used for.
type pageState uint8

const (
	unused   pageState = iota
	used               // by a page that was read, or by the rest of it
	freePage           // says the free list
	leafHead           // the first page of a leaf that was not read
)

// check returns what is wrong with the file, joined.
func (c *checker) check() error {
	m, both, err := newestMeta(c.file)
	if err != nil {
		return err
	}
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	c.meta = m
	if m.high > uint64(info.Size()/m.pageSize) {
		return fmt.Errorf("%w: the file is cut short: %d pages of %d", storage.ErrCorrupt, info.Size()/m.pageSize, m.high)
	}
	if !both && c.deep {
		c.report(0, "one of the two meta pages is damaged: the last commit may be missing")
	}
	c.state = make([]pageState, m.high)
	c.checkFreelist()
	c.walk(tree{leaf: c.bucket, leafDepth: -1}, m.root, 0, nil, nil)
	c.account()
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return errors.Join(c.problems...)
}

// report notes what is wrong with a page.
func (c *checker) report(page uint64, format string, args ...any) {
	c.add(fmt.Errorf("%w: page %d: %s", storage.ErrCorrupt, page, fmt.Sprintf(format, args...)))
}

func (c *checker) add(err error) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, err)
	}
}

// claim notes that n pages from id on are used, and reports if they cannot be: because they are out
// of the file, or used or free already. That also ends every walk in a circle.
func (c *checker) claim(id, n uint64, as pageState) bool {
	if id < 2 || id >= c.high || n > c.high-id {
		c.report(id, "out of the file, which has %d pages", c.high)
		return false
	}
	for p := id; p < id+n; p++ {
		if c.state[p] != unused {
			c.report(p, "used twice")
			return false
		}
		c.state[p] = as
	}
	return true
}

// A page is the bytes of a page and its overflow.
type page []byte

func (p page) id() uint64       { return native.Uint64(p) }
func (p page) flags() uint16    { return native.Uint16(p[8:]) }
func (p page) count() int       { return int(native.Uint16(p[10:])) }
func (p page) overflow() uint64 { return uint64(native.Uint32(p[12:])) }

// read returns the page id with its overflow, after claiming both, or nil after
// reporting what is wrong. It never trusts a size before it is checked.
func (c *checker) read(id uint64) page {
	if c.ctx.Err() != nil || !c.claim(id, 1, used) {
		return nil
	}
	p := make(page, c.pageSize)
	if _, err := c.file.ReadAt(p, int64(id)*c.pageSize); err != nil {
		c.report(id, "%v", err)
		return nil
	}
	if p.id() != id {
		c.report(id, "calls itself %d", p.id())
		return nil
	}
	n := p.overflow()
	if n == 0 {
		return p
	}
	if !c.claim(id+1, n, used) {
		return nil
	}
	p = append(p, make([]byte, int64(n)*c.pageSize)...)
	if _, err := c.file.ReadAt(p[c.pageSize:], int64(id+1)*c.pageSize); err != nil {
		c.report(id, "%v", err)
		return nil
	}
	return p
}

// checkFreelist notes which pages are free. bbolt writes their numbers in ascending
// order, so a list in disorder is a damaged one.
func (c *checker) checkFreelist() {
	if c.freelist == noFreelist {
		c.report(0, "the list of free pages is missing")
		return
	}
	p := c.read(c.freelist)
	if p == nil {
		return
	}
	if p.flags() != freelistPage {
		c.report(c.freelist, "should be the list of free pages")
		return
	}
	ids, n := p[pageHeaderSize:], uint64(p.count())
	if n == 0xFFFF { // too many for the header
		n, ids = native.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		c.report(c.freelist, "lists %d free pages, has room for %d", n, len(ids)/8)
		return
	}
	last := uint64(0)
	for i := range n {
		id := native.Uint64(ids[8*i:])
		if id <= last {
			c.report(c.freelist, "free pages are not in order")
			return
		}
		if last = id; !c.claim(id, 1, freePage) {
			return
		}
	}
}

// account checks that every page has a use. Of a leaf that was not read, only
// the header is needed, and only if pages after it have none yet.
func (c *checker) account() {
	if len(c.problems) > 0 {
		return // pages of broken trees would all be reported
	}
	for id := uint64(2); id < c.high; id++ {
		if c.state[id] == leafHead && id+1 < c.high && c.state[id+1] == unused {
			var p [pageHeaderSize]byte
			if _, err := c.file.ReadAt(p[:], int64(id)*c.pageSize); err != nil {
				c.report(id, "%v", err)
				return
			}
			if h := page(p[:]); h.id() != id || h.flags() != leafPage || !c.claim(id+1, h.overflow(), used) {
				c.report(id, "should be a leaf")
				return
			}
		}
		if c.state[id] == unused {
			c.report(id, "neither used nor free")
			return
		}
	}
}
