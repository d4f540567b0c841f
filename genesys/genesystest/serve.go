package genesystest

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxRequestBody = 512_000

// ServeHTTP answers both for the login host and for the API host.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rep := o.answer(r)
	if rep.reset {
		panic(http.ErrAbortHandler)
	}
	rep.compress(r)
	maps.Copy(w.Header(), o.dated(rep.header))
	w.WriteHeader(rep.status)
	if r.Method == http.MethodHead {
		return
	}
	if rep.cut || rep.slow > 0 {
		half := len(rep.body) / 2
		_, _ = w.Write(rep.body[:half]) // a client that went away is its own affair
		_ = http.NewResponseController(w).Flush()
		if !sleep(r.Context(), rep.slow) {
			return
		}
		rep.body = rep.body[half:]
	}
	if rep.cut {
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(rep.body)
}

// dated returns the headers of an answer with the org's time, unless they have another.
func (o *Org) dated(header http.Header) http.Header {
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Date") == "" {
		header.Set("Date", o.opts.Clock().UTC().Format(http.TimeFormat))
	}
	return header
}

// sleep waits unless the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// An exchange is one request on its way through the org.
type exchange struct {
	r     *http.Request
	path  string
	parts []string // of the path, unescaped
	query url.Values
	body  []byte
	fault *Fault
	typ   string
}

// answer makes the reply to a request and writes the log.
func (o *Org) answer(r *http.Request) *reply {
	arrived := time.Now()
	c := &exchange{r: r, path: r.URL.Path, query: r.URL.Query()}
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
		if err != nil {
			return &reply{reset: true}
		}
		c.body = body
	}
	sleep(r.Context(), o.opts.Latency)

	o.mu.Lock()
	entry := Request{Time: arrived, Method: r.Method, Path: c.path, Query: c.query}
	rep := o.route(c, &entry)
	if rep.reset {
		rep.status = 0
	}
	entry.Status, entry.Type = rep.status, c.typ
	if c.fault != nil {
		entry.Fault = c.fault.Name
		rep = c.fault.spoil(rep)
	}
	if rep.status == http.StatusTooManyRequests {
		o.log.stats.Throttled++
	}
	o.log.add(entry)
	o.mu.Unlock()

	if o.opts.HostileTexts && !rep.reset && c.path != "/oauth/token" {
		rep.makeHostile()
	}
	o.opts.Logger.Debug("request", "method", entry.Method, "path", entry.Path, "status", entry.Status, "fault", entry.Fault)
	return rep
}

// route leads a request through login, quota and faults to what it asks for.
func (o *Org) route(c *exchange, entry *Request) *reply {
	if strings.TrimSuffix(c.path, "/") == "/oauth/token" {
		if c.fault = o.faultFor(c.r.Method, c.path, c.query, nil); c.fault != nil {
			if rep := c.fault.instead(); rep != nil {
				return rep
			}
		}
		return o.mint(c.r, c.body, entry.Time)
	}
	if strings.HasPrefix(c.path, downloadsPath) {
		if c.fault = o.faultFor(c.r.Method, c.path, c.query, nil); c.fault != nil {
			if rep := c.fault.instead(); rep != nil {
				return rep
			}
		}
		return o.answerDownload(c)
	}
	if strings.HasPrefix(c.path, filesPath) {
		return o.answerFile(c)
	}
	o.log.stats.Requests++
	o.access.requests++
	header := http.Header{}
	rep := o.api(c, entry, header)
	if rep.reset || rep.header.Get("Server") == "CloudFront" {
		return rep
	}
	maps.Copy(rep.header, header)
	o.sign(c.r, rep)
	rep.finish(makeUUID(o.opts.Seed^0x636f7272, 0, o.access.requests))
	return rep
}

func (o *Org) api(c *exchange, entry *Request, header http.Header) *reply {
	if !strings.HasPrefix(c.r.URL.EscapedPath(), "/api/v2/") {
		return notFound()
	}
	for part := range strings.SplitSeq(strings.Trim(c.r.URL.EscapedPath(), "/"), "/") {
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		c.parts = append(c.parts, part)
	}
	routes := o.routesFor(c)
	if len(routes) > 0 {
		c.typ = routes[0].shape.t.Name
	}
	c.fault = o.faultFor(c.r.Method, c.path, c.query, routes)
	if c.fault != nil && c.fault.below {
		return c.fault.instead()
	}
	t, refused := o.authenticate(c.r, entry.Time)
	if t != nil {
		entry.Token = t.number
	}
	if refused != nil {
		return refused
	}
	if refused := o.meter(t, c.r.Method, c.path, header, entry.Time); refused != nil {
		return refused
	}
	if c.fault != nil {
		if c.fault.revoke {
			o.revoke(c.r)
		}
		if rep := c.fault.instead(); rep != nil {
			return rep
		}
	}
	if len(c.body) > maxRequestBody {
		return fail(http.StatusRequestEntityTooLarge, "request.entity.too.large", "The request is over the size limit of %d bytes.", maxRequestBody)
	}
	if f := o.special(c); f != nil {
		return f(c)
	}
	return o.catalogue(c, routes)
}
