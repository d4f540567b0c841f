package genesys

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// What one request goes through, from the outside to the network:
//
//	retries   send it again where that can help: checkRetry and backoff
//	whole     reads the answer to its end, so that a cut one is a failed try like any other
//	bearer    adds the token, and replaces one that the API refuses, once
//	Pace      the caller's limiter; so every try takes a slot, also the second one of bearer
//	wire      bounds the time of a try, and marks what is the network's fault
//
// All requests of this package only read, so any of them may be sent twice. Whether to try again is
// a question of what that can mend: the network, 429 and 5xx get all retries within about a minute;
// a 500 or an answer that is not JSON gets two, because what one request breaks is seldom mended by
// then; silence gets one, because a try takes 30 seconds; 501, other 4xx, a certificate that is not
// trusted and a host that does not exist get none. sendFor adds a memory to that: while the requests
// of a type fail for themselves, the next ones are tried once.

// newHTTP returns that stack.
func (c *Client) newHTTP() *retryablehttp.Client {
	var rt http.RoundTripper = &wire{c, c.opts.Transport}
	if c.opts.Pace != nil {
		rt = c.opts.Pace(rt)
	}
	rt = &whole{c, &bearer{c, rt}}
	return &retryablehttp.Client{
		HTTPClient:     &http.Client{Transport: rt, CheckRedirect: c.checkRedirect},
		RetryMax:       max(c.opts.MaxRetries, 0),
		RetryWaitMin:   c.opts.RetryWaitMin,
		RetryWaitMax:   c.opts.RetryWaitMax,
		CheckRetry:     c.checkRetry,
		Backoff:        backoff,
		ErrorHandler:   retryablehttp.PassthroughErrorHandler,
		RequestLogHook: c.countTry,
	}
}

// countTry counts a try that is about to be made.
func (c *Client) countTry(_ retryablehttp.Logger, r *http.Request, retry int) {
	if retry > 0 {
		c.stats.retries.Add(1)
	}
	if call, ok := r.Context().Value(callKey{}).(*call); ok {
		call.attempt = retry + 1
	}
}

var (
	errRedirect = errors.New("the API answered with a redirect to another place, which is not followed: it would get the token")
	errCircles  = errors.New("the API's redirects lead in circles")
)

// checkRedirect lets a redirect go to the API itself, and to a download where the call may be
// answered with one; anywhere else a client would show its token.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > 3:
		return errCircles
	case !c.isAPI(r.URL) && !c.mayDownload(r):
		return errRedirect
	}
	return nil
}

// checkRetry decides whether a try is repeated.
func (c *Client) checkRetry(ctx context.Context, r *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil {
		return retryable(err) && triesOf(ctx) <= mostRetries(ctx, err), nil
	}
	if retryAfter(r) > c.opts.RetryAfterMax {
		return false, nil // also of a gateway, which may ask for a day
	}
	if r.StatusCode == http.StatusInternalServerError {
		return triesOf(ctx) <= fewRetries && !isOnce(ctx), nil // what a request breaks is seldom mended within a minute
	}
	switch r.StatusCode {
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return true, nil
	}
	if r.StatusCode >= 400 && !c.isAPI(r.Request.URL) {
		return true, nil // the API gives a new URL
	}
	return r.StatusCode >= 500 && r.StatusCode != http.StatusNotImplemented, nil
}

// fewRetries is how often it is tried again where more of the same is not likely to help.
const fewRetries = 2

// triesOf is how often a request was sent.
func triesOf(ctx context.Context) int {
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		return call.attempt
	}
	return 1
}

// isOnce reports whether the request before, of the same type, was tried again in vain.
func isOnce(ctx context.Context) bool {
	call, ok := ctx.Value(callKey{}).(*call)
	return ok && call.once
}

// mostRetries bounds the retries of what takes long (silence) or is costly (logins). It has no bound of
// its own for the rest: RetryMax of newHTTP, which is Options.MaxRetries, bounds all.
func mostRetries(ctx context.Context, err error) int {
	if refusal, ok := errors.AsType[*AuthError](err); ok && refusal.Reason == AuthUnavailable {
		return fewRetries + 1
	}
	if _, broken := errors.AsType[*brokenError](err); broken {
		if isOnce(ctx) {
			return 0
		}
		return fewRetries
	}
	if errors.Is(err, errSlow) {
		return 1
	}
	return math.MaxInt
}

// retryable reports whether the next try may get an answer where this one got an error.
func retryable(err error) bool {
	if refusal, ok := errors.AsType[*AuthError](err); ok {
		return refusal.Temporary()
	}
	if _, broken := errors.AsType[*brokenError](err); broken {
		return true
	}
	if _, ok := errors.AsType[*wireError](err); !ok {
		return false // not of the network: a redirect, a refusal of Pace, a body too large
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return false
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted
}

// backoff waits as long as the answer says, or doubles the wait with each try;
// jitter keeps many clients from coming back at once.
func backoff(minWait, maxWait time.Duration, retry int, r *http.Response) time.Duration {
	if r != nil {
		if wait := retryAfter(r); wait > 0 {
			return wait + rand.N(minWait/2+1)
		}
	}
	wait := maxWait
	if minWait <= maxWait>>retry {
		wait = minWait << retry
	}
	return wait/2 + rand.N(wait/2+1)
}

// A wireError is a failure of the network, as opposed to one of a layer above.
type wireError struct {
	err    error
	redact func(string) string
}

// Error redacts and clips what it says: net/http quotes a header that it does not understand, which
// may repeat what was sent, and crypto/tls the names in a certificate, however long they are.
func (e *wireError) Error() string { return line(e.redact(e.err.Error())) }
func (e *wireError) Unwrap() error { return e.err }

// Is matches ErrOutage.
func (e *wireError) Is(target error) bool { return target == ErrOutage }

// errSlow is the cause with which a try ends that took longer than maxSilence or Options.Timeout.
var errSlow = errors.New("the answer took too long")

// maxSilence is how long a try waits for an answer to begin. The official Go SDK
// waits for 16 seconds.
const maxSilence = 30 * time.Second

// wire is the lowest layer: it counts, bounds the time of one try, and marks
// the network's errors.
type wire struct {
	c    *Client
	base http.RoundTripper
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.c.isAPI(r.URL) {
		w.c.stats.requests.Add(1)
	}
	// Two bounds: Timeout is for the whole try and ends when the body is closed; maxSilence ends with
	// the headers, so that a large answer that keeps coming is not cut.
	ctx, cancel := context.WithTimeoutCause(r.Context(), w.c.opts.Timeout, errSlow)
	ctx, silent := context.WithCancelCause(ctx)
	silence := time.AfterFunc(maxSilence, func() { silent(errSlow) })
	sent := time.Now()
	r = r.Clone(ctx)
	acceptGzip(r)
	resp, err := w.base.RoundTrip(r)
	if err == nil && w.c.isAPI(r.URL) {
		w.c.clock.note(sent, time.Now(), resp.Header)
	}
	silence.Stop()
	if err != nil {
		err = &wireError{slowOr(ctx, err), w.c.redact}
		cancel()
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		w.c.stats.throttled.Add(1)
	}
	gunzip(resp)
	resp.Body = &timedBody{resp.Body, w.c, ctx, cancel}
	return resp, nil
}

func slowOr(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return errSlow
	}
	return err
}

// timedBody ends the try's time bound when it is closed.
type timedBody struct {
	io.ReadCloser
	c      *Client
	ctx    context.Context //nolint:containedctx // the body belongs to exactly this try
	cancel context.CancelFunc
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &wireError{slowOr(b.ctx, err), b.c.redact}
	}
	return n, err
}

func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// bearer adds the token, to requests for the API host only, and replaces it once when the API no
// longer takes it. A refusal that a fresh token would not cure is passed on: an address that is not
// on the allowlist of the org, or a client that was disabled.
type bearer struct {
	c    *Client
	base http.RoundTripper
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.c.isAPI(r.URL) {
		return b.c.download(r)
	}
	token, err := b.c.tokens.get(r.Context(), "")
	if err != nil {
		return nil, err
	}
	resp, err := b.base.RoundTrip(withToken(r, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	body, _ := b.c.readBody(resp) // a token that is refused in half a sentence is refused
	if code := lookupText(body, "code"); code == codeIPNotAllowed || code == "unauthorized" {
		resp.Body = &wholeBody{data: body}
		return resp, nil
	}
	if token, err = b.c.tokens.get(r.Context(), token); err != nil {
		return nil, err
	}
	return b.base.RoundTrip(withToken(r, token))
}

// codeIPNotAllowed is the code of the API, and of the login service, for a machine that is not on an
// org's allowlist.
const codeIPNotAllowed = "ip.not.authorized"

// withToken returns a copy of a request with the token, and with the body from its beginning, since
// the try before may have read it.
func withToken(r *http.Request, token string) *http.Request {
	r2 := r.Clone(r.Context())
	r2.Header.Set("Authorization", "Bearer "+token)
	if call, ok := r.Context().Value(callKey{}).(*call); ok && call.body != nil {
		r2.Body = io.NopCloser(bytes.NewReader(call.body))
	}
	return r2
}

// whole reads the body to its end, so that a cut one is a failed try.
type whole struct {
	c    *Client
	base http.RoundTripper
}

func (w *whole) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, body, err := w.read(r)
	call, _ := r.Context().Value(callKey{}).(*call)
	if err == nil && resp.StatusCode/100 == 2 && !isAnswer(resp, body, call != nil && call.text) {
		want := "JSON"
		if call != nil && call.text {
			want = "of the API"
		}
		err = &brokenError{want, plainText(body, w.c.redact)}
	}
	w.c.logTry(r, resp, err, len(body), time.Since(start))
	if err != nil {
		return nil, err
	}
	resp.Body = &wholeBody{data: body}
	return resp, nil
}

// read makes a try. A download that it leads to is a part of it, since the API
// gives a new URL for the next one.
func (w *whole) read(r *http.Request) (*http.Response, []byte, error) {
	resp, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	resp.Request = r
	if !w.c.isAPI(r.URL) {
		body, err := w.c.readDownload(resp)
		return resp, body, err
	}
	body, err := w.c.readBody(resp)
	if resp.StatusCode >= 400 {
		return resp, body, nil // the status and the headers say enough, whatever became of the body
	}
	if err == nil {
		err = checkLocation(resp)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, body, err
	}
	if link := linkIn(r.Context(), body); link != "" {
		return w.c.follow(r.Context(), link)
	}
	return resp, body, nil
}

// logTry writes the debug record of a try. The path has no query, which may hold a secret.
func (c *Client) logTry(r *http.Request, resp *http.Response, err error, size int, took time.Duration) {
	ctx := r.Context()
	if !c.opts.Logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.EscapedPath()), slog.Duration("duration", took)}
	if call, ok := ctx.Value(callKey{}).(*call); ok {
		attrs = append(attrs, slog.Int("attempt", call.attempt))
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("correlation_id", label(resp.Header.Get(correlationHeader))), slog.Int("bytes", size))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", c.redact(withoutURL(err).Error())))
	}
	c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "genesys request", attrs...)
}
