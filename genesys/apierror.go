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
)

// What callers tell apart, with errors.Is.
var (
	// ErrNotFound reports that one object, or the parent of a list, is gone or not visible yet (404).
	ErrNotFound = errors.New("genesys: not found")

	// ErrUnavailable reports that this client cannot read a type at all: a
	// permission is missing (403), a feature is off (501), the product is not
	// there (404 on a list at the top). It says nothing about the objects.
	ErrUnavailable = errors.New("genesys: not available to this client")

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

	// Limit is the limit that was hit, such as client.credentials.token.rate.per.minute, if the answer named it.
	Limit string

	topList bool
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
	return b.String()
}

// Is matches ErrNotFound, ErrUnavailable and ErrUnauthorized.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound && !e.topList
	case ErrUnavailable:
		return e.Status == http.StatusForbidden || e.Status == http.StatusNotImplemented || e.Status == http.StatusNotFound && e.topList
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	}
	return false
}

// tooLarge reports whether a smaller page would do.
func (e *APIError) tooLarge() bool {
	return e.Code == "response.entity.too.large"
}

const (
	correlationHeader = "Inin-Correlation-Id"
	maxMessage        = 1000 // bytes of an error's text that are kept
)

// newAPIError reads an error answer. Every member of the body is read for
// itself, so that a malformed one costs no other.
func newAPIError(r *http.Response, body []byte, redact func(string) string) *APIError {
	e := &APIError{
		Method: r.Request.Method, Path: r.Request.URL.Path, Status: r.StatusCode,
		CorrelationID: redact(r.Header.Get(correlationHeader)),
		RetryAfter:    max(retryAfter(r), 0),
	}
	if _, ok := jsonscan.Lookup(body); !ok {
		e.Message = plainText(body, redact)
	} else {
		said := func(member string) string { return clip(redact(lookupText(body, member))) }
		e.Code = said("code")
		e.Message = cmp.Or(said("message"), said("messageWithParams"))
		e.CorrelationID = cmp.Or(e.CorrelationID, said("contextId"))
		e.Limit = said("limit.key")
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

var (
	permissionPattern = regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9_]*:[A-Za-z0-9_*]+:[A-Za-z0-9_*]+`)
	tagPattern        = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>|<[^>]*>`)
)

func permissionsIn(message string) []string {
	found := permissionPattern.FindAllString(message, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// plainText makes one readable line of whatever came instead of JSON. Secrets go before it is cut: of half a secret
// nobody knows that it is one.
func plainText(body []byte, redact func(string) string) string {
	body = body[:min(len(body), 64<<10)]
	s := tagPattern.ReplaceAllString(string(body), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, s)
	return clip(redact(strings.Join(strings.Fields(s), " ")))
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > maxMessage {
		return strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
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
