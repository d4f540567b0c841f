package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
)

// childEnv holds the DSN in a process that a test starts, and childSchema the
// schema that it commits to until it is killed.
const (
	childEnv    = "CXSYNC_TEST_DSN"
	childSchema = "CXSYNC_TEST_SCHEMA"
)

func child(dsn string) {
	ctx := context.Background()
	s, err := postgres.Open(ctx, dsn, &postgres.Options{Schema: os.Getenv(childSchema)})
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := lastCommit(ctx, s)
	for err == nil {
		n++
		if err = s.Commit(ctx, crashBatch(n)); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Println(err)
}

// lastCommit returns the number of the last crashBatch in s.
func lastCommit(ctx context.Context, s storage.Store) (int, error) {
	v, err := s.Get(ctx, "last")
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

// crashSlots is how many keys commits write to in turn.
const crashSlots = 20

// crashBatch is the n-th commit, from 1: it writes one slot in three places, one
// of them large, and deletes what commit n-1 has left for it.
func crashBatch(n int) *storage.Batch {
	var b storage.Batch
	b.Put("last", []byte(strconv.Itoa(n)))
	for i, part := range []string{"a", "m", "z"} {
		b.Put(fmt.Sprintf("%s/%02d", part, n%crashSlots), []byte(strings.Repeat(strconv.Itoa(n)+" ", 1+i*1500)))
	}
	b.DeleteRange(storage.Prefix("trash/"))
	b.Put(fmt.Sprintf("trash/%d", n), nil)
	return &b
}

// checkAfter checks that s holds exactly the state after commit n.
func checkAfter(t *testing.T, s storage.Store, n int) {
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
		got[e.Key] = string(e.Value)
	}
	for key := range want {
		if want[key] != got[key] {
			t.Fatalf("after commit %d %s is %.20q..., want %.20q...", n, key, got[key], want[key])
		}
	}
	require.Len(t, got, len(want), "keys after commit %d", n)
}

// TestCrashOfClient kills a process that commits and tells what is acknowledged,
// over and over.
func TestCrashOfClient(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dsn, name := dsn(t), schema(t)
	s := open(t, dsn, name)
	total := 0
	for range 6 {
		acked := killedAfter(t, dsn, name, time.Duration(rng.IntN(60_000))*time.Microsecond)
		// The server may still be at the last commit of the process.
		require.Eventually(t, func() bool {
			return len(rows(t, "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'killed'")) == 0
		}, 20*time.Second, 10*time.Millisecond)
		n, err := lastCommit(t.Context(), s)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, max(acked, total), "acknowledged commits are lost")
		require.LessOrEqual(t, n, max(acked, total)+1)
		total = n
		checkAfter(t, s, n)
	}
	t.Logf("%d commits", total)
	require.Positive(t, total)
}

// killedAfter lets a process commit for a while, kills it, and returns the last
// commit that it acknowledged.
func killedAfter(t *testing.T, dsn, schema string, d time.Duration) (acked int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dsn+" application_name=killed", childSchema+"="+schema)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acked == 0 {
			time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
		}
		acked, err = strconv.Atoi(lines.Text())
		require.NoError(t, err, "the process failed")
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	return acked
}

// TestCrashOfServer kills the server during commits, with everything synced to
// the disk, and goes on with the same store.
func TestCrashOfServer(t *testing.T) {
	server, err := postgrestest.Launch(t.Context())
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	s := open(t, server.DSN(), "crash")
	n := 0
	for round := range 3 {
		acked := make(chan struct{}, 1_000_000)
		var failed error
		var wg sync.WaitGroup
		wg.Go(func() {
			for failed == nil {
				if failed = s.Commit(t.Context(), crashBatch(n+1)); failed == nil {
					n++
					acked <- struct{}{}
				}
			}
		})
		for range 5 + 20*round {
			<-acked
		}
		if round == 1 {
			require.NoError(t, server.Restart(t.Context()))
		} else {
			require.NoError(t, server.Crash(t.Context()))
		}
		wg.Wait()
		require.NotErrorIs(t, failed, storage.ErrConflict)
		require.ErrorContains(t, failed, "storage/postgres: ")
		last, err := lastCommit(t.Context(), s) // the next call works
		require.NoError(t, err)
		require.Contains(t, []int{n, n + 1}, last, "after %v", failed)
		n = last
		checkAfter(t, s, n)
	}
}
