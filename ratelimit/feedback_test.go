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

	"github.com/cxsync/cxsync/internal/bounded"
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
				l := mustNew(t, Limits{Minute: allowed + rng.IntN(100)}, nil)
				client := &http.Client{Transport: l.Transport(server)}
				interactive := WithPriority(t.Context(), Interactive) // as fast as it may
				require.NoError(t, get(interactive, client))          // the first answer tells of the others
				ctx, cancel := context.WithTimeout(interactive, 100*length)
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
		l := mustNew(t, Limits{Minute: 100}, nil)
		ctx := WithPriority(t.Context(), Interactive)
		wait := func() time.Duration {
			start := time.Now()
			mustAcquire(t, l).Done()
			return time.Since(start)
		}
		refuse := func(status int, header ...string) {
			p := mustAcquire(t, l)
			p.observe(response(status, header...), "")
			p.Done()
		}
		refuse(429, "Retry-After", "42")
		require.Equal(t, "100 a minute: 1 used, 0 in flight, 99 free; all frozen until 2000-01-01T00:00:42Z: the server answered 429 and asked to wait 42s", l.State().String())
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := l.Acquire(short)
		require.ErrorContains(t, err, "the server answered 429 and asked to wait 42s, no slot before 2000-01-01T00:00:42Z")
		require.Equal(t, 42*time.Second, wait())

		date := func(d time.Duration) string { return time.Now().UTC().Add(d).Format(http.TimeFormat) }
		refuse(503, "Retry-After", date(time.Hour+10*time.Second), "Date", date(time.Hour))
		require.Equal(t, 10*time.Second, wait(), "by the clock of the server that wrote it")
		refuse(503, "Retry-After", date(time.Minute))
		refuse(200, "Retry-After", "42")
		refuse(429, "Retry-After", "soon")
		refuse(429, "Retry-After", "-1")
		require.Zero(t, wait(), "not a refusal, or not a time")
	})
}

// What an answer holds up is what it says is limited: all requests, or those of one route.
func TestARefusalHoldsUpWhatItNames(t *testing.T) {
	const limited = `{"code":"too.many.requests","limit":{"key":%q,"namespace":"platform.api"}}`
	hasRoom := []string{"Inin-Ratelimit-Count", "5", "Inin-Ratelimit-Allowed", "300", "Inin-Ratelimit-Reset", "9"}
	isFull := []string{"Inin-Ratelimit-Count", "300", "Inin-Ratelimit-Allowed", "300", "Inin-Ratelimit-Reset", "9"}
	const why = "the server answered 429%s and asked to wait 30s"
	for name, tt := range map[string]struct {
		status int
		body   string
		header []string
		route  string
		why    string
	}{
		"token":                {429, fmt.Sprintf(limited, "client.credentials.token.rate.per.minute"), hasRoom, "", fmt.Sprintf(why, " (client.credentials.token.rate.per.minute)")},
		"org":                  {429, fmt.Sprintf(limited, "org.user.rate.per.minute"), nil, "", fmt.Sprintf(why, " (org.user.rate.per.minute)")},
		"route":                {429, fmt.Sprintf(limited, "queue.members.rate.per.minute"), nil, "GET /api/v2/queues/*/members", fmt.Sprintf(why, " (queue.members.rate.per.minute)")},
		"route, token is full": {429, fmt.Sprintf(limited, "queue.members.rate.per.minute"), isFull, "GET /api/v2/queues/*/members", fmt.Sprintf(why, " (queue.members.rate.per.minute)")},
		"headers: room":        {429, `{}`, hasRoom, "GET /api/v2/queues/*/members", fmt.Sprintf(why, "")},
		"headers: full":        {429, `{}`, isFull, "", fmt.Sprintf(why, "")},
		"nothing":              {429, `no JSON`, nil, "", fmt.Sprintf(why, "")},
		"a text, not a name":   {429, fmt.Sprintf(limited, "\x1b[2J all is well\n"), hasRoom, "GET /api/v2/queues/*/members", fmt.Sprintf(why, "")},
		"unavailable":          {503, ``, hasRoom, "GET /api/v2/queues/*/members", "the server answered 503 and asked to wait 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 100}, nil)
				const refused, other = "/api/v2/queues/8f8b8f6e-1b1c-4b9e-9f5e-0d5b8e2f9a11/members", "/api/v2/users"
				answers := map[string]bool{refused: true}
				client := &http.Client{Transport: l.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
					if !answers[req.URL.Path] {
						return response(200), nil
					}
					resp := response(tt.status, append(tt.header, "Retry-After", "30")...)
					resp.Body = io.NopCloser(strings.NewReader(tt.body))
					return resp, nil
				}))}
				send := func(path string) string {
					req, err := http.NewRequestWithContext(WithPriority(t.Context(), Interactive), http.MethodGet, "https://api.example.com"+path, http.NoBody)
					require.NoError(t, err)
					resp, err := client.Do(req)
					require.NoError(t, err)
					defer func() { _ = resp.Body.Close() }()
					body, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					return string(body)
				}
				require.Equal(t, tt.body, send(refused), "the body is there to be read")
				clear(answers)
				frozen := l.State().Frozen
				require.Contains(t, frozen, Freeze{tt.route, time.Now().Add(30 * time.Second), tt.why})

				if tt.route != "" {
					l.mu.Lock()
					l.server = serverWindow{}
					delete(l.freezes, "") // of a full window, of which other tests tell
					l.mu.Unlock()
				}
				start := time.Now()
				var all sync.WaitGroup
				took := map[string]time.Duration{}
				var mu sync.Mutex
				for _, path := range []string{other, strings.Replace(refused, "8f8b", "aaaa", 1)} {
					all.Go(func() {
						send(path)
						mu.Lock()
						defer mu.Unlock()
						took[path] = time.Since(start)
					})
				}
				synctest.Wait()
				all.Wait()
				for path, d := range took {
					if path == other && tt.route != "" {
						require.Zero(t, d)
					} else {
						require.Equal(t, 30*time.Second, d)
					}
				}
				require.Empty(t, l.State().Frozen)
			})
		})
	}
}

// A server that asks for more than MaxFreeze is asked again after it, by one request.
func TestFreezesAreBounded(t *testing.T) {
	for name, answer := range map[string]*http.Response{
		"Retry-After": response(429, "Retry-After", "86400"),
		"window":      response(200, "Inin-Ratelimit-Count", "9", "Inin-Ratelimit-Allowed", "9", "Inin-Ratelimit-Reset", "86400"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 100}, &Options{MaxFreeze: time.Minute})
				p := mustAcquire(t, l)
				p.observe(answer, "")
				p.Done()
				start := time.Now()
				permits := make(chan Permit, 10)
				for range 10 {
					go func() {
						if p, err := l.Acquire(WithPriority(t.Context(), Interactive)); err == nil {
							permits <- p
						}
					}()
				}
				for range 3 { // is told to wait again
					p := <-permits
					synctest.Wait()
					require.Empty(t, permits, "one goes alone")
					require.Greater(t, time.Since(start), 59*time.Second)
					require.Less(t, time.Since(start), 62*time.Second)
					p.observe(answer, "")
					p.Done()
					start = time.Now()
				}
				p = <-permits
				if name == "window" {
					p.observe(response(200, "Inin-Ratelimit-Count", "1", "Inin-Ratelimit-Allowed", "9", "Inin-Ratelimit-Reset", "60"), "")
				}
				p.Done()
				synctest.Wait()
				require.Len(t, permits, 6, "the answer was no refusal, so all go")
			})
		})
	}
}

// While one request goes alone, nobody knows how long its answer takes: a caller with a deadline waits for it.
func TestDeadlineWhileOneGoesAlone(t *testing.T) {
	for name, ledger := range map[string]Ledger{"alone": nil, "ledger": new(memoryLedger)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 100}, &Options{Ledger: ledger})
				p := mustAcquire(t, l)
				p.observe(response(429, "Retry-After", "5"), "")
				p.Done()
				time.Sleep(5 * time.Second)
				first := mustAcquire(t, l)
				time.AfterFunc(20*time.Second, first.Done) // a renewal has come and gone by then
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				second, err := l.Acquire(ctx)
				require.NoError(t, err)
				require.Equal(t, 20*time.Second, time.Since(start))
				second.Done()
				require.NoError(t, l.Flush(t.Context()))
			})
		})
	}
}

// A person can end what the server has asked for.
func TestThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 100}, nil)
		p, q := mustAcquire(t, l), mustAcquire(t, l)
		p.observe(response(429, "Retry-After", "100", "Inin-Ratelimit-Count", "7", "Inin-Ratelimit-Allowed", "7", "Inin-Ratelimit-Reset", "60"), "")
		q.observe(response(503, "Retry-After", "100", "Inin-Ratelimit-Count", "1", "Inin-Ratelimit-Allowed", "7", "Inin-Ratelimit-Reset", "60"), "GET /x")
		p.Done()
		q.Done()
		require.Len(t, l.State().Frozen, 2)
		start := time.Now()
		var all sync.WaitGroup
		for _, route := range []string{"", "GET /x", "GET /y"} {
			all.Go(func() {
				p, err := l.acquire(t.Context(), route)
				require.NoError(t, err)
				p.Done()
			})
		}
		time.Sleep(time.Second)
		require.Equal(t, 3, l.State().Waiting)
		l.Thaw()
		all.Wait()
		require.Equal(t, time.Second, time.Since(start))
		require.Empty(t, l.State().Frozen)
	})
}

// However many routes a server refuses, few are remembered, and none is asked too early.
func TestRoutesThatAreRefusedAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{}, nil)
		refused := response(429, "Retry-After", "60", "Inin-Ratelimit-Count", "1", "Inin-Ratelimit-Allowed", "9000", "Inin-Ratelimit-Reset", "9")
		refuse := func(route string) {
			t.Helper()
			p, err := l.acquire(t.Context(), route)
			require.NoError(t, err)
			p.observe(refused, route)
			p.Done()
		}
		for i := range 3 * maxRoutes { // over three minutes
			refuse(strconv.Itoa(i))
			time.Sleep(300 * time.Millisecond)
			require.LessOrEqual(t, len(l.freezes), maxRoutes)
		}
		l = mustNew(t, Limits{}, nil)
		for i := range maxRoutes + 1 { // at once
			refuse(strconv.Itoa(i))
		}
		start := time.Now()
		p, err := l.acquire(t.Context(), strconv.Itoa(maxRoutes))
		require.NoError(t, err)
		p.Done()
		require.GreaterOrEqual(t, time.Since(start), time.Minute)
	})
}

// A request that waits for a frozen route can leave like any other.
func TestCancelWhileRouteIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := mustNew(t, Limits{Minute: 1}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		p, err := l.acquire(ctx, "k")
		require.NoError(t, err)
		p.observe(response(429, "Retry-After", "290", "Inin-Ratelimit-Count", "1", "Inin-Ratelimit-Allowed", "9", "Inin-Ratelimit-Reset", "9"), "k")
		p.Done()
		go func() { _, _ = l.acquire(ctx, "k") }()
		time.Sleep(2 * time.Minute)
		require.Equal(t, 1, l.State().Waiting)
		cancel()
		synctest.Wait()
		require.Equal(t, 0, l.State().Waiting)
		require.Equal(t, 1, free(t, l))
	})
}

// Callers wake when their route thaws, also when a ledger has taken back the slots
// they were to have.
func TestCallersOfAFrozenRouteWake(t *testing.T) {
	for name, ledger := range map[string]Ledger{"alone": nil, "ledger": new(memoryLedger)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mustNew(t, Limits{Minute: 5}, &Options{Ledger: ledger, MaxFreeze: time.Hour})
				p, err := l.acquire(t.Context(), "k")
				require.NoError(t, err)
				p.observe(response(429, "Retry-After", "600", "Inin-Ratelimit-Count", "1", "Inin-Ratelimit-Allowed", "9", "Inin-Ratelimit-Reset", "9"), "k")
				p.Done()
				start := time.Now()
				p, err = l.acquire(t.Context(), "k")
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
		defer bounded.Start(t)()
		synctest.Test(t, func(t *testing.T) {
			const n = 5
			l := mustNew(t, Limits{Minute: n}, nil)
			p, q := mustAcquire(t, l), mustAcquire(t, l)
			before := free(t, l)
			resp := response(status)
			resp.Header = http.Header{
				"Inin-Ratelimit-Count": {count}, "Inin-Ratelimit-Allowed": {allowed}, "Inin-Ratelimit-Reset": {reset}, "Retry-After": {retry},
			}
			p.observe(resp, "")
			require.LessOrEqual(t, free(t, l), before)
			p.observe(resp, "")
			p.Done()
			q.observe(resp, "")
			q.Done()
			require.LessOrEqual(t, free(t, l), before)
			time.Sleep(2*day + time.Hour)
			require.Positive(t, free(t, l), "no word of a server lasts for ever")
			require.LessOrEqual(t, free(t, l), n)
		})
	})
}
