package genesys

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// roundTripper is a function that is a Transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestGunzip holds compressed answers, whole and broken, against what net/http makes of them.
func TestGunzip(t *testing.T) {
	pack := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		return b.Bytes()
	}
	page := strings.Repeat(`{"id":"7f3c","name":"User"},`, 5000)
	whole := pack(page)
	wrongSum := bytes.Clone(whole)
	wrongSum[len(wrongSum)-8] ^= 1
	answers := map[string]struct {
		encoding string
		body     []byte
	}{
		"whole": {"gzip", whole}, "whole, other case": {"GZIP", whole}, "two in a row": {"gzip", append(pack("a"), whole...)}, "of nothing": {"gzip", pack("")},
		"none": {"gzip", nil}, "plain": {"", []byte(page)}, "said to be packed": {"gzip", []byte(page)}, "of another kind": {"br", []byte(page)},
		"cut": {"gzip", whole[:len(whole)/2]}, "cut in its sum": {"gzip", whole[:len(whole)-3]}, "with a wrong sum": {"gzip", wrongSum}, "with more behind": {"gzip", append(bytes.Clone(whole), "more"...)},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answers[r.URL.Query().Get("answer")]
		if r.Header.Get("Accept-Encoding") != "gzip" {
			w.WriteHeader(http.StatusNotAcceptable)
		}
		if a.encoding != "" {
			w.Header().Set("Content-Encoding", a.encoding)
		}
		_, _ = w.Write(a.body)
	}))
	defer server.Close()
	ours := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		acceptGzip(r)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			gunzip(resp)
		}
		return resp, err
	})}
	read := func(c *http.Client, name string) (resp *http.Response, body []byte, err error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		req.URL.RawQuery = "answer=" + strings.ReplaceAll(name, " ", "+")
		resp, err = c.Do(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		body, err = io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		return resp, body, err
	}
	for range 2 { // memory that a broken answer has used is good again
		for name := range answers {
			want, wantBody, wantErr := read(http.DefaultClient, name)
			got, body, err := read(ours, name)
			require.Equal(t, wantErr == nil, err == nil, "%s: %v, not %v", name, err, wantErr)
			if err == nil {
				require.Equal(t, string(wantBody), string(body), name)
			}
			require.Equal(t, want.Uncompressed, got.Uncompressed, name)
			require.Equal(t, want.Header.Values("Content-Encoding"), got.Header.Values("Content-Encoding"), name)
			require.Equal(t, want.ContentLength, got.ContentLength, name)
			_, err = got.Body.Read(make([]byte, 1))
			require.Error(t, err, name)
		}
	}
}
