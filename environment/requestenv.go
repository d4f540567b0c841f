package environment

import (
	"context"
	"net/http"
)

// environmentKey is where the context of a request has its environment.
type environmentKey struct{}

type environmentName struct {
	id   int64
	name string
}

// EnvironmentOf returns the ID and the name of the environment that a request is for, by the
// request's context: for an Options.Transport that counts or traces requests.
func EnvironmentOf(ctx context.Context) (id int64, name string, ok bool) {
	e, ok := ctx.Value(environmentKey{}).(environmentName)
	return e.id, e.name, ok
}

// named marks requests with their environment.
type named struct {
	environment environmentName
	base        http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	return n.base.RoundTrip(r.WithContext(context.WithValue(r.Context(), environmentKey{}, n.environment)))
}
