package history

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		r    Retention
		a, b int // changes left of a, which changed each day for 10 days, and of b, which was deleted on day 2
	}{
		"all":           {Retention{}, 10, 3},
		"one day":       {Retention{MaxAge: day + day/2}, 3, 1}, // today's, yesterday's, and the one that held when the window began
		"the very edge": {Retention{MaxAge: day}, 3, 1},
		"five days":     {Retention{MaxAge: 5*day + day/2}, 7, 1},
		"long":          {Retention{MaxAge: 100 * day}, 10, 3},
		"count 1":       {Retention{MaxChanges: 1}, 1, 1},
		"count 4":       {Retention{MaxChanges: 4}, 4, 3},
		"either":        {Retention{MaxAge: 5*day + day/2, MaxChanges: 2}, 2, 1},
		"either, age":   {Retention{MaxAge: day + day/2, MaxChanges: 8}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t)
				for n := range 10 {
					if n > 0 {
						time.Sleep(day)
					}
					objects := []Object{obj("a", `"n":%d`, n)}
					if n < 2 {
						objects = append(objects, obj("b", `"n":%d`, n))
					}
					p, err := h.Begin(t.Context(), "queues", diff.Rules{})
					require.NoError(t, err)
					for _, o := range objects {
						require.NoError(t, p.Observe(t.Context(), o))
					}
					if n == 2 {
						require.NoError(t, p.Remove(t.Context(), "b"))
					}
					_, err = p.Settle(t.Context(), Walk{Complete: true})
					require.NoError(t, err)
					_, err = p.End(t.Context())
					require.NoError(t, err)
				}
				before := map[uint64]Change{}
				for _, c := range collect(t, h.Changes(t.Context(), Query{Imported: true})) {
					before[c.Seq] = c
				}
				plan, err := h.Trim(t.Context(), tc.r, &TrimOptions{DryRun: true})
				require.NoError(t, err)
				require.Len(t, collect(t, h.Versions(t.Context(), "queues", "a")), 10, "a dry run removes nothing")
				done, err := h.Trim(t.Context(), tc.r, nil)
				require.NoError(t, err)
				require.Equal(t, plan, done)
				require.Equal(t, 13-tc.a-tc.b, done.Changes)
				require.Len(t, collect(t, h.Versions(t.Context(), "queues", "a")), tc.a)
				require.Len(t, collect(t, h.Versions(t.Context(), "queues", "b")), tc.b)
				for _, c := range collect(t, h.Changes(t.Context(), Query{Imported: true})) {
					require.Equal(t, before[c.Seq], c, "what stays is as it was")
				}
				if tc.a < 10 {
					_, err := h.ObjectAsOf(t.Context(), "queues", "a", time.Now().Add(-9*day))
					require.ErrorIs(t, err, ErrTrimmed)
				}
				done, err = h.Trim(t.Context(), tc.r, nil)
				require.NoError(t, err)
				require.Zero(t, done.Changes)
			})
		})
	}
	h := newHistory(t)
	_, err := h.Trim(t.Context(), Retention{MaxAge: -1}, nil)
	require.ErrorContains(t, err, "MaxAge is -1ns")
	_, err = h.Trim(t.Context(), Retention{MaxChanges: -1}, nil)
	require.ErrorContains(t, err, "MaxChanges is -1")
}

// Trim runs beside passes: neither waits for the other or undoes it.
func TestTrimBesidePass(t *testing.T) {
	s := &faultyStore{Store: memory.New()}
	h := open(t, s, nil)
	for n := range 6 {
		pass(t, h, diff.Rules{}, obj("a", `"n":%d`, n))
	}
	writing := false
	s.set(func() (error, bool) {
		if !writing { // within a commit of Trim, a pass writes
			writing = true
			pass(t, h, diff.Rules{}, obj("a", `"n":6`))
		}
		return nil, false
	})
	done, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
	require.NoError(t, err)
	require.Equal(t, 5, done.Changes)
	s.set(nil)
	require.Equal(t, []string{"updated a", "updated a"}, kinds(t, h))
	versions := collect(t, h.Versions(t.Context(), "queues", "a"))
	require.JSONEq(t, `{"id":"a","n":6}`, string(versions[0].Body))
	require.JSONEq(t, `{"id":"a","n":5}`, string(versions[1].Body))

	t.Run("in small commits", func(t *testing.T) {
		h := newHistory(t)
		for n := range rewriteFrames + 2 {
			pass(t, h, diff.Rules{}, obj("a", `"n":%d`, n))
		}
		left := 1
		h.store = &faultyStore{Store: h.store, before: func() (error, bool) {
			if left--; left < 0 {
				return errStore, false
			}
			return nil, false
		}}
		done, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
		require.ErrorIs(t, err, errStore)
		require.Equal(t, rewriteFrames, done.Changes, "the first one was made")
		require.Len(t, kinds(t, h), 2)
	})

	t.Run("beside another trim", func(t *testing.T) {
		trimming := false
		s.set(func() (error, bool) {
			if !trimming {
				trimming = true
				_, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
				require.NoError(t, err)
			}
			return nil, false
		})
		_, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
		require.ErrorIs(t, err, storage.ErrConflict)
		require.Len(t, kinds(t, h), 1)
	})
}

// Forget leaves no trace of an object but the fact, wherever it stops.
func TestForget(t *testing.T) {
	for stop := range 4 {
		s := &faultyStore{Store: memory.New()}
		h := open(t, s, nil)
		for n := range 3 {
			pass(t, h, diff.Rules{}, obj("secret-person", `"n":%d`, n), obj("b", `"n":%d`, n))
		}
		passOver(t, h, "members", diff.Rules{}, Walk{Reason: `GET "secret-person": 500`}, obj("m", `"n":1`))
		pass(t, h, diff.Rules{}, obj("b", `"n":2`)) // missing
		running, err := h.Begin(t.Context(), "queues", diff.Rules{})
		require.NoError(t, err)
		require.NoError(t, running.Observe(t.Context(), obj("b", `"n":2`)))
		_, err = running.Settle(t.Context(), Walk{Complete: true}) // missing again
		require.NoError(t, err)
		left := stop
		s.set(func() (error, bool) {
			if left--; left < 0 {
				return errStore, false
			}
			return nil, false
		})
		err = h.Forget(t.Context(), "queues", "secret-person")
		s.set(nil)
		if stop >= 2 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, errStore)
			require.NoError(t, h.Forget(t.Context(), "queues", "secret-person"))
		}
		_, err = running.End(t.Context())
		require.NoError(t, err)
		for key, value := range dump(t, s) {
			require.NotContains(t, key+value, "secret-person")
		}
		require.Equal(t, []string{"imported b", "updated b", "updated b", "imported m", "forgotten "}, kinds(t, h))
		require.Len(t, collect(t, h.Versions(t.Context(), "queues", "b")), 3)
		require.ErrorIs(t, h.Forget(t.Context(), "queues", "secret-person"), ErrNotFound)
		pass(t, h, diff.Rules{}, obj("secret-person", `"n":9`), obj("b", `"n":2`))
		require.Len(t, collect(t, h.Versions(t.Context(), "queues", "secret-person")), 1, "it begins anew")
	}
}

// Delete removes an environment whole, goes on after an interruption, and
// leaves others alone.
func TestDelete(t *testing.T) {
	s := &faultyStore{Store: memory.New()}
	h := open(t, s, nil)
	other, err := Open(t.Context(), s, 11, nil)
	require.NoError(t, err)
	var objects []Object
	for i := range 1200 {
		objects = append(objects, obj(strconv.Itoa(i), `"n":1`))
	}
	pass(t, other, diff.Rules{}, objects[:10]...)
	kept := dump(t, s)
	pass(t, h, diff.Rules{}, objects...)
	running, err := h.Begin(t.Context(), "users", diff.Rules{})
	require.NoError(t, err)
	idle, err := h.Begin(t.Context(), "roles", diff.Rules{})
	require.NoError(t, err)
	for stop := range 3 {
		left := stop
		s.set(func() (error, bool) {
			if left--; left < 0 {
				return errStore, stop%2 == 0
			}
			return nil, false
		})
		err = h.Delete(t.Context())
		require.ErrorIs(t, err, errStore)
		s.set(nil)
		if stop > 0 {
			_, err = running.End(t.Context())
			require.ErrorIs(t, err, ErrDeleted)
		}
	}
	require.NoError(t, h.Delete(t.Context()))
	_, err = idle.End(t.Context())
	require.ErrorIs(t, err, ErrSuperseded, "what it knows is gone")
	require.Equal(t, kept, dump(t, s))
	require.Equal(t, 2, pass(t, h, diff.Rules{}, objects[:2]...).Imported, "the number may be used again")
	require.Len(t, collect(t, open(t, s, nil).AsOf(t.Context(), "queues", time.Now())), 2)
}
