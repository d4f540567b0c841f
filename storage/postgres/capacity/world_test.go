//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
)

// A tape is what was asked of a store: how many reads for which purpose, and the
// batches that were committed.
type tape struct {
	reads   map[string]float64
	rows    map[string]float64 // that scans gave
	batches []*storage.Batch
}

// commits counts the batches by purpose.
func (t tape) commits() map[string]float64 {
	n := map[string]float64{}
	for _, b := range t.batches {
		n[purpose(b)]++
	}
	return n
}

// all counts the reads, but for looks whether records changed.
func (t tape) all() (n float64) {
	for what, reads := range t.reads {
		if what != "environments-news" {
			n += reads
		}
	}
	return n
}

// purpose says what a batch is for, by what it puts or deletes.
func purpose(b *storage.Batch) string {
	var keys []string
	for op := range b.Ops() {
		keys = append(keys, op.Key)
	}
	return purposeOf(keys...)
}

func purposeOf(keys ...string) string {
	all := strings.Join(keys, " ")
	for _, part := range []string{"quota/", "/lease/consumer/", "/consumer/", "environments-news"} {
		if strings.Contains(all, part) {
			return part
		}
	}
	if strings.HasSuffix(all, "/audits") || strings.Contains(all, "/audits ") {
		return "audits"
	}
	return "pass"
}

// A recorder is a store that keeps a tape.
type recorder struct {
	storage.Store
	mu   sync.Mutex
	tape tape
}

func (r *recorder) read(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tape.reads[what]++
}

func (r *recorder) Get(ctx context.Context, key string) ([]byte, error) {
	if strings.HasSuffix(key, "/state") {
		r.read("/state") // the counters of a history
	} else {
		r.read(purposeOf(key))
	}
	return r.Store.Get(ctx, key)
}

// GetMany implements storage.ManyGetter, as the store in a database does, which
// asks for nothing where there are no keys.
func (r *recorder) GetMany(ctx context.Context, keys []string) (map[string][]byte, error) {
	if len(keys) > 0 {
		r.read(purposeOf(keys...))
	}
	return storage.GetMany(ctx, r.Store, keys)
}

func (r *recorder) Scan(ctx context.Context, in storage.Range) iter.Seq2[storage.Entry, error] {
	if strings.Contains(in.Start, "/log/") {
		r.read("/consumer/") // nobody else reads it
	} else {
		r.read("pass")
	}
	what := strings.Join(strings.SplitN(in.Start, "/", 4)[:3], "/")
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range r.Store.Scan(ctx, in) {
			r.mu.Lock()
			r.tape.rows[what]++
			r.mu.Unlock()
			if !yield(e, err) {
				return
			}
		}
	}
}

func (r *recorder) Commit(ctx context.Context, b *storage.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.Store.Commit(ctx, b)
	if err == nil {
		r.tape.batches = append(r.tape.batches, clone(b))
	}
	return err
}

func clone(b *storage.Batch) *storage.Batch {
	var c storage.Batch
	for q := range b.Requirements() {
		if q.Absent {
			c.RequireAbsent(q.Key)
		} else {
			c.Require(q.Key, q.Value)
		}
	}
	for op := range b.Ops() {
		switch op.Kind {
		case storage.OpPut:
			c.Put(op.Key, op.Value)
		case storage.OpDelete:
			c.Delete(op.Key)
		case storage.OpDeleteRange:
			c.DeleteRange(op.Range)
		}
	}
	return &c
}

// take returns the tape since it was last taken.
func (r *recorder) take() tape {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.tape
	r.tape = tape{reads: map[string]float64{}, rows: map[string]float64{}}
	return taken
}

// A world is one org that processes on one store poll every hour.
type world struct {
	*recorder
	org     *genesystest.Org
	net     *pages
	vault   environment.Vault
	engines []*environment.Engine
	record  environment.Record
	passes  atomic.Int64
	apart   time.Duration // between the starts of processes
}

const users = 1000 // of the org of a world with all types, the most of one type

// newWorld imports the org of a record, which may be of a few types alone, to processes that do
// not run yet.
func newWorld(t *testing.T, processes int, r environment.Record) *world {
	t.Helper()
	n := users
	if len(r.Types) > 0 || r.AuditMinutes > 0 {
		n = users / 50
	}
	org := genesystest.New(&genesystest.Options{Latency: 200 * time.Millisecond, Counts: map[string]int{"users": n}})
	w := &world{recorder: &recorder{Store: memory.New()}, org: org, net: &pages{base: org.Transport(), known: map[string]page{}}}
	w.take()
	var err error
	w.vault, err = environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	for i := range processes {
		e, err := environment.Open(w, &environment.Options{
			Vault: w.vault, Instance: strconv.Itoa(i), Transport: w.net,
			Observer: func(environment.PassEvent) { w.passes.Add(1) },
		})
		require.NoError(t, err)
		w.engines = append(w.engines, e)
	}
	r.Name, r.RateLimitMinute = "Contoso", 250
	w.record = add(t, w.engines[0], r)
	w.edit(t, 1) // a consumer begins with the first change
	return w
}

// add makes an environment of r and imports it.
func add(t *testing.T, e *environment.Engine, r environment.Record) environment.Record {
	t.Helper()
	r.BaseURL, r.ClientID, r.ClientSecret = "mypurecloud.com", genesystest.ClientID, environment.NewSecret(genesystest.ClientSecret)
	r, err := e.Create(t.Context(), r)
	require.NoError(t, err)
	result, err := e.Import(t.Context(), r.ID, nil)
	require.NoError(t, err)
	require.Empty(t, result.Failed)
	return r
}

// edit renames users and reads them.
func (w *world) edit(t *testing.T, n int) {
	t.Helper()
	var ids []string
	for id := range w.org.Objects("users") {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for i := range n { // far from each other
		require.NoError(t, w.org.Update("users", ids[i*users/n], map[string]any{"name": fmt.Sprintf("Renamed %d %d", n, i)}))
	}
	_, err := w.engines[0].Poll(t.Context(), w.record.ID, "users")
	require.NoError(t, err)
}

// hour runs every process, with a consumer in each, and returns the tape until
// the first round, and that of the hour around the second one.
func (w *world) hour(t *testing.T) (before, hour tape) {
	t.Helper()
	defer w.run(t, true)()
	time.Sleep(90 * time.Minute)
	before = w.take()
	w.passes.Store(0)
	time.Sleep(time.Hour)
	return before, w.take()
}

// run runs every process, with or without a consumer in each, until stop is called.
func (w *world) run(t *testing.T, follow bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i, e := range w.engines {
		running.Go(func() {
			time.Sleep(time.Duration(i) * w.apart)
			_ = e.Run(ctx)
		})
		if !follow {
			continue
		}
		running.Go(func() {
			_ = e.Follow(ctx, w.record.ID, "test", func(context.Context, history.Change) error { return nil }, nil)
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// pages are the org's last answers. Without a base they are given again.
type pages struct {
	base  http.RoundTripper
	mu    sync.Mutex
	known map[string]page
}

type page struct {
	http.Response
	body []byte
}

func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + r.URL.String()
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		name += " " + string(body)
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if p.base != nil {
		resp, err := p.base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.known[name] = page{*resp, body}
		p.mu.Unlock()
	}
	p.mu.Lock()
	known, ok := p.known[name]
	p.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("never asked before: %s", name)
	}
	known.Header, known.Request = known.Header.Clone(), r
	known.Body = io.NopCloser(bytes.NewReader(known.body))
	return &known.Response, nil
}
