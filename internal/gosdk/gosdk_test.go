// Package gosdk lets the official Go SDK read the local org. The SDK has a type for
// every member of every model, where that for JavaScript takes what comes; so it finds
// values of a wrong type, and dates and numbers of a wrong form.
//
// The idea: cxsync's own client walks the org's types, and each request that it makes is
// made again by the SDK's method for it. What that has decoded is encoded again and held
// against the answer. The SDK drops what has another type than its models without an
// error; then a member is missing or different, and the test names it.
package gosdk

import (
	"bytes"
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

//go:generate go run -mod=mod ./generate

// Below how many parents a type is listed, and how many of its objects are read.
const (
	maxParents = 8
	maxRead    = 24
)

// An exchange is a request of our client and what it was answered.
type exchange struct {
	req    *http.Request
	body   []byte
	answer []byte
	isJSON bool // and good
}

// A recorder is a network that remembers the exchanges.
type recorder struct{ exchanges []exchange }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	e := exchange{req: req.Clone(req.Context())}
	e.req.Header.Del("Accept-Encoding") // so that the transport unpacks the answer
	if req.Body != nil {
		e.body, _ = io.ReadAll(req.Body)
		e.req.Body = io.NopCloser(bytes.NewReader(e.body))
	}
	res, err := http.DefaultTransport.RoundTrip(e.req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if e.answer, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	e.isJSON = res.StatusCode == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
	r.exchanges = append(r.exchanges, e)
	res.Body = io.NopCloser(bytes.NewReader(e.answer))
	return res, nil
}

// TestGoSDK lets the SDK make every request that the catalogue makes for the types of
// the default org.
func TestGoSDK(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	org := genesystest.New(&genesystest.Options{RateLimit: -1, MintLimit: -1, Counts: configured()})
	server, err := org.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	seen := &recorder{}
	client, err := genesys.NewClient(server.Config(), &genesys.Options{Transport: seen})
	require.NoError(t, err)
	r := newReplayer(t, server.URL)

	objects := map[string][]genesys.Object{}
	for _, level := range client.Catalogue().Levels(org.Types()) {
		for _, typ := range level {
			seen.exchanges = nil
			found, err := read(ctx, client, typ, objects[typ.Parent])
			require.NoError(t, err, typ.Name)
			objects[typ.Name] = found
			for _, e := range seen.exchanges {
				r.replay(typ, e)
			}
		}
	}
	r.report(org.Types())
}

// configured has the settings that are not there in every org, such as those of identity
// providers, be there.
func configured() map[string]int {
	counts := map[string]int{}
	for typ := range genesys.DefaultCatalogue().All() {
		if typ.Absent {
			counts[typ.Name] = 1
		}
	}
	return counts
}

// read walks a type below some of its parents and reads some of its objects by ID. It
// returns as many objects as are parents of other types.
func read(ctx context.Context, c *genesys.Client, typ genesys.ObjectType, parents []genesys.Object) ([]genesys.Object, error) {
	walks := []iter.Seq2[genesys.Object, error]{}
	if typ.Parent == "" {
		walks = append(walks, c.List(ctx, typ))
	}
	for _, parent := range parents {
		walks = append(walks, c.Children(ctx, typ, parent))
	}
	var found []genesys.Object
	for _, walk := range walks {
		for o, err := range walk {
			if err != nil && genesys.MeaningOf(err) != genesys.Deleted {
				return nil, err
			}
			if err != nil || len(found) >= maxRead {
				continue
			}
			if typ.Get != "" {
				if _, err := c.Get(ctx, typ, o); err != nil {
					return nil, err
				}
			}
			if o, err = c.Read(ctx, typ, o); err != nil {
				return nil, err
			}
			found = append(found, o)
		}
	}
	return found[:min(maxParents, len(found))], nil
}
