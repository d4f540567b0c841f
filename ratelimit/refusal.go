package ratelimit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A refusal is an answer that asks to wait: a 429 or 503 with Retry-After.
type refusal struct {
	wait    time.Duration
	isRoute bool // only the route of the request is limited
	why     string
}

// refusalOf returns what a response asks to wait, if it does. hasRoom says that the response
// tells of a window that has room, and so is not what is limited. It may read a part of the
// body, and puts it back.
func refusalOf(resp *http.Response, hasRoom bool) (r refusal, ok bool) {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.wait = retryAfter(resp.Header)
	}
	if r.wait == 0 {
		return r, false
	}
	key := limitKey(resp)
	r.isRoute = hasRoom
	if key != "" {
		r.isRoute = !concernsAll(key)
		key = " (" + key + ")"
	}
	r.why = fmt.Sprintf("the server answered %d%s and asked to wait %s", resp.StatusCode, key, r.wait)
	return r, true
}

// concernsAll reports whether the name of a limit is that of a token or an org, such as
// "client.credentials.token.rate.per.minute" or "org.user.rate.per.minute".
func concernsAll(key string) bool {
	return slices.ContainsFunc(strings.Split(key, "."), func(word string) bool {
		return slices.Contains([]string{"token", "org", "organization", "client", "user"}, word)
	})
}

// limitKey returns the name of the limit in the body of a 429 such as
// {"limit":{"key":"token.rate.per.minute"}}, or "".
func limitKey(resp *http.Response) string {
	if resp.Body == nil || resp.StatusCode != http.StatusTooManyRequests {
		return ""
	}
	const most = 64 << 10
	start, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = struct {
		io.Reader // an error comes again from the body itself
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	var body struct {
		Limit struct {
			Key string `json:"key"`
		} `json:"limit"`
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	err := json.Unmarshal(start, &body)
	if key := body.Limit.Key; err == nil && len(key) <= 100 && strings.Trim(key, allowed) == "" {
		return key // a name, which can stand in a message as it is
	}
	return ""
}

// routeOf returns the route of a request: the method and the path, with "*" in place of what
// looks like an identifier.
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

// retryAfter returns for how long an answer asks to send nothing more, or 0. A date is
// compared with the clock of the server that wrote it, and means nothing without it.
func retryAfter(h http.Header) time.Duration {
	if s, ok := wholeNumber(h, "Retry-After"); ok {
		return time.Duration(s) * time.Second
	}
	until, err1 := http.ParseTime(h.Get("Retry-After"))
	sent, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}

// wholeNumber reads a header that holds digits only. Numbers beyond any sense count as the
// largest that makes sense.
func wholeNumber(from http.Header, name string) (n int, ok bool) {
	u, err := strconv.ParseUint(from.Get(name), 10, 30)
	return int(u), err == nil || errors.Is(err, strconv.ErrRange)
}
