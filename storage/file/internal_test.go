package file

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
)

func mustOpen(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(path, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() }) // tests that care close it themselves
	return s
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "cxsync.db")
}

// content returns all that s holds.
func content(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	got := map[string]string{}
	for e, err := range s.Scan(tb.Context(), storage.Range{}) {
		require.NoError(tb, err)
		got[e.Key] = string(e.Value)
	}
	return got
}

func put(tb testing.TB, s *Store, entries map[string]string) {
	tb.Helper()
	var b storage.Batch
	for k, v := range entries {
		b.Put(k, []byte(v))
	}
	require.NoError(tb, s.Commit(tb.Context(), &b))
}

// mixed returns n entries of all kinds: small, compressed, incompressible and
// larger than a page.
func mixed(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		key := storage.Key("kind", fmt.Sprintf("%05d", i))
		switch i % 5 {
		case 0:
			m[key] = strings.Repeat(fmt.Sprintf(`{"name":"object %d"},`, i), 60)
		case 1:
			m[key] = ""
		default:
			m[key] = fmt.Sprintf(`{"digest":%d,"seen":"2026-11-%02d"}`, i*7919, i%30)
		}
	}
	m["large"] = string(noise(9000))
	return m
}

// noise returns bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func TestEveryFlippedByteOfValuesIsReported(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	want := mixed(30)
	s := mustOpen(t, path)
	put(t, s, want)
	require.NoError(t, s.Verify(t.Context()))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	flips := 0
	for key, value := range want {
		raw := s.codec.encode(key, []byte(value))
		at := bytes.Index(data, raw)
		require.GreaterOrEqual(t, at, 0, key)
		step := max(1, len(raw)/500) // the large value need not be flipped byte by byte twice
		for i := 0; i < len(raw); i += step {
			flip(t, s, int64(at+i), 1<<(i%8))
			_, err := s.Get(t.Context(), key)
			requireCorrupt(t, err, key)
			for _, err = range s.Scan(t.Context(), storage.Range{Start: key}) {
				break
			}
			requireCorrupt(t, err, key)
			requireCorrupt(t, s.Verify(t.Context()), key)
			flip(t, s, int64(at+i), 1<<(i%8))
			flips++
		}
	}
	require.Greater(t, flips, 1000)
	raw := s.codec.encode("large", []byte(want["large"]))
	at := int64(bytes.Index(data, raw) + len(raw)/2)
	flip(t, s, at, 1)
	requireCorrupt(t, s.Compact(t.Context()), "large")
	requireCorrupt(t, s.Backup(t.Context(), new(bytes.Buffer)), "large")
	flip(t, s, at, 1)
	require.NoError(t, s.Verify(t.Context()))
	require.Equal(t, want, content(t, s))
}

func requireCorrupt(t *testing.T, err error, key string) {
	t.Helper()
	require.ErrorIs(t, err, storage.ErrCorrupt)
	var ke *storage.KeyError
	require.ErrorAs(t, err, &ke)
	require.Equal(t, key, ke.Key)
}

// flip changes bits of a byte of the open file.
func flip(t *testing.T, s *Store, at int64, bits byte) {
	t.Helper()
	var b [1]byte
	_, err := s.file.ReadAt(b[:], at)
	require.NoError(t, err)
	b[0] ^= bits
	_, err = s.file.WriteAt(b[:], at)
	require.NoError(t, err)
}

func TestValueUnderAnotherKeyIsReported(t *testing.T) {
	t.Parallel()
	c, err := newCodec()
	require.NoError(t, err)
	raw := c.encode("a", []byte("value"))
	_, err = c.decode("b", raw)
	requireCorrupt(t, err, "b")
}

// TestDamagedStructure changes bytes of the pages themselves. The store must not
// open, or Verify must report it, or it must have done no harm at all.
func TestDamagedStructure(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	want := mixed(300)
	s := mustOpen(t, path)
	put(t, s, want)
	for i := range 5 { // so that there are free pages
		put(t, s, map[string]string{fmt.Sprintf("kind/%05d", i*60): "changed"})
		want[fmt.Sprintf("kind/%05d", i*60)] = "changed"
	}
	require.NoError(t, s.Close())
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	refused, reported, harmless := 0, 0, 0
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	for i, at := range structure(t, sound) {
		data := bytes.Clone(sound)
		data[at] ^= []byte{0x01, 0xff, 0x80, 0x03}[i%4]
		_ = os.Remove(damaged) // a new file each time; Open looks at all that are beside it
		require.NoError(t, os.WriteFile(damaged, data, 0o600))
		s, err := Open(damaged, &Options{NoSync: true})
		if err != nil {
			require.ErrorIs(t, err, storage.ErrCorrupt, "byte %d", at)
			refused++
			continue
		}
		if verifyErr := s.Verify(t.Context()); verifyErr != nil {
			require.ErrorIs(t, verifyErr, storage.ErrCorrupt, "byte %d", at)
			for _, err := range s.Scan(t.Context(), storage.Range{}) { // must not panic
				_ = err
			}
			reported++
		} else {
			put(t, s, map[string]string{"after": "damage"})
			got := content(t, s)
			delete(got, "after")
			require.True(t, maps.Equal(want, got), "byte %d is damaged, data is lost and nothing says so", at)
			require.NoError(t, s.Verify(t.Context()))
			harmless++
		}
		require.NoError(t, s.Close())
	}
	t.Logf("%d refused by Open, %d reported by Verify, %d harmless", refused, reported, harmless)
	require.Greater(t, refused, 10)
	require.Greater(t, reported, 100)
}

// structure lists the bytes of headers, elements, metas and the free list.
func structure(t *testing.T, data []byte) (at []int) {
	t.Helper()
	for p := 0; p < len(data); p += os.Getpagesize() {
		h := page(data[p:])
		n := 0
		switch h.flags() {
		case leafPage, branchPage:
			n = pageHeaderSize + elementSize*h.count()
		case freelistPage:
			n = pageHeaderSize + 8*h.count()
		case 0x04:
			n = pageHeaderSize + metaSize
		}
		step := 13 // odd, so that all bytes of an element get their turn
		for i := 0; i < n; i += step {
			at = append(at, p+i)
		}
	}
	require.Greater(t, len(at), 200)
	return at
}
