package genesystest

import (
	"net/http"
	"path"
	"strconv"
	"time"
)

const windowLength = time.Minute

// A window counts requests from its first one on, for a minute.
type window struct {
	start time.Time
	count int
}

// take counts a request and says how long the window still lasts.
func (w *window) take(now time.Time) (count int, left time.Duration) {
	if now.Sub(w.start) >= windowLength || w.count == 0 {
		*w = window{start: now}
	}
	w.count++
	return w.count, windowLength - now.Sub(w.start)
}

// rolling is the most requests that arrived within any minute.
type rolling struct {
	times []time.Time
	most  int
}

func (r *rolling) add(now time.Time) {
	first := 0
	for first < len(r.times) && now.Sub(r.times[first]) >= windowLength {
		first++
	}
	r.times = append(r.times[first:], now)
	r.most = max(r.most, len(r.times))
}

// meter counts a request of a token; a non-nil reply refuses it.
func (o *Org) meter(t *token, method, urlPath string, header http.Header, now time.Time) *reply {
	t.rolling.add(now)
	if o.opts.RateLimit < 0 {
		return nil
	}
	count, left := t.window.take(now)
	seconds := int(left / time.Second)
	header.Set("inin-ratelimit-count", strconv.Itoa(min(count, o.opts.RateLimit)))
	header.Set("inin-ratelimit-allowed", strconv.Itoa(o.opts.RateLimit))
	header.Set("inin-ratelimit-reset", strconv.Itoa(seconds+1))
	if count > o.opts.RateLimit {
		return throttled(retryAfter(left), &limitValue{"client.credentials.token.rate.per.minute", "platform.api", o.opts.RateLimit})
	}
	for pattern, limit := range o.opts.SubLimits {
		if ok, _ := path.Match(pattern, method+" "+urlPath); !ok {
			continue
		}
		w := t.sub[pattern]
		if w == nil {
			w = &window{}
			t.sub[pattern] = w
		}
		if count, left := w.take(now); count > limit {
			return throttled(retryAfter(left), nil)
		}
	}
	return nil
}

// retryAfter is the least whole number of seconds after which the window is over.
func retryAfter(left time.Duration) int {
	return int((left + time.Second - 1) / time.Second)
}

func throttled(seconds int, limit *limitValue) *reply {
	e := errorBody{
		Message: "Rate limit exceeded the maximum. Retry the request in [" + strconv.Itoa(seconds) + "] seconds",
		Code:    "too.many.requests.retry.after", Status: http.StatusTooManyRequests, Limit: limit,
	}
	r := failure(e)
	r.header.Set("Retry-After", strconv.Itoa(seconds))
	return r
}
