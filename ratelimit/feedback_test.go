package ratelimit

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A fixedWindow is a server that allows so many requests in a window that the
// first one opens, and tells it in its headers. It is a RoundTripper, with a
// latency before and after it counts.
type fixedWindow struct {
	allowed int
	length  time.Duration
	latency time.Duration
	roundUp bool
	onOpen  func() // a window has opened; others may use it first

	mu      sync.Mutex
	end     time.Time
	count   int
	served  int
	refused int
}

// take counts a request and returns what to tell.
func (f *fixedWindow) take() (count int, reset time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); !now.Before(f.end) {
		f.end, f.count = now.Add(f.length), 0
		if f.onOpen != nil {
			f.onOpen()
		}
	}
	ok = f.count < f.allowed
	if ok {
		f.count++
		f.served++
	} else {
		f.refused++
	}
	reset = time.Until(f.end)
	if f.roundUp {
		reset += time.Second - 1
	}
	return f.count, reset, ok
}

func (f *fixedWindow) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(time.Duration(rand.Int64N(int64(f.latency))))
	count, reset, ok := f.take()
	resp := response(http.StatusOK, "Inin-Ratelimit-Count", strconv.Itoa(count),
		"Inin-Ratelimit-Allowed", strconv.Itoa(f.allowed), "Inin-Ratelimit-Reset", strconv.Itoa(int(reset/time.Second)))
	if !ok {
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", strconv.Itoa(int(reset/time.Second)))
	}
	resp.Request = req
	time.Sleep(time.Duration(rand.Int64N(int64(f.latency))))
	return resp, nil
}

func response(status int, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader("{}"))}
}

func get(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Others who use the token take any part of each window before this client's
// first request in it. It may use the rest, and no more, and is never refused.
func TestOthersWhoUseTheQuotaDoNotLeadToRefusals(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const allowed, length = 60, time.Minute
				rng := rand.New(rand.NewPCG(seed, 0))
				server := &fixedWindow{allowed: allowed, length: length, latency: time.Second, roundUp: seed%2 == 0}
				windows, left := 0, 0
				server.onOpen = func() {
					windows++
					server.count = rng.IntN(allowed)
					left += allowed - server.count
				}
				l := mustNew(t, Limits{Minute: allowed + rng.IntN(100)}, &Options{BackgroundBurst: -1})
				client := &http.Client{Transport: l.Transport(server)}
				require.NoError(t, get(t.Context(), client)) // the first answer tells of the others
				ctx, cancel := context.WithTimeout(t.Context(), 100*length)
				defer cancel()
				var all sync.WaitGroup
				for range 150 {
					all.Go(func() {
						for get(ctx, client) == nil {
							continue
						}
					})
				}
				all.Wait()
				t.Logf("served %d of %d in %d windows", server.served, left, windows)
				require.Zero(t, server.refused)
				require.Greater(t, windows, 90)
				require.GreaterOrEqual(t, server.served, left-2*allowed, "what others left is used")
			})
		})
	}
}

func TestRetryAfterFreezes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 100}, &Options{Headers: &Headers{}})
		wait := func(ctx context.Context) time.Duration {
			start := time.Now()
			p, err := l.Acquire(ctx)
			require.NoError(t, err)
			p.Done()
			return time.Since(start)
		}
		refuse := func(ctx context.Context, status int, after string) {
			p, err := l.Acquire(ctx)
			require.NoError(t, err)
			resp := response(status, "Retry-After", after, "Inin-Ratelimit-Count", "5", "Inin-Ratelimit-Allowed", "5", "Inin-Ratelimit-Reset", "9")
			resp.Request = new(http.Request).WithContext(ctx)
			p.Observe(resp)
			p.Done()
		}
		ctx := WithPriority(t.Context(), Interactive)

		refuse(ctx, 429, "42")
		require.Equal(t, "100 a minute: 1 used, 0 in flight, 99 free; all frozen until 2000-01-01T00:00:42Z: the server answered 429 and asked to wait 42s", l.State().String())
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := l.Acquire(short)
		require.ErrorContains(t, err, "the server answered 429 and asked to wait 42s, no slot before 2000-01-01T00:00:42Z")
		require.Equal(t, 42*time.Second, wait(ctx))

		refuse(ctx, 503, time.Now().UTC().Add(10*time.Second).Format(http.TimeFormat))
		require.Equal(t, 10*time.Second, wait(ctx))
		refuse(ctx, 200, "42")
		refuse(ctx, 429, "soon")
		refuse(ctx, 429, "-1")
		require.Zero(t, wait(ctx), "not a refusal, or not a time")

		flows, queues := WithKey(ctx, "flows"), WithKey(t.Context(), "queues")
		refuse(flows, 429, "30")
		refuse(queues, 429, "20")
		require.Zero(t, wait(ctx), "a key that is frozen holds up no others")
		start := time.Now()
		order := make(chan string, 4)
		for _, key := range []string{"flows", "queues", "flows", "other"} {
			go func() {
				wait(WithKey(ctx, key))
				order <- fmt.Sprintf("%s %s", key, time.Since(start))
			}()
			synctest.Wait()
		}
		require.Equal(t, 3, l.State().Interactive)
		require.Len(t, l.State().Frozen, 2)
		time.Sleep(time.Minute)
		for _, want := range []string{"other 0s", "queues 20s", "flows 30s", "flows 30s"} {
			require.Equal(t, want, <-order)
		}
		require.Empty(t, l.State().Frozen)
	})
}

// A date is compared with the clock of the server that wrote it.
func TestRetryAfterByTheClockOfTheServer(t *testing.T) {
	resp := response(503, "Date", "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After", "Wed, 21 Oct 2015 07:29:30 GMT")
	require.Equal(t, 90*time.Second, retryAfter(resp, time.Now()))
}

// A request that waits for a frozen key can leave like any other.
func TestCancelWhileKeyIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 1}, nil)
		ctx, cancel := context.WithCancel(WithKey(t.Context(), "k"))
		p, err := l.Acquire(ctx)
		require.NoError(t, err)
		p.observe(response(429, "Retry-After", "600"), "k")
		p.Done()
		go func() { _, _ = l.Acquire(ctx) }()
		time.Sleep(2 * time.Minute)
		require.Equal(t, 1, l.State().Waiting)
		cancel()
		synctest.Wait()
		require.Equal(t, 0, l.State().Waiting)
		require.Equal(t, 1, free(t, l))
	})
}

// Callers wake when their key thaws, also when a ledger has taken back the slots
// they were to have.
func TestCallersOfAFrozenKeyWake(t *testing.T) {
	for name, ledger := range map[string]Ledger{"alone": nil, "ledger": NewMemoryLedger()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger, BackgroundBurst: -1})
				ctx := WithKey(t.Context(), "k")
				p, err := l.Acquire(ctx)
				require.NoError(t, err)
				p.observe(response(429, "Retry-After", "600"), "k")
				p.Done()
				start := time.Now()
				p, err = l.Acquire(ctx)
				require.NoError(t, err)
				require.Equal(t, 10*time.Minute, time.Since(start))
				p.Done()
				time.Sleep(time.Hour)
			})
		})
	}
}

// Whatever a server says, requests that were not allowed before are not allowed
// after it.
func FuzzHeaders(f *testing.F) {
	f.Add("1", "300", "60", "", 200)
	f.Add("300", "300", "61", "42", 429)
	f.Add("-1", "99999999999999999999", "0", "Wed, 21 Oct 2015 07:28:00 GMT", 503)
	f.Add("0", "0", "0", "0", 429)
	f.Add("", " 5", "1e3", "99999999999999", 429)
	f.Fuzz(func(t *testing.T, count, allowed, reset, retry string, status int) {
		synctest.Test(t, func(t *testing.T) {
			const n = 5
			l := mustNew(t, Limits{Minute: n}, nil)
			p, q := mustAcquire(t, l), mustAcquireNow(t, l)
			before := free(t, l)
			resp := response(status)
			resp.Header = http.Header{
				"Inin-Ratelimit-Count": {count}, "Inin-Ratelimit-Allowed": {allowed}, "Inin-Ratelimit-Reset": {reset}, "Retry-After": {retry},
			}
			p.Observe(resp)
			require.LessOrEqual(t, free(t, l), before)
			p.Observe(resp)
			p.Done()
			q.Observe(resp)
			q.Done()
			require.LessOrEqual(t, free(t, l), before)
			time.Sleep(2*maxFreeze + time.Hour)
			require.Positive(t, free(t, l), "no word of a server lasts for ever")
			require.LessOrEqual(t, free(t, l), n)
		})
	})
}

func mustAcquireNow(tb testing.TB, l *Limiter) Permit {
	tb.Helper()
	p, err := l.Acquire(WithPriority(tb.Context(), Interactive))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
