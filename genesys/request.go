package genesys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
)

// A call is one request with all its tries; it travels in their context.
type call struct {
	body    []byte
	attempt int  // number of the present try, from 1
	once    bool // a failure of this request alone is not tried again: see sendFor
	text    bool // the answer may be text: it need not be JSON
}

type callKey struct{}

// send makes a request, with retries, and returns the body of a success. Any
// other answer is an *APIError, whose meaning depends on what the request asks
// for, or an *AuthError.
func (c *Client) send(ctx context.Context, asks question, method, path string, body []byte) ([]byte, error) {
	return c.sendCall(ctx, asks, method, path, &call{body: body})
}

// sendFor is send for one of the many requests of a type. A request that fails by itself, with a 500
// or an answer that is not JSON, is tried again; but not while the type is stubborn, because the
// request before was tried again in vain: a type that has thousands of such requests would otherwise
// spend all tries on each of them.
func (c *Client) sendFor(ctx context.Context, t ObjectType, asks question, method, path string, body []byte) ([]byte, error) {
	data, err := c.sendCall(ctx, asks, method, path, &call{body: body, once: c.isStubborn(t)})
	_, broken := errors.AsType[*brokenError](err)
	if refusal, ok := errors.AsType[*APIError](err); broken || ok && refusal.Status == http.StatusInternalServerError {
		c.stubborn.Store(t.Name, true)
	} else if err == nil {
		c.stubborn.Delete(t.Name)
	}
	return data, err
}

func (c *Client) isStubborn(t ObjectType) bool {
	_, stubborn := c.stubborn.Load(t.Name)
	return stubborn
}

// errNoType reports a call for a type that was not looked up with success.
var errNoType = errors.New("genesys: the type has no Path: Catalogue.Lookup returns the zero ObjectType, and false, for a name that is none")

// sendCall makes the request, and translates the last answer or error. What of an error holds a URL
// or the body of the answer has lost queries, secrets and tokens.
func (c *Client) sendCall(ctx context.Context, asks question, method, path string, sent *call) ([]byte, error) {
	body := sent.body
	if path == "" {
		return nil, errNoType
	}
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("genesys: path %q does not begin with /", path)
	}
	ctx = context.WithValue(ctx, callKey{}, sent)
	var raw any
	if body != nil {
		raw = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, c.api.String()+path, raw)
	if err != nil {
		return nil, fmt.Errorf("genesys: path %q: %w", cutQuery(path), withoutURL(err))
	}
	req.Header.Set("Accept", "application/json, text/plain;q=0.5") // Parts are text
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if refusal, ok := errors.AsType[*AuthError](err); ok {
			return nil, refusal
		}
		return nil, fmt.Errorf("genesys: %s %s: %w", method, cutQuery(path), withoutURL(err))
	}
	defer resp.Body.Close()
	data := bodyOf(resp)
	if resp.StatusCode/100 == 2 {
		return data, nil
	}
	if !c.isAPI(resp.Request.URL) {
		return nil, fmt.Errorf("genesys: %s %s: its download is refused with status %d", method, cutQuery(path), resp.StatusCode)
	}
	apiErr := newAPIError(resp, data, asks, c.redact)
	if resp.StatusCode == http.StatusUnauthorized {
		return nil, refused(apiErr)
	}
	return nil, apiErr
}

func cutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// withoutURL takes off the layers that repeat the URL, query and all.
func withoutURL(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapped.Err
	}
}

// readJSON is GetJSON or QueryJSON.
func (c *Client) readJSON(ctx context.Context, method, path string, query, v any) error {
	var body []byte
	if method == http.MethodPost {
		var err error
		if body, err = json.Marshal(query); err != nil {
			return fmt.Errorf("genesys: POST %s: %w", cutQuery(path), err)
		}
	}
	data, err := c.send(ctx, asksObject, method, path, body)
	if err != nil {
		return err
	}
	data, _, err = clean(bytes.TrimSpace(data), nil)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return fmt.Errorf("genesys: %s %s: %w", method, cutQuery(path), err)
	}
	return nil
}
