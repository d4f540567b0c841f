package ratelimit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cxsync/cxsync/ratelimit"
)

// api stands for a server, so that the examples need no network.
type api struct{}

func (api) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("hello")), Request: req}, nil
}

// Any http.Client is limited by its transport. Each request takes a slot until its
// response is consumed, and one window longer.
func Example() {
	limiter, err := ratelimit.New(ratelimit.Limits{Minute: 250}, nil)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: limiter.Transport(api{})}

	for range 3 {
		resp, err := client.Get("https://api.example.com/things") //nolint:noctx // as short as can be
		if err != nil {
			log.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(body))
	}
	fmt.Println(limiter.State())
	// Output:
	// hello
	// hello
	// hello
	// 250 a minute: 3 used, 0 in flight, 247 free
}

func ExampleLimiter_Acquire() {
	limiter, err := ratelimit.New(ratelimit.Limits{Hour: 1}, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := ratelimit.WithPriority(context.Background(), ratelimit.Interactive)
	permit, err := limiter.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// Send the request and read the response, then:
	permit.Done()

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err = limiter.Acquire(ctx) // does not wait a minute in vain
	if late, ok := errors.AsType[*ratelimit.DeadlineError](err); ok {
		fmt.Println(late.Limit, "leaves no slot for", time.Until(late.Free).Round(time.Hour))
	}
	// Output: 1 an hour leaves no slot for 1h0m0s
}

// A cell is a ledger for limiters of one process. In earnest a ledger is one key of a store
// with conditional commits, which outlives the process.
type cell struct {
	mu      sync.Mutex
	content []byte
}

func (c *cell) Load(context.Context) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.content, nil
}

func (c *cell) Swap(_ context.Context, prev, next []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Equal(prev, c.content) {
		return false, nil
	}
	c.content = bytes.Clone(next)
	return true, nil
}

// Two processes that share a ledger share one quota.
func ExampleLedger() {
	ledger := new(cell) // in earnest, one that both can reach
	opts := &ratelimit.Options{Ledger: ledger}
	first, _ := ratelimit.New(ratelimit.Limits{Day: 60000}, opts)
	second, _ := ratelimit.New(ratelimit.Limits{Day: 60000}, opts)

	ctx := context.Background()
	for range 100 {
		permit, err := first.Acquire(ctx)
		if err != nil {
			log.Fatal(err)
		}
		permit.Done()
	}
	if err := first.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	permit, err := second.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	permit.Done()
	fmt.Println(second.State().Used)
	// Output: 101
}
