package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
)

// However long the sequence is, and wherever it fails or the caller stops, the caller sees what one goroutine would give
// it, and none works on afterwards.
func TestInOrder(t *testing.T) {
	broken := errors.New("broken")
	for _, n := range []int{0, 1, chunkObjects - 1, chunkObjects, chunkObjects + 1, 10*chunkObjects + 3} {
		for _, failsAt := range []int{-1, 0, 1, n / 2, n} {
			for _, stopsAt := range []int{-1, 0, n / 3, n - 1, n} {
				t.Run(fmt.Sprint(n, failsAt, stopsAt), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var running atomic.Int32
						seq := func(yield func(int, error) bool) {
							running.Add(1)
							defer running.Add(-1)
							for i := range n {
								if i == failsAt {
									yield(0, broken)
									return
								}
								if !yield(i, nil) {
									return
								}
							}
							if failsAt == n {
								yield(0, broken)
							}
						}
						odd := func(i int) (string, error) {
							running.Add(1)
							defer running.Add(-1)
							runtime.Gosched()
							if i%7 == 3 {
								return strconv.Itoa(i), ErrTrimmed
							}
							return strconv.Itoa(i), nil
						}
						var want, got []string
						for i, err := range seq {
							s := ""
							if err == nil {
								s, err = odd(i)
							}
							if want = append(want, fmt.Sprint(s, err)); len(want)-1 == stopsAt {
								break
							}
						}
						for s, err := range inOrder(seq, func(int) int { return 1 }, odd) {
							if got = append(got, fmt.Sprint(s, err)); len(got)-1 == stopsAt {
								break
							}
						}
						require.Zero(t, running.Load())
						require.Equal(t, want, got)
					})
				})
			}
		}
	}
}

// A caller who is slow has few chunks waiting, whether many small elements make one or a large one does.
func TestInOrderIsNotFarAhead(t *testing.T) {
	for size, chunk := range map[int]int{1: chunkObjects, chunkBytes / 4: 4, 4 * chunkBytes: 1} {
		synctest.Test(t, func(t *testing.T) {
			var read atomic.Int32
			var all iter.Seq2[int, error] = func(yield func(int, error) bool) {
				for i := 0; yield(i, nil); i++ {
					read.Add(1)
				}
			}
			same := func(i int) (int, error) { return i, nil }
			for _, err := range inOrder(all, func(int) int { return size }, same) {
				require.NoError(t, err)
				synctest.Wait()
				// Behind the chunk at hand: those in the queue, and the one that waits for its place there.
				require.LessOrEqual(t, int(read.Load()), (mostWorkers+2)*chunk)
				break
			}
		})
	}
}

// Who ends the context in the middle of an answer gets its error, unless the answer was complete.
func TestAsOfEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistory(t)
		var objects []Object
		for n := range 20 * chunkObjects {
			objects = append(objects, obj(fmt.Sprintf("%04d", n), `"n":1`))
		}
		pass(t, h, diff.Rules{}, objects...)
		at := tick()
		tick()
		for i := range objects {
			objects[i] = obj(objects[i].ID, `"n":2`)
		}
		pass(t, h, diff.Rules{}, objects...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen, ended := 0, error(nil)
		for v, err := range h.AsOf(ctx, "queues", at) {
			if err != nil {
				require.NoError(t, ended)
				ended = err
				continue
			}
			require.Equal(t, fmt.Sprintf("%04d", seen), v.ID)
			require.Equal(t, string(obj(v.ID, `"n":1`).Body), string(v.Body))
			seen++
			cancel()
		}
		require.ErrorIs(t, ended, context.Canceled)
		require.Less(t, seen, len(objects))
	})
}
