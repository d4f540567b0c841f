//go:build unix

package file_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/fewergc"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

var (
	crashRounds = flag.Int("crash.rounds", 20, "how often to kill a process that commits")
	crashKeys   = flag.Int("crash.keys", 0, "how many keys the store has besides; 200,000 for the long test")
)

// childEnv holds the path of the store in a process that the tests start, and
// childTask what it does.
const (
	childEnv  = "CXSYNC_TEST_STORE"
	childTask = "CXSYNC_TEST_TASK"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := child(path, os.Getenv(childTask)); err != nil {
			fmt.Println(err)
		}
		return
	}
	os.Exit(fewergc.Run(m))
}

// child runs a task on the store until it is killed.
func child(path, task string) error {
	s, err := file.Open(path, nil)
	if err != nil {
		return err
	}
	fmt.Println("open")
	if task == "hold" {
		_, err = os.Stdin.Read(make([]byte, 1)) // until the parent closes it
		return err
	}
	ctx := context.Background()
	last, err := lastCommit(ctx, s)
	if err != nil {
		return err
	}
	for n := last + 1; ; n++ {
		if err := s.Commit(ctx, crashBatch(n)); err != nil {
			return err
		}
		fmt.Println(n)
		if n%64 == 0 {
			if err := s.Compact(ctx); err != nil {
				return err
			}
		}
	}
}

func lastCommit(ctx context.Context, s storage.Store) (int, error) {
	v, err := s.Get(ctx, "last")
	if err != nil {
		return 0, nil //nolint:nilerr // a new store
	}
	return strconv.Atoi(string(v))
}

// crashSlots is how many keys commits write to in turn.
const crashSlots = 40

// crashBatch is the n-th commit, from 1: it writes one slot in several pages,
// and deletes what commit n-1 has left for it.
func crashBatch(n int) *storage.Batch {
	var b storage.Batch
	b.Put("last", []byte(strconv.Itoa(n)))
	for _, part := range []string{"a", "m", "z"} {
		b.Put(fmt.Sprintf("%s/%02d", part, n%crashSlots), crashValue(n))
	}
	b.DeleteRange(storage.Prefix("trash/"))
	b.Put(fmt.Sprintf("trash/%d", n), nil)
	return &b
}

func crashValue(n int) []byte {
	return []byte(strings.Repeat(strconv.Itoa(n)+" ", 50*(n%7)))
}

// TestCrash kills a process that commits, compacts and tells what is
// acknowledged, over and over.
func TestCrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cxsync.db")
	keys := fillStore(t, path, *crashKeys)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	commits, slowest := 0, time.Duration(0)
	for range *crashRounds {
		acked := killedAfter(t, path, time.Duration(rng.IntN(60_000))*time.Microsecond)
		start := time.Now()
		s, err := file.Open(path, nil)
		require.NoError(t, err)
		slowest = max(slowest, time.Since(start))
		n, err := lastCommit(t.Context(), s)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, max(acked, commits), "acknowledged commits are lost")
		commits = n
		checkAfter(t, s, n, keys)
		require.NoError(t, s.Close())
	}
	t.Logf("%d commits, slowest to open again: %v", commits, slowest)
	require.Positive(t, commits)
	require.Less(t, slowest, time.Second)
}

// fillStore makes a store with n keys.
func fillStore(t *testing.T, path string, n int) int {
	t.Helper()
	s, err := file.Open(path, &file.Options{NoSync: true})
	require.NoError(t, err)
	for i := 0; i < n; i += 5000 {
		var b storage.Batch
		for j := i; j < min(n, i+5000); j++ {
			b.Put(fmt.Sprintf("fill/%07d", j), fmt.Appendf(nil, "%0800d", j*j))
		}
		require.NoError(t, s.Commit(t.Context(), &b))
	}
	require.NoError(t, s.Close())
	return n
}

// killedAfter lets a process commit for a while, kills it, and returns the last
// commit that it acknowledged.
func killedAfter(t *testing.T, path string, d time.Duration) (acked int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "open" {
			time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
			continue
		}
		acked, err = strconv.Atoi(lines.Text())
		require.NoError(t, err, "the process failed")
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	return acked
}

// checkAfter checks that s holds exactly the state after commit n.
func checkAfter(t *testing.T, s *file.Store, n, filled int) {
	t.Helper()
	want := map[string]string{}
	for m := max(1, n-crashSlots+1); m <= n; m++ {
		for op := range crashBatch(m).Ops() {
			if op.Kind == storage.OpPut {
				want[op.Key] = string(op.Value)
			}
		}
		delete(want, fmt.Sprintf("trash/%d", m-1))
	}
	got := map[string]string{}
	for e, err := range s.Scan(t.Context(), storage.Range{}) {
		require.NoError(t, err)
		if strings.HasPrefix(e.Key, "fill/") {
			filled--
		} else {
			got[e.Key] = string(e.Value)
		}
	}
	require.Equal(t, want, got, "state after commit %d", n)
	require.Zero(t, filled)
	require.NoError(t, s.Verify(t.Context()))
}
