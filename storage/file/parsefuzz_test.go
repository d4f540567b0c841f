package file

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
)

// FuzzValue reads values whose checksum is right and whose body is anything, with a dictionary that is anything, and
// values that were written. The latter come back, unless a byte of them has changed, which is always noticed.
func FuzzValue(f *testing.F) {
	user := bytes.Repeat([]byte(`{"id":"17","name":"object","selfUri":"/api/v2/users/17"},`), 40)
	f.Add([]byte("text"), byte(kindRaw), []byte{}, uint(0))
	f.Add(user, byte(kindZstd), user[:600], uint(3))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0}, byte(kindZstd), user, uint(99))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x23, 2, 0, 0, 0, 0, 1, 0, 0}, byte(kindZstd), []byte("x"), uint(7))
	f.Add([]byte{}, byte(2), []byte("dictionary"), uint(1))
	f.Add(user, byte(kindZstd), []byte{}, uint(3))
	c, err := newCodec()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte, kind byte, dict []byte, at uint) {
		defer bounded.Start(t)()
		c.coder.Store(c.plain)
		if len(dict) > 0 { // a coder takes long to make
			with, err := newCoder([][]byte{dict})
			if err != nil {
				return
			}
			c.coder.Store(with)
		}
		raw := c.encode("key", body)
		got, err := c.decode("key", raw)
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, got))
		_, err = c.decode("another key", raw)
		require.ErrorIs(t, err, storage.ErrCorrupt)
		raw[at%uint(len(raw))] ^= 1 << (at % 8)
		_, err = c.decode("key", raw)
		require.ErrorIs(t, err, storage.ErrCorrupt)

		forged := append(make([]byte, headerSize), body...)
		forged[4] = kind
		binary.LittleEndian.PutUint32(forged, checksum([]byte("key"), forged))
		got, err = c.decode("key", forged)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt)
			require.Contains(t, err.Error(), `"key"`)
		}
		require.LessOrEqual(t, len(got), storage.MaxValueSize)
	})
}

// FuzzMeta opens a file whose meta pages are sound by their checksum and say anything. It must not panic, not loop, and
// not take memory that the file's size does not warrant.
func FuzzMeta(f *testing.F) {
	sound, err := os.ReadFile("testdata/format1.db")
	require.NoError(f, err)
	m, _, err := newestMeta(bytes.NewReader(sound))
	require.NoError(f, err)
	f.Add(uint32(m.pageSize), m.root, m.freelist, m.high, m.txid, uint32(0))
	f.Add(uint32(m.pageSize), uint64(0), m.freelist, m.high, m.txid, uint32(0))
	f.Add(uint32(m.pageSize), m.root, noFreelist, m.high, uint64(1)<<63, uint32(1))
	f.Add(uint32(m.pageSize), m.root, m.root, ^uint64(0), m.txid, uint32(0))
	f.Add(uint32(1024), m.high, m.freelist, uint64(2), uint64(0), uint32(0xffff))
	f.Add(uint32(1<<31), m.root, m.freelist, uint64(0), m.txid, uint32(0))
	f.Fuzz(func(t *testing.T, pageSize uint32, root, freelist, high, txid uint64, flags uint32) {
		defer bounded.Start(t)()
		path := newPath(t)
		data := bytes.Clone(sound)
		for _, offset := range []int64{0, m.pageSize} {
			b := data[offset+pageHeaderSize:][:metaSize]
			native.PutUint32(b[8:], pageSize)
			native.PutUint32(b[12:], flags)
			native.PutUint64(b[16:], root)
			native.PutUint64(b[32:], freelist)
			native.PutUint64(b[40:], high)
			native.PutUint64(b[48:], txid-uint64(offset)) // the first is the newer one
			sum := fnv.New64a()
			sum.Write(b[:metaSize-8])
			native.PutUint64(b[metaSize-8:], sum.Sum64())
		}
		require.NoError(t, os.WriteFile(path, data, 0o600))
		s, err := Open(path, &Options{NoSync: true})
		if err != nil {
			return
		}
		defer s.Close()
		n := 0
		for _, err := range s.Scan(t.Context(), storage.Range{}) {
			if err == nil {
				n++
			}
		}
		if s.Verify(t.Context()) == nil {
			require.Equal(t, 405, n)
			put(t, s, map[string]string{"after": "damage"})
			require.NoError(t, s.Verify(t.Context()))
		}
	})
}
