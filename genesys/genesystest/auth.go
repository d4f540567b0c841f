package genesystest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// access is who may come in.
type access struct {
	requests int
	minted   int
	tokens   map[string]*token
	order    []string // valid tokens, oldest first
	mints    window
}

type token struct {
	number  int
	expires time.Time
	window  window
	sub     map[string]*window
	rolling rolling
}

func (a *access) init() {
	a.tokens = map[string]*token{}
}

// oauthError is the schema of the login host's errors, which is not the API's.
func oauthError(status int, code, description string) *reply {
	return answerJSON(status, map[string]string{"error": code, "description": description, "error_description": description})
}

// mint answers POST /oauth/token.
func (o *Org) mint(r *http.Request, body []byte, now time.Time) *reply {
	if r.Method != http.MethodPost {
		return oauthError(http.StatusMethodNotAllowed, "invalid_request", "method not allowed")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "malformed body")
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	switch {
	case o.opts.MintLimit >= 0 && o.overMintLimit(now):
		return oauthError(http.StatusBadRequest, "invalid_request", "rate limit exceeded; too many token requests")
	case !isOrEscapes(id, o.opts.ClientID):
		return oauthError(http.StatusBadRequest, "invalid_client", "client not found")
	case !isOrEscapes(secret, o.opts.ClientSecret):
		return oauthError(http.StatusUnauthorized, "invalid_client", "authentication failed")
	case form.Get("grant_type") != "client_credentials":
		return oauthError(http.StatusBadRequest, "unauthorized_client", "the client is not authorized for this grant type")
	}
	o.access.minted++
	text := fmt.Sprintf("%016x%016x%s", mix(o.opts.Seed^uint64(o.access.minted)), mix(uint64(o.access.minted)), "-local")
	o.access.tokens[text] = &token{number: o.access.minted, expires: now.Add(o.opts.TokenTTL), sub: map[string]*window{}}
	o.access.order = append(o.access.order, text)
	if len(o.access.order) > o.opts.MaxTokens {
		o.access.order = o.access.order[1:]
	}
	return answerJSON(http.StatusOK, map[string]any{
		"access_token": text, "token_type": "bearer", "expires_in": int(o.opts.TokenTTL / time.Second),
	})
}

// isOrEscapes allows for clients that escape their credentials as RFC 6749 has it, and for those that do not.
func isOrEscapes(sent, want string) bool { return sent == want || sent == url.QueryEscape(want) }

func (o *Org) overMintLimit(now time.Time) bool {
	count, _ := o.access.mints.take(now)
	return count > o.opts.MintLimit
}

// authenticate finds the token of an API request. Tokens that are known but no
// longer valid are returned too, with the reply that refuses them.
func (o *Org) authenticate(r *http.Request, now time.Time) (*token, *reply) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return nil, fail(http.StatusUnauthorized, "authentication.required", "No authentication bearer token specified in authorization header.")
	}
	t := o.access.tokens[text]
	if t == nil || !slices.Contains(o.access.order, text) {
		return t, badCredentials()
	}
	if !now.Before(t.expires) {
		return t, fail(http.StatusUnauthorized, "credentials.expired", "The supplied credentials are expired and cannot be used.")
	}
	return t, nil
}

func badCredentials() *reply {
	return fail(http.StatusUnauthorized, "bad.credentials", "Invalid login credentials.")
}

// revoke ends a request's token.
func (o *Org) revoke(r *http.Request) {
	_, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	o.access.order = slices.DeleteFunc(o.access.order, func(s string) bool { return s == text })
}

// RevokeTokens ends all tokens, as an administrator can: the next requests get 401.
func (o *Org) RevokeTokens() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.access.order = nil
}
