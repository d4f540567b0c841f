package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/internal/printable"
	"github.com/cxsync/cxsync/storage"
)

// Whether the org is still the same org. A record holds the history of one org. If another one
// answers behind its base URL later, it must not be taken for a changed one: every object would be
// deleted and others created. So the ID of the organization is stored at the first login, and
// compared for every new token before that token is used for anything else.

// An OtherOrgError reports that the org behind a record is not the one that its history is about.
// Nothing was read.
type OtherOrgError struct {
	Known genesys.Named // the org of the history
	Found genesys.Named // the one that answers
}

func (e *OtherOrgError) Error() string {
	return printable.Text(fmt.Sprintf(
		"environment: the record is about the org %q (%s), and %q (%s) answers: correct its base URL or client, make a record of its own for the other org, or accept it (AcceptOrg)",
		e.Known.Name, e.Known.ID, e.Found.Name, e.Found.ID))
}

// AcceptOrg says that the org with that ID is the environment's from now on, because a person
// knows that it takes the place of the former one; the ID is OtherOrgError.Found. What differs is
// then recorded as any other change. For a production environment confirm must be its name;
// otherwise the error is ErrUnconfirmed.
func (e *Engine) AcceptOrg(ctx context.Context, id int64, organizationID, confirm string) error {
	s, err := e.session(ctx, id)
	if err == nil {
		err = e.authorize(ctx, OpAccept, s.record, s.record)
	}
	if err == nil {
		err = s.record.confirmed(confirm, "would record what differs between two orgs as changes of one")
	}
	if err == nil && organizationID == "" {
		err = errors.New("environment: which org is accepted? its ID is in the OtherOrgError")
	}
	if err == nil && (len(organizationID) > 200 || !isPrintable(organizationID)) {
		err = fmt.Errorf("environment: %q is no ID of an org", printable.Brief(organizationID, 100))
	}
	if err != nil {
		return err
	}
	return s.putOrg(ctx, genesys.Named{ID: organizationID}, false)
}

func (s *session) orgKey() string { return ownKey(s.record.ID, "org") }

// putOrg remembers which org it is. With first it leaves what was remembered meanwhile.
func (s *session) putOrg(ctx context.Context, org genesys.Named, first bool) error {
	var b storage.Batch
	b.Require(aliveKey(s.record.ID), alive)
	if first {
		b.RequireAbsent(s.orgKey())
	}
	if err := b.PutJSON(s.orgKey(), org); err != nil {
		return err
	}
	return s.engine.store.Commit(ctx, &b)
}

// checkOrg remembers the org at the first login, and refuses another one later.
func (s *session) checkOrg(ctx context.Context, found genesys.Named) error {
	for {
		known, err := storage.GetJSON[genesys.Named](ctx, s.engine.store, s.orgKey())
		switch {
		case errors.Is(err, storage.ErrNotFound):
			err = s.putOrg(ctx, found, true)
			if conflict, ok := errors.AsType[*storage.KeyError](err); ok && conflict.Key == s.orgKey() && errors.Is(err, storage.ErrConflict) {
				continue // another process was first
			}
			return err
		case err != nil:
			return err
		case known.ID != found.ID:
			return &OtherOrgError{Known: known, Found: found}
		}
		return nil
	}
}

// knownOrg is a RoundTripper that passes a request on once it knows that the request's token
// belongs to the record's org. With a new token it asks first, until the API itself has answered; these
// requests count in the quota as all do.
type knownOrg struct {
	session *session
	base    http.RoundTripper

	mu    sync.Mutex
	token string // the Authorization header that was found right last
}

// accessPath says of a token which organization and OAuth client it belongs to. It needs no
// permission.
const accessPath = "/api/v2/tokens/me"

// RoundTrip implements http.RoundTripper.
func (k *knownOrg) RoundTrip(r *http.Request) (*http.Response, error) {
	token := r.Header.Get("Authorization")
	if k.isKnown(token) {
		return k.base.RoundTrip(r)
	}
	ask := r.Clone(r.Context())
	prefix, _, _ := strings.Cut(r.URL.Path, "/api/v2/")
	ask.Method, ask.Body, ask.ContentLength, ask.GetBody = http.MethodGet, nil, 0, nil
	ask.URL.Path, ask.URL.RawPath, ask.URL.RawQuery = prefix+accessPath, "", "preserveIdleTTL=true"
	ask.Header.Del("Content-Type")
	resp, err := k.base.RoundTrip(ask)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	again := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	if !again && !json.Valid(body) && (resp.StatusCode == http.StatusOK || resp.Header.Get("Inin-Correlation-Id") == "") {
		// A gateway answered in the org's place, as with a page to sign in: that tells nothing of the token.
		again, resp.Status, resp.StatusCode = true, "", http.StatusBadGateway
	}
	if again {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil // as if it were the answer to r, which is tried again
	}
	var access genesys.Access
	if resp.StatusCode == http.StatusOK {
		_ = json.Unmarshal(body, &access) // an answer without an organization cannot be compared, and passes
	}
	if access.Organization.ID != "" {
		if err := k.session.checkOrg(r.Context(), access.Organization); err != nil {
			return nil, err
		}
	}
	k.mu.Lock()
	k.token = token
	k.mu.Unlock()
	return k.base.RoundTrip(r)
}

func (k *knownOrg) isKnown(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return token == k.token
}
