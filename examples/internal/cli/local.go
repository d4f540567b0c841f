package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Listen takes loopback addresses only: the programs that listen ask nobody who they are.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not a loopback address; anyone could read the history there", address), listener.Close())
	}
	return listener, nil
}

// Local refuses requests for a name that is not this machine's own: a page that has its name point
// here could read the history in a browser on this machine.
func Local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !strings.EqualFold(host, "localhost") && !net.ParseIP(host).IsLoopback() {
			http.Error(w, fmt.Sprintf("the service is for this machine, not for %q", host), http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
