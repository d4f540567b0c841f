package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

// passRows compares passes over users of which none has changed, from the compressed bytes of the
// pages to their end in the store, with no more than decompressing and hashing the same bytes. In the
// last row most users have an ignored field, their version, that moves from pass to pass.
func passRows(r *run) ([]row, error) {
	users := r.pick(5_000, 50_000)
	ctx := context.Background()
	org := genesystest.New(&genesystest.Options{Counts: map[string]int{"users": users}, RateLimit: -1})
	tape := &tape{org: org.Transport(), answers: map[string]answer{}}
	store, err := file.Open(filepath.Join(r.tmp, "pass.db"), nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	engine, id, err := newEnvironment(ctx, store, tape, org, "users")
	if err != nil {
		return nil, err
	}
	if _, err := engine.Import(ctx, id, nil); err != nil {
		return nil, err
	}
	if _, err := engine.Poll(ctx, id, "users"); err != nil { // records what a poll asks for and an import does not
		return nil, err
	}
	round := func(ignored int) (pass, hash float64, err error) {
		before := cpuSeconds()
		results, err := engine.Poll(ctx, id, "users")
		pass = cpuSeconds() - before
		if err != nil {
			return 0, 0, err
		}
		if s := results[0].Summary; s.Unchanged != users || s.Ignored != ignored || !s.Complete {
			return 0, 0, fmt.Errorf("a pass that was to change nothing, and to ignore %d fields that moved: %+v", ignored, s)
		}
		before = cpuSeconds()
		err = tape.hashAll()
		return pass, cpuSeconds() - before, err
	}
	var unchanged, moved passTimes
	for range r.pick(1, 3) {
		if err := unchanged.add(round(0)); err != nil {
			return nil, err
		}
	}
	ignored := 0
	for range r.pick(1, 3) {
		if ignored, err = tape.moveVersions(); err != nil {
			return nil, err
		}
		if err := moved.add(round(ignored)); err != nil {
			return nil, err
		}
	}
	pass, hash := unchanged.medians()
	passMoved, hashMoved := moved.medians()
	_, bytes := tape.pages()
	note := fmt.Sprintf("%s users, %.0f MB in %d pages; file store", grouped(float64(users)), bytes/1e6, len(tape.list))
	const peer = "gunzip + SHA-256 of the pages"
	return []row{
		{"unchanged pass, objects per second and core", figure{float64(users) / pass, "objects/s"}, peer, figure{float64(users) / hash, "objects/s"}, true, note},
		{"unchanged pass, JSON per second and core", figure{bytes / pass, "B/s"}, peer, figure{bytes / hash, "B/s"}, true, note},
		{
			"the same, an ignored field moved in most objects",
			figure{float64(users) / passMoved, "objects/s"},
			peer,
			figure{float64(users) / hashMoved, "objects/s"},
			true,
			fmt.Sprintf("in %s of %s users, anew for each pass", grouped(float64(ignored)), grouped(float64(users))),
		},
	}, nil
}

// passTimes are the seconds of passes, and of hashing the same pages.
type passTimes struct{ pass, hash []float64 }

func (t *passTimes) add(pass, hash float64, err error) error {
	t.pass, t.hash = append(t.pass, pass), append(t.hash, hash)
	return err
}

func (t *passTimes) medians() (pass, hash float64) {
	self := func(v float64) float64 { return v }
	return median(t.pass, self), median(t.hash, self)
}

// newEnvironment makes an environment without a quota for a local org.
func newEnvironment(ctx context.Context, store storage.Store, transport http.RoundTripper, org *genesystest.Org, objects ...string) (*environment.Engine, int64, error) {
	vault, err := environment.NewKeyVault(environment.NewKey())
	if err != nil {
		return nil, 0, err
	}
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: transport})
	if err != nil {
		return nil, 0, err
	}
	c := org.Config()
	r, err := engine.Create(ctx, environment.Record{
		Name: "Bench", BaseURL: c.BaseURL, LoginURL: c.LoginURL, ClientID: c.ClientID,
		ClientSecret: environment.NewSecret(c.ClientSecret), Types: objects,
	})
	return engine, r.ID, err
}

// A tape answers as an org did the first time, with the compressed bytes. It decompresses them for who
// has not asked for that, as net/http does.
type tape struct {
	org     http.RoundTripper
	answers map[string]answer
	list    []string // keys of the pages of users
	moves   int      // how often versions were moved
}

type answer struct {
	status int
	header http.Header
	zipped []byte
	size   int
}

func (t *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Method + " " + r.URL.String()
	a, ok := t.answers[key]
	if !ok {
		var err error
		if a, err = t.record(r); err != nil {
			return nil, err
		}
		t.answers[key] = a
		if r.URL.Query().Has("pageNumber") {
			t.list = append(t.list, key)
		}
	}
	resp := &http.Response{
		StatusCode: a.status, Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.zipped)), ContentLength: int64(len(a.zipped)), Request: r,
	}
	if r.Header.Get("Accept-Encoding") != "" {
		resp.Header.Set("Content-Encoding", "gzip")
		return resp, nil
	}
	z, err := gzip.NewReader(resp.Body)
	resp.Body, resp.ContentLength, resp.Uncompressed = z, -1, true
	return resp, err
}

func (t *tape) record(r *http.Request) (answer, error) {
	resp, err := t.org.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	zipped, errZip := zip(body)
	err = errors.Join(err, resp.Body.Close(), errZip)
	return answer{resp.StatusCode, resp.Header, zipped, len(body)}, err
}

func zip(body []byte) ([]byte, error) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(body)
	err = errors.Join(err, z.Close())
	return zipped.Bytes(), err
}

// version is what moves in users without an edit of what is compared.
var version = regexp.MustCompile(`"version":[0-9]+`)

// moveVersions gives eight of nine users another version, and returns how many these are.
func (t *tape) moveVersions() (moved int, err error) {
	t.moves++
	seen := 0
	for _, key := range t.list {
		a := t.answers[key]
		z, err := gzip.NewReader(bytes.NewReader(a.zipped))
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(z)
		if err != nil {
			return 0, err
		}
		body = version.ReplaceAllFunc(body, func(was []byte) []byte {
			if seen++; seen%9 == 0 {
				return was
			}
			moved++
			return fmt.Appendf(nil, `"version":%d`, 1000+t.moves)
		})
		if a.zipped, err = zip(body); err != nil {
			return 0, err
		}
		a.size = len(body)
		t.answers[key] = a
	}
	return moved, nil
}

// pages returns how many there are, and their bytes before compression.
func (t *tape) pages() (n int, size float64) {
	for _, key := range t.list {
		size += float64(t.answers[key].size)
	}
	return len(t.list), size
}

// hashAll decompresses and hashes every page.
func (t *tape) hashAll() error {
	for _, key := range t.list {
		z, err := gzip.NewReader(bytes.NewReader(t.answers[key].zipped))
		if err != nil {
			return err
		}
		if _, err := io.Copy(sha256.New(), z); err != nil {
			return err
		}
	}
	return nil
}
