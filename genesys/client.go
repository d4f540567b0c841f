package genesys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/cxsync/cxsync/internal/printable"
)

// Config says which org to read, and as whom.
type Config struct {
	// BaseURL names the region in any form that people write: us-east-1,
	// usw2, mypurecloud.ie, https://apps.usw2.pure.cloud/directory/. For a
	// gateway or a local org it is the URL in front of /api/v2.
	BaseURL string

	// LoginURL is needed for a gateway only. Defaults to the region's own, and
	// for a host on this machine to BaseURL.
	LoginURL string

	// ClientID and ClientSecret are those of an OAuth client with the grant type Client Credentials.
	ClientID, ClientSecret string
}

// String shows the configuration without its secret.
func (c Config) String() string {
	return printable.Text(fmt.Sprintf("client %s at %s", c.ClientID, c.BaseURL))
}

// GoString shows the configuration without its secret.
func (c Config) GoString() string { return "genesys.Config{" + c.String() + "}" }

// MarshalJSON shows the configuration without its secret.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct{ BaseURL, LoginURL, ClientID string }{c.BaseURL, c.LoginURL, c.ClientID})
}

// LogValue shows the configuration without its secret.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Options configures a Client. The zero value and nil are fine.
type Options struct {
	// Transport is the network. Defaults to a copy of http.DefaultTransport
	// that keeps more idle connections.
	Transport http.RoundTripper

	// Pace wraps Transport for the requests to the API, not for those to the
	// login service. Every try goes through it.
	Pace func(http.RoundTripper) http.RoundTripper

	// Login wraps Transport for the requests to the login service.
	Login func(http.RoundTripper) http.RoundTripper

	// Catalogue holds the types that the client knows. Defaults to DefaultCatalogue().
	Catalogue *Catalogue

	// UserAgent defaults to "cxsync".
	UserAgent string

	// MaxRetries is how often a failed request is sent again; -1 means never.
	// Defaults to 6, which spans about a minute.
	MaxRetries int

	// RetryWaitMin is the wait before the first retry, doubled for each next
	// one up to RetryWaitMax, with jitter. Defaults to 1 second and 30 seconds.
	RetryWaitMin, RetryWaitMax time.Duration

	// RetryAfterMax is the longest wait that a Retry-After may ask for; an
	// answer that asks for more is returned as the *APIError it is. Defaults to
	// 3 minutes.
	RetryAfterMax time.Duration

	// Timeout bounds one try from the moment that Pace lets it go to the last
	// byte of the answer. Defaults to 2 minutes.
	Timeout time.Duration

	// MaxBody is the largest answer in bytes that is read; a list asks for
	// smaller pages then. Defaults to 64 MiB.
	MaxBody int64

	// Logger gets one debug record per try: never a header, query or body.
	// Defaults to silence.
	Logger *slog.Logger
}

// check refuses what can be no bound.
func (o Options) check() error {
	if o.MaxRetries < -1 {
		return fmt.Errorf("genesys: MaxRetries is %d; want a number of retries, or -1 for none", o.MaxRetries)
	}
	if o.MaxBody < 0 {
		return fmt.Errorf("genesys: MaxBody is %d; want a number of bytes, or 0 for 64 MiB", o.MaxBody)
	}
	for _, wait := range []struct {
		field string
		time.Duration
	}{{"RetryWaitMin", o.RetryWaitMin}, {"RetryWaitMax", o.RetryWaitMax}, {"RetryAfterMax", o.RetryAfterMax}, {"Timeout", o.Timeout}} {
		if wait.Duration < 0 {
			return fmt.Errorf("genesys: %s is %v, which is negative; 0 is its default", wait.field, wait.Duration)
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Catalogue == nil {
		o.Catalogue = DefaultCatalogue()
	}
	if o.Transport == nil {
		o.Transport = defaultTransport()
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 6
	}
	o.UserAgent = cmp.Or(o.UserAgent, "cxsync")
	o.RetryWaitMin = cmp.Or(o.RetryWaitMin, time.Second)
	o.RetryWaitMax = max(cmp.Or(o.RetryWaitMax, 30*time.Second), o.RetryWaitMin)
	o.RetryAfterMax = cmp.Or(o.RetryAfterMax, 3*time.Minute)
	o.Timeout = cmp.Or(o.Timeout, 2*time.Minute)
	o.MaxBody = cmp.Or(o.MaxBody, 64<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 16
	return t
}

// A Client reads the configuration of one org. It is safe for concurrent use
// and changes nothing in the org.
type Client struct {
	api, login *url.URL
	opts       Options
	tokens     *tokens
	http       *retryablehttp.Client // the stack of newHTTP
	redact     func(string) string   // takes the client secret and tokens out of a text
	stats      counters
	clock      *clock

	// What the service has taught about a type, by its name. Both only spare tries that failed
	// before; a process that starts anew learns them again.
	sizes    sync.Map // the page size that the service took, where it refused the type's own
	stubborn sync.Map // true while its requests fail whatever is tried

	auditNeedsService atomic.Int32 // see AuditNeedsService; 0 while it is not known
}

// NewClient returns a Client. It makes no request: a wrong secret shows with the first call. The
// error says which field of the Config or the Options is wrong, and how. One Client for each OAuth client is
// enough: it keeps one token, which all goroutines share.
func NewClient(cfg Config, opts *Options) (*Client, error) {
	api, login, err := resolveURLs(cfg.BaseURL, cfg.LoginURL)
	if err != nil {
		return nil, err
	}
	cfg.ClientID, cfg.ClientSecret = strings.TrimSpace(cfg.ClientID), strings.TrimSpace(cfg.ClientSecret)
	switch {
	case cfg.ClientID == "":
		return nil, errors.New("genesys: a client ID is required: that of an OAuth client with the grant type Client Credentials")
	case cfg.ClientSecret == "":
		return nil, errors.New("genesys: a client secret is required")
	}
	c := &Client{api: api, login: login}
	if opts != nil {
		c.opts = *opts
	}
	if err := c.opts.check(); err != nil {
		return nil, err
	}
	c.opts = c.opts.withDefaults()
	c.clock = c.newClock()
	redactSecret := redactor(cfg.ClientID, cfg.ClientSecret)
	c.tokens = newTokens(cfg, c, redactSecret)
	c.redact = func(s string) string { return redactSecret(c.tokens.redact(s)) }
	c.http = c.newHTTP()
	return c, nil
}

// BaseURL returns where the API is: "https://api.mypurecloud.com".
func (c *Client) BaseURL() string { return c.api.String() }

// LoginURL returns where tokens come from: "https://login.mypurecloud.com".
func (c *Client) LoginURL() string { return c.login.String() }

// Catalogue returns the types that the client knows.
func (c *Client) Catalogue() *Catalogue { return c.opts.Catalogue }

// Stats counts what a Client did so far.
type Stats struct {
	Requests  int64 `json:"requests"`  // tries of API requests that were sent
	Tokens    int64 `json:"tokens"`    // tokens asked for
	Throttled int64 `json:"throttled"` // answers 429
	Retries   int64 `json:"retries"`   // tries that repeat a failed one
	Bytes     int64 `json:"bytes"`     // of answers' bodies, after decompression

	// ClockLeaps counts answers whose Date contradicted those before; see Now.
	ClockLeaps int64 `json:"clock_leaps"`
}

type counters struct {
	requests, tokens, throttled, retries, bytes atomic.Int64
}

// Stats returns the counts.
func (c *Client) Stats() Stats {
	return Stats{
		Requests: c.stats.requests.Load(), Tokens: c.stats.tokens.Load(), Throttled: c.stats.throttled.Load(),
		Retries: c.stats.retries.Load(), Bytes: c.stats.bytes.Load(), ClockLeaps: c.clock.leapsSoFar(),
	}
}

// GetJSON reads a path of the API, such as "/api/v2/organizations/me", with
// its query, into v as encoding/json does; a *json.RawMessage gets the body.
// What the catalogue lists is better read with List and Get. Secrets are
// dropped from the body first.
func (c *Client) GetJSON(ctx context.Context, path string, v any) error {
	return c.readJSON(ctx, http.MethodGet, path, nil, v)
}

// QueryJSON sends a POST query: a call that only reads, although it is a POST, and that may
// therefore be sent again when it fails. query is marshalled as the body; the answer is read into v
// as GetJSON does.
func (c *Client) QueryJSON(ctx context.Context, path string, query, v any) error {
	return c.readJSON(ctx, http.MethodPost, path, query, v)
}
