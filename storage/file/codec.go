package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	"go.etcd.io/bbolt"

	"github.com/cxsync/cxsync/storage"
)

// The format of the file. A bbolt file has two buckets: metaBucket holds the
// format's number under formatKey, dataBucket the entries. Every value, in
// both buckets, is
//
//	sum     4 bytes, little endian: CRC-32C of the key, the kind and the body
//	kind    1 byte: how the body holds the value
//	body    the value as it is (kindRaw) or as one zstd frame (kindZstd), which
//	        names the dictionary that it needs, if any
//
// A CRC finds every error that is not longer than itself for certain, so every
// changed byte, and others but one in four thousand million. The key is in the sum
// so that a sound value in the wrong place, behind a pointer that was damaged, is
// found out as well. bbolt itself has sums only over its two meta pages.
const (
	format     = 1
	headerSize = 5 // sum and kind

	kindRaw  = 0
	kindZstd = 1
)

var (
	metaBucket = []byte("cxsync")
	dataBucket = []byte("data")
	formatKey  = []byte("format")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// minCompressed is the size below which a value is stored as it is. Smaller
// ones, such as records of a few fields, gain little and are read a lot.
const minCompressed = 512

// A codec turns values into what the file holds and back. It is safe for
// concurrent use. Its coder gets to know more dictionaries while the store is in
// use; Compact replaces it together with the file, and what was read before needs
// the coder of then.
type codec struct {
	plain *coder // without dictionaries
	coder atomic.Pointer[coder]
}

// A coder compresses with the newest of its dictionaries, and decompresses with
// the one that a frame names.
type coder struct {
	dicts [][]byte // dictionary n is dicts[n-1]; nil if it is lost
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	cores int // that encode the values of a commit
}

func newCodec() (*codec, error) {
	coder, err := newCoder(nil)
	if err != nil {
		return nil, err
	}
	c := &codec{plain: coder}
	c.coder.Store(coder)
	return c, nil
}

// newCoder returns a coder. The fastest level is the one to use: with a
// dictionary the others gain next to nothing, and cost twice the time and more.
func newCoder(dicts [][]byte) (*coder, error) {
	cores := runtime.GOMAXPROCS(0)
	enc := []zstd.EOption{zstd.WithEncoderConcurrency(cores), zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedFastest)}
	dec := []zstd.DOption{zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(storage.MaxValueSize)}
	for i, dict := range dicts {
		if dict == nil {
			continue
		}
		dec = append(dec, zstd.WithDecoderDictRaw(uint32(i+1), dict))
		if i == len(dicts)-1 {
			enc = append(enc, zstd.WithEncoderDictRaw(uint32(i+1), dict))
		}
	}
	c := &coder{dicts: dicts, cores: cores}
	var err error
	if c.enc, err = zstd.NewWriter(nil, enc...); err != nil {
		return nil, err
	}
	if c.dec, err = zstd.NewReader(nil, dec...); err != nil {
		return nil, err
	}
	return c, nil
}

// encode returns what the file holds for value under key.
func (c *codec) encode(key string, value []byte) []byte {
	return c.coder.Load().encode(key, value)
}

// encode compresses a value unless that saves less than an eighth, which is not
// worth the time of every read.
func (c *coder) encode(key string, value []byte) []byte {
	raw := make([]byte, headerSize, headerSize+len(value))
	if len(value) >= minCompressed {
		raw[4] = kindZstd
		raw = c.enc.EncodeAll(value, raw)
	}
	if raw[4] == kindRaw || len(raw) > headerSize+len(value)*7/8 {
		raw = append(raw[:headerSize], value...)
		raw[4] = kindRaw
	}
	binary.LittleEndian.PutUint32(raw, checksum(keyBytes(key), raw))
	return raw
}

// keyBytes returns the bytes of key without a copy. They must not be changed.
func keyBytes(key string) []byte { return unsafe.Slice(unsafe.StringData(key), len(key)) }

// decode returns the value that the file holds as raw under key.
func (c *codec) decode(key string, raw []byte) ([]byte, error) {
	return c.coder.Load().decode(key, raw)
}

// decode returns the value that raw holds for key. It may share memory with raw.
func (c *coder) decode(key string, raw []byte) ([]byte, error) {
	if err := check(keyBytes(key), raw); err != nil {
		return nil, err
	}
	switch body := raw[headerSize:]; raw[4] {
	case kindRaw:
		return slices.Clip(body), nil
	case kindZstd:
		value, err := c.dec.DecodeAll(body, nil)
		if err != nil {
			return nil, corrupt([]byte(key), err.Error())
		}
		return value, nil
	default:
		return nil, corrupt([]byte(key), fmt.Sprintf("value of unknown kind %d", raw[4]))
	}
}

// decodedSize returns the size of the value that raw, which is sound, holds.
func decodedSize(raw []byte) int {
	var h zstd.Header
	if raw[4] == kindZstd && h.Decode(raw[headerSize:]) == nil && h.HasFCS {
		return int(h.FrameContentSize)
	}
	return len(raw) - headerSize
}

// check returns an error that matches ErrCorrupt if raw is not what was stored
// under key.
func check(key, raw []byte) error {
	if len(raw) < headerSize {
		return corrupt(key, "value is cut short")
	}
	if binary.LittleEndian.Uint32(raw) != checksum(key, raw) {
		return corrupt(key, "checksum does not match")
	}
	return nil
}

// checksum returns the sum that belongs at the start of raw, over the rest of it.
func checksum(key, raw []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, raw[4:])
}

// corrupt returns the error for a damaged value: it matches storage.ErrCorrupt and names the key, and
// nothing of the value.
func corrupt(key []byte, reason string) error {
	return &storage.KeyError{Key: string(key), Err: fmt.Errorf("%w: %s", storage.ErrCorrupt, reason)}
}

// writeFormat makes the buckets of an empty store.
func (c *codec) writeFormat(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucket(dataBucket); err != nil {
		return err
	}
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	return meta.Put(formatKey, c.encode(string(formatKey), strconv.AppendInt(nil, format, 10)))
}

// checkFormat returns an error if this version cannot read the store. The format is
// checked before anything else is decoded.
func (c *codec) checkFormat(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return errors.New("a bbolt file, but not a store of cxsync")
	}
	value, err := c.decode(string(formatKey), meta.Get(formatKey))
	if err != nil {
		return err
	}
	switch n, err := strconv.Atoi(string(value)); {
	case err != nil:
		return corrupt(formatKey, "not a number")
	case n > format:
		return fmt.Errorf("store has format %d, newer than %d, the newest known here: use a newer version of cxsync", n, format)
	}
	if tx.Bucket(dataBucket) == nil {
		return fmt.Errorf("%w: bucket %q is missing", storage.ErrCorrupt, dataBucket)
	}
	return nil
}
