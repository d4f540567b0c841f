package ratelimit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A refusal is an answer that asks to wait: a 429 or 503 with Retry-After.
type refusal struct {
	wait    time.Duration
	isRoute bool // only the route of the request is limited
	why     string
}

// refusalOf returns what a response asks to wait, if it does. It may read a part of the
// body, and puts it back.
func refusalOf(resp *http.Response, t told, isTold bool) (r refusal, ok bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return r, false
	}
	r.wait = retryAfter(resp.Header)
	if r.wait == 0 {
		return r, false
	}
	key := limitKey(resp)
	switch key {
	case "": // a window that has room is not what is limited
		r.isRoute = isTold && t.count < t.allowed
	default:
		r.isRoute = !concernsAll(key)
		key = " (" + key + ")"
	}
	r.why = fmt.Sprintf("the server answered %d%s and asked to wait %s", resp.StatusCode, key, r.wait)
	return r, true
}

// concernsAll reports whether the name of a limit is that of a token or an org, such as
// "client.credentials.token.rate.per.minute" or "org.user.rate.per.minute".
func concernsAll(key string) bool {
	for word := range strings.SplitSeq(key, ".") {
		switch word {
		case "token", "org", "organization", "client", "user":
			return true
		}
	}
	return false
}

const maxRefusalBody = 64 << 10

// limitKey returns the name of the limit in a body such as
// {"limit":{"key":"token.rate.per.minute"}}, or "".
func limitKey(resp *http.Response) string {
	if resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode != http.StatusTooManyRequests {
		return ""
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBody))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = &rewound{io.MultiReader(bytes.NewReader(start), rest), resp.Body}
	var body struct {
		Limit struct {
			Key string `json:"key"`
		} `json:"limit"`
	}
	if json.Unmarshal(start, &body) != nil || !isName(body.Limit.Key) {
		return ""
	}
	return body.Limit.Key
}

// isName reports whether a text of the server can stand in a message as it is.
func isName(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	return len(s) <= 100 && strings.Trim(s, allowed) == ""
}

// A rewound is a body whose start was read and is there again.
type rewound struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// routeOf returns the route of a request: the method and the path, with "*" in place of
// what looks like an identifier.
func routeOf(req *http.Request) string {
	if req.URL == nil {
		return ""
	}
	parts := strings.Split(req.URL.Path, "/")
	for i, p := range parts {
		isVersion := len(p) == 2 && p[0] == 'v'
		if !isVersion && strings.ContainsAny(p, "0123456789@+") {
			parts[i] = "*"
		}
	}
	return req.Method + " " + strings.Join(parts, "/")
}
