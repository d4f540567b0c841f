package console

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/cxsync/cxsync/environment"
)

//go:embed templates/*.html style.css live.js icon.svg
var files embed.FS

// Options configures a console.
type Options struct {
	// Base is the path that the console is mounted at, such as "/cxsync". Requests come with it.
	// Defaults to the root.
	Base string

	// Hosts are the names that the console is reached by, without port, such as
	// "cxsync.example.com". Requests for other names are refused. Defaults to the names of this
	// machine: localhost and the loopback addresses.
	Hosts []string

	// Identify returns the context that environment.Options.Authorize is asked with, so that it
	// can tell who asks. An error refuses the request. Defaults to the context of the request.
	Identify func(*http.Request) (context.Context, error)

	// Actions lets people poll a type, pause and resume, and accept removals, as far as Authorize
	// allows. Without Authorize everybody who reaches the console may. Defaults to off.
	Actions bool
}

// console is the handler that New returns.
type console struct {
	engine    *environment.Engine
	opts      Options
	base      string // without a slash at its end
	templates *template.Template
	assets    map[string]asset // by name
}

// An asset is a file that pages refer to.
type asset struct {
	path, kind string
	data       []byte
}

// New returns the console of an engine. nil options are the defaults.
func New(engine *environment.Engine, opts *Options) (http.Handler, error) {
	if engine == nil {
		return nil, errors.New("console: an engine is required")
	}
	c := &console{engine: engine, assets: map[string]asset{}}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Base != "" && c.opts.Base != "/" && (!strings.HasPrefix(c.opts.Base, "/") || path.Clean(c.opts.Base) != strings.TrimSuffix(c.opts.Base, "/") || strings.ContainsAny(c.opts.Base, "{}?#% ")) {
		return nil, fmt.Errorf("console: Base is %q; want a path such as \"/cxsync\"", c.opts.Base)
	}
	c.base = strings.TrimSuffix(c.opts.Base, "/")
	for _, host := range c.opts.Hosts {
		if host == "" || strings.ContainsAny(host, "/: ") && !isIPv6(host) {
			return nil, fmt.Errorf("console: %q in Hosts is no host; want a name without scheme and port, such as \"cxsync.example.com\"", host)
		}
	}
	if c.opts.Identify == nil {
		c.opts.Identify = func(r *http.Request) (context.Context, error) { return r.Context(), nil }
	}
	for name, kind := range map[string]string{
		"style.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		at := c.base + "/assets/" + hex.EncodeToString(sum[:6]) + "-" + name // another one after each change
		c.assets[name] = asset{path: at, kind: kind, data: data}
	}
	var err error
	if c.templates, err = template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return c.assets[name].path },
		"count": count,
		"add":   func(a, b int) int { return a + b },
	}).ParseFS(files, "templates/*.html"); err != nil {
		return nil, err
	}
	return c.guard(c.routes()), nil
}

// routes returns the pages by their addresses.
func (c *console) routes() http.Handler {
	mux := http.NewServeMux()
	for name, a := range c.assets {
		mux.HandleFunc("GET "+a.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(c.assets[name].data)
		})
	}
	for pattern, page := range map[string]page{
		"/{$}":                 c.environments,
		"/e/{id}/{$}":          c.timeline,
		"/e/{id}/change/{seq}": c.change,
		"/e/{id}/object":       c.object,
		"/e/{id}/object/body":  c.body,
		"/e/{id}/types":        c.types,
		"/e/{id}/type/{type}":  c.typePage,
		"/e/{id}/quota":        c.quota,
		"/e/{id}/undetected":   c.undetected,
		"/e/{id}/withheld":     c.withheld,
		"/e/{id}/newest":       c.newest,
	} {
		mux.Handle("GET "+c.base+pattern, c.show(page))
	}
	if c.opts.Actions {
		for pattern, act := range map[string]action{
			"/e/{id}/poll":   c.poll,
			"/e/{id}/pause":  c.pause,
			"/e/{id}/resume": c.resume,
			"/e/{id}/accept": c.accept,
		} {
			mux.Handle("POST "+c.base+pattern, c.do(act))
		}
	}
	if c.base != "" {
		mux.Handle("GET "+c.base, http.RedirectHandler(c.base+"/", http.StatusSeeOther))
	}
	mux.Handle("/", c.show(func(*request) error { return errNoPage }))
	return mux
}
