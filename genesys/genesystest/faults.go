package genesystest

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// A Fault is one way in which the service or the network misbehaves. The
// functions that return a Fault make them; Org.Fail and Org.Chaos use them.
type Fault struct {
	Name string // as in Request.Fault

	below   bool // it comes from a layer below login and quota
	revoke  bool
	make    func() *reply // the answer instead of the real one
	twist   func(*page)   // what happens to a page
	after   func(*reply)  // what happens to the answer
	maxSize int           // page sizes above it are refused
	large   bool          // as too large instead of invalid
	ceiling int
}

func (f *Fault) instead() *reply {
	if f.make == nil {
		return nil
	}
	return f.make()
}

func (f *Fault) spoil(r *reply) *reply {
	if f.after != nil && r.status == http.StatusOK {
		f.after(r)
	}
	return r
}

func (f *Fault) sizeReply(name, value string) *reply {
	if f.large {
		return fail(http.StatusBadRequest, "response.entity.too.large", "The response is over the size limit. Reduce pageSize or expand list to reduce response size if applicable")
	}
	return invalid(name, value, "smaller ones")
}

// A script is a fault that waits for requests.
type script struct {
	method, path, query, typ string
	fault                    Fault
	times                    int // -1 for ever
}

// Fail makes matching requests meet a fault, as many as times, or all with -1.
// The match is the name of an object type, whose list requests it means; or a
// path in which * stands for any characters but a slash, with a method before
// it if only that one is meant, and a query after it if the request has to have
// its parameters; or "" for every API request:
//
//	org.Fail("routing.queues", genesystest.Status(503), 2)
//	org.Fail("/api/v2/users?pageNumber=2", genesystest.CutBody(), 1)
//	org.Fail("POST /oauth/token", genesystest.Status(500), -1)
//
// Faults that match the same request are met one after the other, in the order of the calls.
func (o *Org) Fail(match string, fault Fault, times int) {
	s := &script{fault: fault, times: times}
	switch {
	case match == "":
		s.path = ""
	case strings.Contains(match, "/"):
		method, rest, ok := strings.Cut(match, " ")
		if !ok {
			method, rest = "", match
		}
		s.method = method
		s.path, s.query, _ = strings.Cut(rest, "?")
	default:
		s.typ = match
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.typ != "" {
		shape, err := o.shapeOf(s.typ)
		if err != nil {
			panic(err) // a test that names a type wrongly would pass for the wrong reason
		}
		s.typ = shape.t.Name
	}
	o.faults = append(o.faults, s)
}

// Recover ends all faults.
func (o *Org) Recover() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults, o.chaos = nil, nil
}

type chaos struct {
	rate   float64
	faults []Fault
	drawn  uint64
}

// Chaos makes that share of the API requests, drawn from the org's seed, meet
// one of the faults. A rate of 0 ends it.
func (o *Org) Chaos(rate float64, faults ...Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.chaos = &chaos{rate: rate, faults: faults}
}

func (c *chaos) draw(seed uint64) *Fault {
	if c == nil || len(c.faults) == 0 {
		return nil
	}
	c.drawn++
	x := mix(seed ^ mix(c.drawn))
	if float64(x>>11)/(1<<53) >= c.rate {
		return nil
	}
	return &c.faults[mix(x)%uint64(len(c.faults))]
}

// faultFor finds the fault that a request meets.
func (o *Org) faultFor(method, urlPath string, query url.Values, routes []*route) *Fault {
	for i, s := range o.faults {
		if !s.matches(method, urlPath, query, routes) {
			continue
		}
		if s.times > 0 {
			if s.times--; s.times == 0 {
				o.faults = slices.Delete(o.faults, i, i+1)
			}
		}
		return new(s.fault)
	}
	if strings.HasPrefix(urlPath, "/api/") {
		return o.chaos.draw(o.opts.Seed)
	}
	return nil
}

func (s *script) matches(method, urlPath string, query url.Values, routes []*route) bool {
	if s.times == 0 {
		return false
	}
	if s.typ != "" {
		return len(routes) > 0 && routes[0].shape.t.Name == s.typ && (routes[0].action == listObjects || routes[0].shape.singleton())
	}
	if s.path == "" {
		return strings.HasPrefix(urlPath, "/api/")
	}
	if ok, err := path.Match(s.path, urlPath); err != nil || !ok || s.method != "" && s.method != method {
		return false
	}
	want, err := url.ParseQuery(s.query)
	if err != nil {
		return false
	}
	for name, values := range want {
		if !slices.Equal(query[name], values) {
			return false
		}
	}
	return true
}

// Throttle answers 429 with that Retry-After, which has whole seconds.
func Throttle(after time.Duration) Fault {
	return Fault{Name: "throttle", make: func() *reply { return throttled(retryAfter(after), nil) }}
}

// codes are the error codes that the service has for a status.
var codes = map[int][2]string{
	400: {"bad.request", "The request could not be understood by the server due to malformed syntax."},
	401: {"bad.credentials", "Invalid login credentials."},
	403: {"not.authorized", "You are not authorized to perform the requested action."},
	404: {"not.found", "The requested resource was not found."},
	405: {"method.not.allowed", "The request method is not allowed for this resource."},
	408: {"client.timeout", "The client did not produce a request within the server timeout limit."},
	409: {"general.conflict", "The request conflicts with the current state of the resource."},
	410: {"gone", "The resource is gone."},
	412: {"precondition.failed", "A precondition of the request does not hold."},
	413: {"request.entity.too.large", "The request is over the size limit."},
	422: {"unprocessable.entity", "The request was well-formed and cannot be processed."},
	429: {"too.many.requests", "Rate limit exceeded the maximum [300] requests within [60] seconds"},
	500: {"internal.server.error", "The server encountered an unexpected condition which prevented it from fulfilling the request."},
	501: {"not.implemented", "Feature toggle is not enabled for this endpoint"},
	502: {"bad.gateway", "Bad gateway."},
	503: {"service.unavailable", "Service Unavailable - The server is currently unavailable (because it is overloaded or down for maintenance)."},
	504: {"request.timeout", "The request timed out."},
}

// Status answers with a status and the service's error body for it.
func Status(status int) Fault {
	code := codes[status]
	return Fault{Name: "status", make: func() *reply { return fail(status, code[0], "%s", code[1]) }}
}

// HTML answers with a status and the content network's page, which is not JSON and has none of the API's headers.
func HTML(status int) Fault {
	return Fault{Name: "html", below: true, make: func() *reply { return cloudFront(status) }}
}

// Reset breaks the connection instead of answering.
func Reset() Fault {
	return Fault{Name: "reset", below: true, make: func() *reply { return &reply{reset: true} }}
}

// CutBody ends the connection in the middle of the body.
func CutBody() Fault {
	return Fault{Name: "cut", after: func(r *reply) { r.cut = true }}
}

// SlowBody takes that long over the second half of the body.
func SlowBody(d time.Duration) Fault {
	return Fault{Name: "slow", after: func(r *reply) { r.slow = d }}
}

// Garbage answers 200 with a body that is not JSON.
func Garbage() Fault {
	return Fault{Name: "garbage", after: func(r *reply) { r.body = append([]byte("\x00\xff{]"), r.body[:len(r.body)/3]...) }}
}

// EvictedToken ends the token of the request, which is answered 401 as are the next ones with it.
func EvictedToken() Fault {
	return Fault{Name: "evicted token", revoke: true, make: badCredentials}
}

// ExpiredToken is EvictedToken with the code of a token that is too old.
func ExpiredToken() Fault {
	return Fault{Name: "expired token", revoke: true, make: func() *reply {
		return fail(http.StatusUnauthorized, "credentials.expired", "The supplied credentials are expired and cannot be used.")
	}}
}

// AddressRefused answers 401 as to an IP address that the org does not allow, which no new token helps.
func AddressRefused() Fault {
	return Fault{Name: "address refused", make: func() *reply {
		return fail(http.StatusUnauthorized, "ip.not.authorized", "The IP address of the request is not authorized.")
	}}
}

// LoginRefused answers with an error of the login host: LoginRefused(400, "unauthorized_client", "client is disabled").
func LoginRefused(status int, code, description string) Fault {
	return Fault{Name: "login refused", make: func() *reply { return oauthError(status, code, description) }}
}

// Forbidden answers 403 and names the permissions as missing.
func Forbidden(permissions ...string) Fault {
	return Fault{Name: "forbidden", make: func() *reply { return missingPermissions(permissions) }}
}

// FeatureOff answers 501 as for a feature that the org does not have.
func FeatureOff() Fault {
	f := Status(http.StatusNotImplemented)
	f.Name = "feature off"
	return f
}

// TooLarge refuses page sizes above most because the response would be too large.
func TooLarge(most int) Fault { return Fault{Name: "too large", maxSize: most, large: true} }

// PageSizeRefused refuses page sizes above most as invalid.
func PageSizeRefused(most int) Fault { return Fault{Name: "page size refused", maxSize: most} }

// Ceiling refuses pages that reach beyond that many rows, while the total still counts them.
func Ceiling(rows int) Fault { return Fault{Name: "ceiling", ceiling: rows} }

// LostPage leaves the objects of a page out: the page is empty or, where pages have cursors, the one after it.
func LostPage() Fault {
	return Fault{Name: "lost page", twist: func(p *page) {
		if p.counts() {
			p.hide = true
			return
		}
		p.start, p.end = p.end, min(p.end+p.size, p.view.len())
		if p.more = p.end < p.view.len(); p.more {
			p.next = p.makeToken(p.view.at(p.end))
		}
	}}
}

// counts reports whether the pages of the list have numbers.
func (p *page) counts() bool { return p.next == "" }

// EmptyPage answers with an empty page and a cursor to the objects that it should have had. Lists with page numbers lose the page.
func EmptyPage() Fault {
	return Fault{Name: "empty page", twist: func(p *page) {
		if p.hide = true; !p.counts() && p.start < p.view.len() {
			p.more, p.next = true, p.makeToken(p.view.at(p.start))
		}
	}}
}

// ShortPage answers with half a page and a cursor to the rest.
func ShortPage() Fault {
	return Fault{Name: "short page", twist: func(p *page) {
		if half := p.start + (p.end-p.start)/2; !p.counts() && half > p.start {
			p.end, p.more, p.next = half, true, p.makeToken(p.view.at(half))
		}
	}}
}

// RepeatedPage answers with the objects of the page before.
func RepeatedPage() Fault {
	return Fault{Name: "repeated page", twist: func(p *page) {
		if p.start > 0 {
			p.end = p.start
			p.start = max(0, p.start-p.size)
		}
	}}
}

// RepeatedCursor answers with a link or cursor to the page itself.
func RepeatedCursor() Fault {
	return Fault{Name: "repeated cursor", twist: func(p *page) {
		p.more = true
		if p.counts() {
			return
		}
		if p.next = p.token; p.next == "" {
			p.next = p.makeToken(0)
		}
	}}
}

// Endless answers with a link to a next page even on the last one, and with empty pages from there on.
func Endless() Fault {
	return Fault{Name: "endless", twist: func(p *page) { p.more = true }}
}

// Shift moves the objects of a page, other than the first, by that many places: with 1, one is never seen, as if
// one before it had been deleted meanwhile; with -1, one is seen twice.
func Shift(by int) Fault {
	return Fault{Name: "shift", twist: func(p *page) {
		if p.start > 0 {
			p.start, p.end = p.start+by, min(p.end+by, p.view.len())
		}
	}}
}

// WrongTotal adds a number to the total.
func WrongTotal(by int) Fault {
	return Fault{Name: "wrong total", twist: func(p *page) { p.total += by }}
}

// NoTotals leaves total and pageCount out.
func NoTotals() Fault {
	return Fault{Name: "no totals", twist: func(p *page) { p.bare = true }}
}

// QueryState answers requests for an asynchronous query with that state, whatever it has come to: "Failed", "Cancelled", "Running".
func QueryState(state string) Fault {
	return Fault{Name: "query state", after: func(r *reply) {
		if body, err := parseFields(r.body); err == nil {
			body.put("state", quote(state))
			r.body = body.bytes()
		}
	}}
}
