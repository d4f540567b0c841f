package genesys

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokens keeps the one token of a client. The login service counts and throttles tokens, so however
// many goroutines want one, one asks for it at a time and the others share what it got. They share a
// refusal too: a hundred goroutines with a wrong secret make one login, not a hundred.
type tokens struct {
	c      *Client
	conf   clientcredentials.Config
	secret func(string) string // redacts the client secret
	asking chan struct{}       // has an element while a goroutine asks for a token

	mu       sync.Mutex
	current  string    // "" before the first
	until    time.Time // when current is given up; zero if the service did not say how long it is good
	asked    int       // how many logins ended, to tell a refusal that came while a goroutine waited
	refusal  error     // of the last login; nil if it succeeded
	replaced string    // the token before current; it may still be in an answer, to be redacted
}

func newTokens(cfg Config, c *Client, secret func(string) string) *tokens {
	return &tokens{
		c: c,
		conf: clientcredentials.Config{
			ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret,
			TokenURL: c.login.String() + "/oauth/token", AuthStyle: oauth2.AuthStyleInHeader,
		},
		secret: secret,
		asking: make(chan struct{}, 1),
	}
}

// get returns a token other than the rejected one, "" if none was rejected. Many requests may find
// the same token rejected; the first one replaces it, and the others get the new one.
func (s *tokens) get(ctx context.Context, rejected string) (string, error) {
	token, asked := s.cached(rejected)
	if token != "" {
		return token, nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	token, now := s.cached(rejected)
	if token != "" {
		return token, nil
	}
	// Somebody else logged in, in vain, while this goroutine waited: that is its answer too. A refusal
	// from before it came is none, as the credentials may be right by now.
	if refusal := s.lastRefusal(); now != asked && refusal != nil {
		return "", refusal
	}
	return s.mint(ctx)
}

// cached returns the current token if it is good and not the rejected one, else "".
func (s *tokens) cached(rejected string) (token string, asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == rejected || !s.until.IsZero() && !time.Now().Before(s.until) {
		return "", s.asked
	}
	return s.current, s.asked
}

func (s *tokens) lastRefusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// mint logs in. A login that its context ended leaves everything as it was.
func (s *tokens) mint(ctx context.Context) (string, error) {
	s.c.stats.tokens.Add(1)
	hc := &http.Client{
		Transport:     &loginWire{s.c},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	start := time.Now()
	got, err := s.conf.Token(context.WithValue(ctx, oauth2.HTTPClient, hc))
	if err != nil && ctx.Err() != nil {
		return "", context.Cause(ctx) // says nothing about the credentials
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if err != nil {
		s.refusal = loginError(err, s.c.login, s.secret)
		return "", s.refusal
	}
	s.replaced, s.current, s.refusal, s.until = s.current, got.AccessToken, nil, time.Time{}
	if !got.Expiry.IsZero() {
		// A token is given up a little early, since it ages on its way too.
		life := got.Expiry.Sub(start)
		s.until = start.Add(life - min(time.Minute, life/10))
	}
	return s.current, nil
}

// redact takes the tokens out of a text.
func (s *tokens) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range []string{s.current, s.replaced} {
		if token != "" {
			text = strings.ReplaceAll(text, token, "[redacted]")
		}
	}
	return text
}

// loginWire carries the requests to the login service, and reads the answers
// to their end, so that a cut one is an error of the network.
type loginWire struct{ c *Client }

func (w *loginWire) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(r.Context(), w.c.opts.Timeout, errSlow)
	defer cancel()
	r = r.Clone(ctx)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", w.c.opts.UserAgent)
	rt := w.c.opts.Transport
	if w.c.opts.Login != nil {
		rt = w.c.opts.Login(rt)
	}
	resp, err := rt.RoundTrip(r)
	var body []byte
	if err == nil {
		body, err = w.c.readBody(resp)
	}
	w.c.logTry(r, resp, err, len(body), time.Since(start))
	if err != nil {
		return nil, &wireError{slowOr(ctx, err), w.c.tokens.secret} // tokens are locked, and not sent here
	}
	resp.Body = &wholeBody{data: body}
	return resp, nil
}
