package genesys

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Where the API and the login are, for what people write as a base URL. They copy it from an
// address bar, a document or a ticket, so any host of a region will do, and its short names. Three
// things are refused, because the client secret goes to the login URL: a host that is no region's
// without a login URL of its own, plain http to another machine, and sites that only look like
// Genesys Cloud.

// ResolveURLs returns where a client with these two URLs in its Config sends its
// requests and its secret: the origins of the API and of the login service, each
// with the path of its gateway if it has one. The error says what is wrong with
// them, and what would be right; NewClient fails with the same.
func ResolveURLs(baseURL, loginURL string) (api, login string, err error) {
	a, l, err := resolveURLs(baseURL, loginURL)
	if err != nil {
		return "", "", err
	}
	return a.String(), l.String(), nil
}

// resolveURLs returns the origin of the API and that of the login service,
// each with a path if it is not at the root, without a slash at the end.
func resolveURLs(baseURL, loginURL string) (api, login *url.URL, err error) {
	api, login, err = resolveAPI(baseURL)
	if err != nil {
		return nil, nil, fmt.Errorf("genesys: base URL %w", err)
	}
	if strings.TrimSpace(loginURL) != "" {
		if login, err = resolveLogin(loginURL); err != nil {
			return nil, nil, fmt.Errorf("genesys: login URL %w", err)
		}
	}
	if login == nil {
		return nil, nil, fmt.Errorf("genesys: base URL %q: %s is no Genesys Cloud domain%s; for a gateway, give its login URL as well", baseURL, api.Host, didYouMean(api.Hostname()))
	}
	return api, login, nil
}

// resolveAPI also returns the login origin when the base URL tells it.
func resolveAPI(text string) (api, login *url.URL, err error) {
	name := strings.ToLower(strings.TrimSpace(text))
	if name == "" {
		return nil, nil, errors.New("is required: a region such as us-east-1, or a host such as api.mypurecloud.com")
	}
	if r, ok := regionNamed(name); ok {
		return r.origin("api"), r.origin("login"), nil
	}
	u, err := parseOrigin(text)
	if err != nil {
		return nil, nil, err
	}
	host := u.Hostname()
	if r, ok := regionOf(host); ok {
		if p := u.Port(); p != "" && p != "443" && p != "80" {
			return nil, nil, fmt.Errorf("%q: Genesys Cloud listens on no port %s; leave the port out", text, p)
		}
		return r.origin("api"), r.origin("login"), nil
	}
	if hint, ok := foreign(host); ok {
		return nil, nil, fmt.Errorf("%q: %s", text, hint)
	}
	if err := checkScheme(u, text); err != nil {
		return nil, nil, err
	}
	u.Path = trimAPIPath(u.Path)
	if isLoopback(host) {
		return u, u, nil
	}
	return u, nil, nil
}

// resolveLogin reads a login URL, with or without the path of the token call.
func resolveLogin(text string) (*url.URL, error) {
	u, err := parseOrigin(text)
	if err != nil {
		return nil, err
	}
	if r, ok := regionOf(u.Hostname()); ok {
		return r.origin("login"), nil
	}
	if err := checkScheme(u, text); err != nil {
		return nil, err
	}
	u.Path = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/oauth/token"), "/")
	return u, nil
}

// parseOrigin reads a URL or the part of one that a person gave: with or
// without a scheme, query and fragment are dropped, the host is lower case
// and has no dot at its end.
func parseOrigin(text string) (*url.URL, error) {
	s := strings.TrimSpace(text)
	if strings.HasPrefix(s, "//") {
		s = "https:" + s
	} else if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL; write it like https://api.mypurecloud.com")
	case u.User != nil:
		return nil, errors.New("holds a user or password; leave them out")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("has the scheme %q; only https is spoken", u.Scheme)
	}
	host := strings.ToLower(strings.TrimRight(u.Hostname(), "."))
	if !validHost(host) {
		return nil, errors.New("names no host; write it like https://api.mypurecloud.com")
	}
	scheme := u.Scheme
	if isLoopback(host) && !strings.Contains(text, "://") {
		scheme = "http"
	}
	origin := &url.URL{Scheme: scheme, Host: host, Path: strings.TrimRight(u.Path, "/")}
	if strings.Contains(host, ":") {
		origin.Host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		origin.Host = net.JoinHostPort(host, port)
	}
	return origin, nil
}

// validHost reports whether a host, in lower case, can be one: an address, or a name.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host != "" && !strings.Contains(host, "..") && !strings.HasPrefix(host, ".") &&
		strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// checkScheme refuses http to another machine. text is the URL as it was given.
func checkScheme(u *url.URL, text string) error {
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return fmt.Errorf("%q is http, which would send the client secret in the clear; only https is spoken, but with this machine itself", text)
	}
	return nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// trimAPIPath keeps what stands before the path of the API itself.
func trimAPIPath(path string) string {
	if path == "/api" {
		return ""
	}
	before, _, _ := strings.Cut(path+"/", "/api/v2/")
	return strings.TrimRight(before, "/")
}

// origin returns where a service of the region is: "api" or "login".
func (r region) origin(service string) *url.URL {
	return &url.URL{Scheme: "https", Host: service + "." + r.domain}
}

// regionNamed finds a region by its name or code.
func regionNamed(name string) (region, bool) {
	name = strings.ReplaceAll(name, "_", "-")
	i := slices.IndexFunc(regions, func(r region) bool { return r.name == name || r.code == name })
	if i < 0 {
		return region{}, false
	}
	return regions[i], true
}

// services are the hosts that people copy out of an address bar.
var services = []string{"api", "apps", "login", "app", "streaming", "www", "developer"}

// regionOf finds the region that a host belongs to.
func regionOf(host string) (region, bool) {
	if label, rest, _ := strings.Cut(host, "."); slices.Contains(services, label) {
		host = rest
	}
	i := slices.IndexFunc(regions, func(r region) bool { return r.domain == host })
	if i < 0 {
		return region{}, false
	}
	return regions[i], true
}

// foreign says of a host of Genesys that serves no API what it is. Without it such a host would be
// taken for a gateway whose login URL is missing.
func foreign(host string) (hint string, ok bool) {
	for _, domain := range []string{"genesys.cloud", "genesys.com", "genesyscloud.com"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return host + " is a site about Genesys Cloud, not a region of it; copy the host that the browser shows when you work in Genesys Cloud, such as apps.mypurecloud.com", true
		}
	}
	return "", false
}

// didYouMean names the region whose domain the host ends with.
func didYouMean(host string) string {
	for _, r := range regions {
		if strings.HasSuffix(host, "."+r.domain) {
			return fmt.Sprintf(" (did you mean api.%s?)", r.domain)
		}
	}
	return ""
}
