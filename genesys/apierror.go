package genesys

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/internal/jsonscan"
	"github.com/cxsync/cxsync/internal/printable"
)

// What the API answers that is no success. An APIError keeps what the answer says; what that means
// of the thing asked for is decided once, in meaning.go, and told by errors.Is.

// What callers tell apart, with errors.Is.
var (
	// ErrNotFound reports that one object, or the parent of a list, does not exist, or not yet: the
	// answer means Deleted.
	ErrNotFound = errors.New("genesys: not found")

	// ErrUnavailable reports that this client cannot read what it asked for: the
	// answer means Hidden, as where a permission is missing, or Unavailable, as
	// where a feature is off or an API was withdrawn. It says nothing about the
	// objects.
	ErrUnavailable = errors.New("genesys: not available to this client")

	// ErrOutage reports that the org, its login or the way to it fails, and not
	// what was asked for: no answer, 408, 429, 502, 503 or 504 after every retry.
	ErrOutage = errors.New("genesys: no answer")

	// ErrUnauthorized reports that the client is not let in (401, *AuthError).
	ErrUnauthorized = errors.New("genesys: unauthorized")

	// ErrNoGet reports that a type has no call that reads one object.
	ErrNoGet = errors.New("genesys: the type has no call that reads one object")
)

// An APIError is an answer of the API that is not a success. Whatever the body
// was, the status and, if there was one, the correlation id are kept.
type APIError struct {
	Method string
	Path   string // without the query
	Status int    // HTTP status

	Code          string // "missing.permissions"; "" if the body was not JSON
	Message       string // for people; without a JSON body, the beginning of its text
	CorrelationID string // what Genesys support asks for

	RetryAfter time.Duration // how long to wait, if the answer said so

	// MissingPermissions are those that the message names; one of them is
	// enough if AnyPermission.
	MissingPermissions []string
	AnyPermission      bool

	// Limit is the limit that was hit, such as client.credentials.token.rate.per.minute, if the
	// answer named it.
	Limit string

	meaning Meaning
}

// Error says what was asked, what came back and, where there is one, the remedy.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "genesys: %s %s: %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		b.WriteByte(' ')
		b.WriteString(e.Code)
	} else if text := http.StatusText(e.Status); text != "" {
		b.WriteByte(' ')
		b.WriteString(text)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if e.CorrelationID != "" {
		fmt.Fprintf(&b, " (correlation id %s)", e.CorrelationID)
	}
	return printable.Text(b.String())
}

// Is matches ErrNotFound, ErrUnavailable, ErrOutage and ErrUnauthorized.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.meaning == Deleted
	case ErrUnavailable:
		return e.meaning == Hidden || e.meaning == Unavailable
	case ErrOutage:
		switch e.Status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	}
	return false
}

// tooLarge reports whether a smaller page would do.
func (e *APIError) tooLarge() bool {
	return e.Code == "response.entity.too.large"
}

// correlationHeader names the ID under which Genesys finds a request in its logs. Its own answers
// have it; those of a gateway on the way do not.
const correlationHeader = "Inin-Correlation-Id"

// newAPIError reads an error answer. Every member of the body is read for
// itself, so that a malformed one costs no other.
func newAPIError(r *http.Response, body []byte, asks question, redact func(string) string) *APIError {
	e := &APIError{
		meaning: meanings.of(asks, r.StatusCode, isOfAPI(r, body)),
		Method:  r.Request.Method, Path: r.Request.URL.EscapedPath(), Status: r.StatusCode,
		CorrelationID: label(redact(r.Header.Get(correlationHeader))),
		RetryAfter:    max(retryAfter(r), 0),
	}
	if _, ok := jsonscan.Lookup(body); !ok {
		e.Message = plainText(body, redact)
	} else {
		said := func(member string) string { return oneLine(redact(lookupText(body, member))) }
		e.Code = label(said("code"))
		e.Message = clip(cmp.Or(said("message"), said("messageWithParams")), maxMessage)
		e.CorrelationID = cmp.Or(e.CorrelationID, label(said("contextId")))
		e.Limit = label(said("limit.key"))
		if e.Message == "" && e.Code == "" {
			e.Message = plainText(body, redact)
		}
	}
	if e.Status == http.StatusForbidden {
		e.MissingPermissions = permissionsIn(e.Message)
		e.AnyPermission = e.Code == "missing.any.permissions"
	}
	return e
}

// permissionPattern finds permissions in a message for people: domain:entity:action.
var permissionPattern = regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9_]*:[A-Za-z0-9_*]+:[A-Za-z0-9_*]+`)

// permissionsIn returns the permissions that a message names, sorted.
func permissionsIn(message string) []string {
	found := permissionPattern.FindAllString(message, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// retryAfter returns the wait that an answer's Retry-After header asks for, in
// seconds or as a date; -1 if it asks for none.
func retryAfter(r *http.Response) time.Duration {
	value := strings.TrimSpace(r.Header.Get("Retry-After"))
	if value == "" {
		return -1
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if n < 0 {
			return -1
		}
		return time.Duration(min(n, maxRetryAfterSeconds)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		now := time.Now()
		if sent, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			now = sent // a date by the server's clock is compared with the server's clock
		}
		return min(max(at.Sub(now), 0), maxRetryAfterSeconds*time.Second)
	}
	return -1
}

// maxRetryAfterSeconds keeps an absurd header from overflowing a Duration.
const maxRetryAfterSeconds = 7 * 24 * 60 * 60
