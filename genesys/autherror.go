package genesys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/cxsync/cxsync/internal/printable"
)

// Why a client was not let in, and what a person can do about it. The login service answers with
// OAuth codes and texts; each of the reasons here is what some of them mean, with one remedy.

// An AuthReason says why a client was not let in.
type AuthReason string

// The reasons.
const (
	AuthUnknownClient AuthReason = "unknown client"      // no such client in this region
	AuthWrongSecret   AuthReason = "wrong secret"        // the client exists, the secret is not its own
	AuthGrantType     AuthReason = "wrong grant type"    // the client may not use the Client Credentials grant, or is disabled
	AuthThrottled     AuthReason = "login throttled"     // too many tokens were asked for; temporary
	AuthIPNotAllowed  AuthReason = "IP not allowed"      // the org has an allowlist that this machine is not on
	AuthTokenRejected AuthReason = "token rejected"      // the API refuses even a fresh token
	AuthUnexpected    AuthReason = "unexpected answer"   // what answered does not speak like a login service
	AuthUnavailable   AuthReason = "service unavailable" // the login service failed; temporary
)

var remedies = map[AuthReason]string{
	AuthUnknownClient: "check the client ID, and that the base URL is that of the region the org lives in: clients exist in one region only (docs/oauth-client.md#the-client)",
	AuthWrongSecret:   "generate a new secret: it is shown once, when it is made, and nowhere afterwards (docs/oauth-client.md#the-secret)",
	AuthGrantType:     "use an active OAuth client with the grant type Client Credentials (docs/oauth-client.md#the-client)",
	AuthThrottled:     "wait a minute; share one Client instead of making many for the same credentials (docs/oauth-client.md#login-throttled)",
	AuthIPNotAllowed:  "add this machine's public address to the allowed IP addresses of the client and the org (docs/oauth-client.md#ip-allowlists)",
	AuthTokenRejected: "check that the base URL and the login URL belong together, and that the client is active and not used by very many programs at once (docs/oauth-client.md#token-rejected)",
	AuthUnexpected:    "check the login URL (docs/oauth-client.md#token-rejected)",
	AuthUnavailable:   "try again later (docs/oauth-client.md#login-throttled)",
}

// An AuthError says that this client was not let in, why, and what to do. It
// matches ErrUnauthorized, unless the reason is temporary.
type AuthError struct {
	Reason        AuthReason
	Status        int    // HTTP status of the refusal
	Code          string // OAuth error code, or code of the API
	Description   string // what the service said
	CorrelationID string
	Remedy        string // what to do about it

	cause error
}

func (e *AuthError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "genesys: login: %s (%d", e.Reason, e.Status)
	if e.Code != "" {
		b.WriteByte(' ')
		b.WriteString(e.Code)
	}
	if e.Description != "" {
		b.WriteString(": ")
		b.WriteString(e.Description)
	}
	if e.CorrelationID != "" {
		fmt.Fprintf(&b, ", correlation id %s", e.CorrelationID)
	}
	return printable.Text(b.String() + "): " + e.Remedy)
}

// Is matches ErrUnauthorized or, if waiting may help, ErrOutage.
func (e *AuthError) Is(target error) bool {
	return target == ErrUnauthorized && !e.Temporary() || target == ErrOutage && e.Temporary()
}

// Unwrap returns the *APIError when it was the API that refused.
func (e *AuthError) Unwrap() error { return e.cause }

// Temporary reports whether waiting may help.
func (e *AuthError) Temporary() bool {
	return e.Reason == AuthThrottled || e.Reason == AuthUnavailable
}

// refused turns a 401 of the API that a fresh token did not cure into an AuthError.
func refused(e *APIError) *AuthError {
	a := &AuthError{
		Reason: AuthTokenRejected, Status: e.Status, Code: e.Code, Description: e.Message,
		CorrelationID: e.CorrelationID, cause: e,
	}
	if e.Code == codeIPNotAllowed {
		a.Reason = AuthIPNotAllowed
	}
	a.Remedy = remedies[a.Reason]
	return a
}

// loginError turns what the oauth2 package returns into an AuthError, or into
// a plain network error. The secret and tokens never get into it: the answer's
// body is not kept, only what it says in the members for errors.
func loginError(err error, login *url.URL, redact func(string) string) error {
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if broken, ok := errors.AsType[*url.Error](err); ok {
			return fmt.Errorf("login at %s: %w", login.Host, broken.Err)
		}
		return newAuthError(AuthUnexpected, 200, "", line(redact(strings.TrimPrefix(err.Error(), "oauth2: "))), "")
	}
	status := refusal.Response.StatusCode
	description := refusal.ErrorDescription
	if description == "" {
		description = lookupText(refusal.Body, "description")
	}
	if description == "" && refusal.ErrorCode == "" {
		description = plainText(refusal.Body, redact)
	}
	said := strings.ToLower(refusal.ErrorCode + " " + description)
	reason := AuthUnexpected
	switch {
	case strings.Contains(said, "rate limit exceeded") || status == http.StatusTooManyRequests:
		reason = AuthThrottled
	case status >= 500:
		reason = AuthUnavailable
	case strings.Contains(said, codeIPNotAllowed):
		reason = AuthIPNotAllowed
	case refusal.ErrorCode == "unauthorized_client" || refusal.ErrorCode == "unsupported_grant_type":
		reason = AuthGrantType
	case strings.Contains(said, "not found"):
		reason = AuthUnknownClient
	case refusal.ErrorCode == "invalid_client" && status == http.StatusUnauthorized:
		reason = AuthWrongSecret
	case refusal.ErrorCode == "invalid_client":
		reason = AuthUnknownClient
	}
	return newAuthError(reason, status,
		label(redact(refusal.ErrorCode)), line(redact(description)), label(redact(refusal.Response.Header.Get(correlationHeader))))
}

// newAuthError makes an AuthError with the remedy of its reason.
func newAuthError(reason AuthReason, status int, code, description, correlation string) *AuthError {
	return &AuthError{
		Reason: reason, Status: status, Code: code, Description: description,
		CorrelationID: correlation, Remedy: remedies[reason],
	}
}

// redactor returns a function that takes secrets out of a text, in the forms
// in which they are sent.
func redactor(clientID, secret string) func(string) string {
	if secret == "" {
		return func(s string) string { return s }
	}
	pair := url.QueryEscape(clientID) + ":" + url.QueryEscape(secret)
	return strings.NewReplacer(
		secret, "[redacted]",
		url.QueryEscape(secret), "[redacted]",
		base64.StdEncoding.EncodeToString([]byte(pair)), "[redacted]",
	).Replace
}
