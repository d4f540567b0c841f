package genesys

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/cxsync/cxsync/internal/jsonscan"
)

// A download is an answer that lies ready on another host. The API redirects to
// it, or answers with its URL, which is good for a short while and for whoever
// has it. Neither the token nor anything else about the client goes there, and
// the URL's query is as secret as a token.

type downloadsKey struct{}

// withDownloads lets the calls under a context be answered with a download.
func withDownloads(ctx context.Context) context.Context {
	return context.WithValue(ctx, downloadsKey{}, true)
}

// allowsDownloads reports whether the calls under a context may be answered with a download.
func allowsDownloads(ctx context.Context) bool { return ctx.Value(downloadsKey{}) != nil }

// isAPI reports whether a URL is one of the API's, which gets the token: on its
// host and, behind a gateway, below its prefix.
func (c *Client) isAPI(u *url.URL) bool {
	return u.Host == c.api.Host && u.Scheme == c.api.Scheme &&
		strings.HasPrefix(path.Clean("/"+u.Path)+"/", strings.TrimSuffix(c.api.Path, "/")+"/")
}

// mayDownload reports whether a call may be answered from a place other than
// the API: over https, or on this machine if the API is there as well.
func (c *Client) mayDownload(r *http.Request) bool {
	local := isLoopback(r.URL.Hostname()) && isLoopback(c.api.Hostname())
	return allowsDownloads(r.Context()) && (r.URL.Scheme == "https" || r.URL.Scheme == "http" && local)
}

// download sends a request that is not for the API, past Options.Pace.
func (c *Client) download(r *http.Request) (*http.Response, error) {
	if !c.mayDownload(r) {
		return nil, errRedirect
	}
	r = r.Clone(r.Context())
	r.Header.Del("Referer") // net/http would tell where the redirect came from
	resp, err := (&wire{c, c.opts.Transport}).RoundTrip(r)
	if err == nil {
		resp.Request = r
	}
	return resp, err
}

// errNoURL does not say which URL: its query is a secret.
var errNoURL = errors.New("the answer leads to a place that has no valid URL")

// checkLocation refuses a redirect to a place that net/http would quote in its error, secrets and all.
func checkLocation(r *http.Response) error {
	if r.StatusCode/100 != 3 {
		return nil
	}
	if _, err := r.Location(); err != nil && !errors.Is(err, http.ErrNoLocation) {
		return errNoURL
	}
	return nil
}

// linkIn returns the URL that an answer to a call that allows downloads gives
// in place of its objects; "" if it gives none.
func linkIn(ctx context.Context, answer []byte) string {
	if !allowsDownloads(ctx) {
		return ""
	}
	if _, ok := jsonscan.Lookup(answer, "entities"); ok {
		return ""
	}
	return cmp.Or(lookupText(answer, "downloadUrl"), lookupText(answer, "downloadUri"), lookupText(answer, "url"))
}

// follow fetches the download at a URL that the API gave. It is a part of the try that asked the API,
// so a download that fails is asked for anew, with a new URL, as the old one may have expired.
func (c *Client) follow(ctx context.Context, link string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	if err != nil {
		return nil, nil, errNoURL
	}
	r.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.download(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := c.readDownload(resp)
	return resp, body, err
}

// errDownloadTooLarge is not errTooLarge: no smaller page would help.
var errDownloadTooLarge = errors.New("the download is larger than Options.MaxBody")

// readDownload reads a body that is not from the API. It may be a gzip file, or lead further.
func (c *Client) readDownload(r *http.Response) ([]byte, error) {
	body, err := c.readBody(r)
	if err == nil {
		err = checkLocation(r)
	}
	if errors.Is(err, errTooLarge) {
		err = errDownloadTooLarge
	}
	if err != nil || !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, err
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(z, c.opts.MaxBody+1))
	}
	switch {
	case err != nil:
		return nil, &wireError{fmt.Errorf("the download is no whole gzip file: %w", err), c.redact}
	case int64(len(body)) > c.opts.MaxBody:
		return nil, errDownloadTooLarge
	}
	return body, nil
}
