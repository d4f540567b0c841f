package console

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy lets a page load what this handler serves and nothing else, run no script of its own
// text, send forms here only, and be in no frame.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard refuses what comes for another host or from another site, and says with every answer
// what a browser may do with it.
func (c *console) guard(h http.Handler) http.Handler {
	h = http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if !c.isOurs(r.Host) {
			http.Error(w, fmt.Sprintf("This console does not answer for the host %q. Options.Hosts names those that it answers for.", r.Host), http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isOurs reports whether the console answers for a Host header.
func (c *console) isOurs(header string) bool {
	host := (&url.URL{Host: header}).Hostname()
	if len(c.opts.Hosts) == 0 {
		return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
	}
	return slices.ContainsFunc(c.opts.Hosts, func(ours string) bool { return strings.EqualFold(host, strings.Trim(ours, "[]")) })
}

func isIPv6(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.To4() == nil
}
