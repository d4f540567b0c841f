package environment

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cxsync/cxsync/genesys"
)

// online returns the session with a client, for which it opens the secret (vault.go). It sends
// nothing. It asks first whether op is allowed; what Run does by itself passes "".
func (e *Engine) online(ctx context.Context, id int64, op Operation) (*session, error) {
	s, err := e.session(ctx, id)
	if err == nil && op != "" {
		err = e.authorize(ctx, op, s.record, s.record)
	}
	if err != nil {
		return nil, err
	}
	if err := s.connecting.do(ctx, func() error { return s.connect(ctx) }); err != nil {
		return nil, fmt.Errorf("environment: %q: %w", s.record.Name, err)
	}
	return s, nil
}

// Role returns the role that the environment's OAuth client needs: the permissions to read the
// selected types, and audits if the record says so, and no others. Its JSON is what the service
// takes at POST /api/v2/authorization/roles. It makes no request.
func (e *Engine) Role(ctx context.Context, id int64) (genesys.Role, error) {
	r, err := e.Get(ctx, id)
	if err != nil {
		return genesys.Role{}, err
	}
	role := genesys.RoleFor("cxsync "+r.Name, e.needed(r))
	role.Description = "Reads the configuration that cxsync keeps the history of"
	return role, nil
}

// Client returns the client of an environment, to ask its org something more with
// the record's secret and within its quota. Its requests have background priority
// unless ratelimit.WithPriority says otherwise. It keeps the credentials that it was
// made with: after an update of the record, ask for it again.
func (e *Engine) Client(ctx context.Context, id int64) (*genesys.Client, error) {
	s, err := e.online(ctx, id, OpClient)
	if err != nil {
		return nil, err
	}
	return s.client, nil
}

// connect makes the client, once for a session. Each request passes through these, the first one
// first; below them all is Options.Transport:
//
//	knownOrg   is the token one of this record's org? (org.go)
//	punctual   ends a pass for whose deadline the quota has no slot (transport.go)
//	limiter    waits for a slot of the quota, and learns from the answer
//	counting   counts the requests of a pass: those that got a slot (transport.go)
//	patient    keeps requests from being tried again in an outage (outage.go)
//	watched    tells Options.Requested, and counts for Traffic (traffic.go)
//
// A login is not counted by the service, so it only passes through dated and watched.
func (s *session) connect(ctx context.Context) (err error) {
	if s.client != nil {
		return nil
	}
	e, r := s.engine, s.record
	if r.ClientSecret, err = e.secret(ctx, r); err != nil {
		return err
	}
	s.client, err = genesys.NewClient(r.client(), &genesys.Options{
		Transport: e.opts.Transport,
		Pace: func(base http.RoundTripper) http.RoundTripper {
			paced := s.limiter.Transport(counting{patient{s, watched{s, s.traffic, base}}})
			return &knownOrg{session: s, base: punctual{paced}}
		},
		Login: func(base http.RoundTripper) http.RoundTripper {
			return dated{s.limiter, watched{s, nil, base}}
		},
		Catalogue: e.opts.Catalogue,
		Logger:    e.opts.Logger,
	})
	s.answers.Store(s.client)
	return err
}
