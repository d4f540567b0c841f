package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

// A network answers requests without sockets, as testing/synctest wants it.
type network func(*http.Request) (*http.Response, error)

func (f network) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int) *http.Response {
	w := httptest.NewRecorder()
	w.WriteHeader(status)
	return w.Result()
}

// A shaky receiver takes changes, and fails at random: before it has taken one,
// after it has, or with the end of the sender's process.
type shaky struct {
	random *rand.Rand
	kill   context.CancelFunc
	seen   []uint64 // sequence numbers that it took
	deaths int
}

func (s *shaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost {
		return answer(http.StatusOK), nil // a login page, say
	}
	fate := s.random.IntN(10)
	switch fate {
	case 0:
		return nil, errors.New("connection refused")
	case 1:
		return answer(http.StatusTooManyRequests), nil
	case 2:
		redirect := answer(http.StatusFound)
		redirect.Header.Set("Location", "https://hooks.example/login")
		return redirect, nil
	}
	var c history.Change
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("%d-%d", c.Environment, c.Seq); r.Header.Get("Idempotency-Key") != want {
		return nil, fmt.Errorf("the key is %q, not %q", r.Header.Get("Idempotency-Key"), want)
	}
	s.seen = append(s.seen, c.Seq)
	switch fate {
	case 3:
		return nil, errors.New("connection reset")
	case 4:
		if s.deaths == 5 {
			break // the sender lives on until it has nothing to do
		}
		s.deaths++
		s.kill()
		return nil, context.Canceled
	}
	return answer(http.StatusNoContent), nil
}

func TestEachChangeArrivesInOrderOverFailuresAndRestarts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	receiver := &shaky{random: rand.New(rand.NewPCG(seed, 0))}
	path := filepath.Join(t.TempDir(), "cxsync.db")
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(nil)
		var recorded []uint64
		for life, last := 0, false; !last; life++ {
			last = receiver.deaths == 5
			recorded = live(t, path, org, receiver, life)
		}
		require.NotEmpty(t, recorded)
		require.Equal(t, recorded, slices.Compact(receiver.seen), "each change, in order, repeated only at once")
	})
}

// live is one life of the process: it opens the store, records some changes
// and delivers until it is killed or has nothing to do. It returns the sequence
// numbers that were recorded so far.
func live(t *testing.T, path string, org *genesystest.Org, receiver *shaky, life int) (recorded []uint64) {
	t.Helper()
	store, err := file.Open(path, &file.Options{NoSync: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	c := org.Config()
	secret := environment.NewSecret(c.ClientSecret)
	engine, err := environment.Open(store, &environment.Options{
		Transport: org.Transport(),
		Vault:     environment.SecretFunc(func(context.Context, environment.Record) (environment.Secret, error) { return secret, nil }),
	})
	require.NoError(t, err)
	r, err := register(t.Context(), engine, environment.Record{
		Name: "Test", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID, Types: []string{"routing.skills"},
	})
	require.NoError(t, err)
	_, err = engine.Poll(t.Context(), r.ID, "routing.skills")
	require.NoError(t, err)
	for i := range 10 {
		_, err := org.Create("routing.skills", map[string]any{"name": fmt.Sprintf("Skill %d of life %d", i, life)})
		require.NoError(t, err)
	}

	s, err := newSender("https://hooks.example/cx", receiver)
	require.NoError(t, err)
	ctx, kill := context.WithTimeout(t.Context(), time.Hour)
	defer kill()
	receiver.kill = kill
	require.NoError(t, together(ctx,
		func(ctx context.Context) error { return engine.Follow(ctx, r.ID, "test", s.deliver, retry) },
		func(ctx context.Context) error {
			_, err := engine.Poll(context.WithoutCancel(ctx), r.ID, "routing.skills")
			return err
		}))

	h, err := engine.History(t.Context(), r.ID)
	require.NoError(t, err)
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		recorded = append(recorded, c.Seq)
	}
	return recorded
}

func TestLogHasNoURL(t *testing.T) {
	s, err := newSender("https://hooks.example/token-1234", network(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("connection refused")
	}))
	require.NoError(t, err)
	require.EqualError(t, s.post(t.Context(), "1-1", nil), "connection refused")

	_, err = newSender("hooks.example/token-1234\n", nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "1234")
}

func TestDemonstrationLeavesOtherEnvironmentsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cxsync.db")
	store, err := file.Open(path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	engine, err := environment.Open(store, nil)
	require.NoError(t, err)
	mine, err := engine.Create(t.Context(), environment.Record{Name: "Mine", BaseURL: "mypurecloud.ie", ClientID: "id"})
	require.NoError(t, err)
	_, err = register(t.Context(), engine, environment.Record{Name: "Demonstration", BaseURL: "mypurecloud.ie", ClientID: "id"})
	require.ErrorContains(t, err, "-url")
	after, err := engine.Get(t.Context(), mine.ID)
	require.NoError(t, err)
	require.Equal(t, mine, after)
}

// What the receiver prints moves no terminal, whatever an object is called.
func TestReceiverPrintsNoControlCharacters(t *testing.T) {
	var out bytes.Buffer
	url, err := receive(t.Context(), &out)
	require.NoError(t, err)
	s, err := newSender(url, nil)
	require.NoError(t, err)
	require.NoError(t, s.deliver(t.Context(), history.Change{Seq: 7, Name: "Billing" + genesystest.HostileText}))
	require.Contains(t, out.String(), "Billing")
	for _, r := range out.String() {
		require.True(t, r == '\n' || unicode.IsPrint(r), "%q in %q", r, out.String())
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
}
