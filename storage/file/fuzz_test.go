package file

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/bounded"
	"github.com/cxsync/cxsync/storage"
)

// FuzzDamagedFile overwrites a piece of a store, which must then not open, or be
// reported, or be as it was. It must not panic, and not loop.
func FuzzDamagedFile(f *testing.F) {
	sound, err := os.ReadFile("testdata/format1.db")
	require.NoError(f, err)
	pageSize := os.Getpagesize()
	for p := range len(sound) / pageSize {
		f.Add(uint32(p*pageSize), []byte{0xff})
		f.Add(uint32(p*pageSize+8), []byte{1, 0})
		f.Add(uint32(p*pageSize+10), []byte{0})
		f.Add(uint32(p*pageSize+24), []byte{3, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, at uint32, piece []byte) {
		defer bounded.Start(t)()
		path := newPath(t)
		data := bytes.Clone(sound)
		copy(data[int(at)%len(data):], piece)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		s, err := Open(path, &Options{NoSync: true})
		if err != nil {
			return
		}
		defer s.Close()
		verifyErr := s.Verify(t.Context())
		n := 0
		for _, err := range s.Scan(t.Context(), storage.Range{Reverse: at%2 == 0}) {
			if err == nil {
				n++
			}
		}
		_, _ = s.Get(t.Context(), "text")
		if verifyErr == nil {
			require.Equal(t, 405, n)
			put(t, s, map[string]string{"after": "damage"})
			require.NoError(t, s.Verify(t.Context()))
		}
	})
}
