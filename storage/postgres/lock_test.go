package postgres

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
)

func TestPrefixThatIsLocked(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a": "a", "a/": "a/", "a/b": "a/b", "a/b/": "a/b", "a/b/c/d": "a/b", "/": "/", "//": "/", "é/%/x": "é/%",
	} {
		require.Equal(t, want, prefix(key), key)
	}
}

// TestLocksMeet checks that of two parts of commits that touch the same key, one
// of them to change it, one waits for the other.
func TestLocksMeet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	part := func() string {
		return []string{"", "a", "b", "a/", "a/b", "a/b/", "a/b0", "a/b/c", "a/b/c/d", "a/c", "a/c/", "a0", "a/b/\U0010ffff"}[rng.IntN(13)]
	}
	of := func(fill func(l *locks)) map[int64]bool {
		l := locks{schema: "s", prefixes: map[string]bool{}}
		fill(&l)
		numbers, exclusive := l.arrays()
		modes := map[int64]bool{}
		for i, n := range numbers {
			modes[n] = exclusive[i]
		}
		return modes
	}
	met := 0
	for range 20_000 {
		key, r := "a/b/c"[:1+rng.IntN(5)]+part(), storage.Range{Start: part(), End: part()}
		if !r.Contains(key) || r.Empty() {
			continue
		}
		met++
		reader, writer := of(func(l *locks) { l.key(key, false) }), of(func(l *locks) { l.key(key, true) })
		require.True(t, exclude(reader, writer), key)
		require.False(t, exclude(reader, reader), key)
		deleter := of(func(l *locks) { l.deleted(r) })
		require.True(t, exclude(reader, deleter), "%q in %q", key, r)
		require.True(t, exclude(writer, deleter), "%q in %q", key, r)
	}
	require.Positive(t, met)
}

func exclude(a, b map[int64]bool) bool {
	for n, exclusive := range a {
		if other, ok := b[n]; ok && (exclusive || other) {
			return true
		}
	}
	return false
}

func TestLocksAreFew(t *testing.T) {
	t.Parallel()
	l := locks{schema: "s", prefixes: map[string]bool{}}
	for i := range 1000 {
		l.key(fmt.Sprintf("history/1/body/%d", i), true)
	}
	numbers, exclusive := l.arrays()
	require.Equal(t, []int64{l.number(""), l.number("history/1")}, numbers)
	require.Equal(t, []bool{false, true}, exclusive)
	for i := range 1000 {
		l.key(strconv.Itoa(i), true)
	}
	numbers, exclusive = l.arrays()
	require.Equal(t, []int64{l.number("")}, numbers)
	require.Equal(t, []bool{true}, exclusive)
	require.NotEqual(t, l.number("x"), (&locks{schema: "other"}).number("x"))
}
