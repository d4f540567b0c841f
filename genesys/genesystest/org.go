package genesystest

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cxsync/cxsync/genesys"
)

// The credentials that an org accepts unless its options say otherwise.
const (
	ClientID     = "5c3e1ad2-7c4b-4f0e-9a55-0d1f6b2c7e11"
	ClientSecret = "local-org-secret"
)

const (
	defaultSize   = 25
	defaultDomain = "mypurecloud.com"
)

// Options configure an org. The zero value is a small org that behaves well.
type Options struct {
	Seed uint64 // what the org is made of: equal seeds make equal orgs

	// Size is the number of users; the other types grow with it. Defaults to 25.
	// Objects are made when they are looked at, so a large org costs no memory.
	Size int
	// Counts sets the number of objects of single types, by name; below a parent
	// it is the number of each parent's children, of a singleton 0 or 1.
	Counts    map[string]int
	Catalogue *genesys.Catalogue // types that the org answers for. Defaults to genesys.DefaultCatalogue().
	Name      string             // the organization's. Defaults to "Contoso Care".
	Domain    string             // of the region that Transport answers for. Defaults to "mypurecloud.com".

	ClientID     string        // Defaults to the constant ClientID.
	ClientSecret string        // Defaults to the constant ClientSecret.
	TokenTTL     time.Duration // Defaults to 24 hours.
	MaxTokens    int           // valid at a time; one more evicts the oldest. Defaults to 60.
	MintLimit    int           // tokens a minute, -1 for any number. Defaults to 60.

	RateLimit int            // requests a token may make in a window of a minute, -1 for any number. Defaults to 300.
	SubLimits map[string]int // lower limits a minute of single resources: "PUT /api/v2/architect/ivrs/*": 100

	Permissions []string // of the client: "routing:queue:view", "routing:*:*". Defaults to all.
	Divisions   []string // of the client, by name or id; objects of others are hidden. Defaults to all.
	HiddenGet   int      // status of a GET by id of a hidden object: 403 or 404. Defaults to 404.

	// ShuffleSets gives the arrays whose order has no meaning, the Sets of their
	// type, another order in each answer.
	ShuffleSets bool
	// MoveStates moves in each answer what moves by itself: running campaigns, edges that
	// come and go, progress and results of checks, and states that settle.
	MoveStates bool
	// HomeDivisionOnly makes lists of extensions and extension pools that name no division
	// answer for the home division only, as the service does.
	HomeDivisionOnly bool

	// HostileTexts puts HostileText behind the names and texts in answers, those of errors too, which
	// grow long as well.
	HostileTexts bool

	Clock func() time.Time // of the org, for the Date of answers and all times in it. Defaults to time.Now.

	Latency          time.Duration // before each answer
	ConsistencyDelay time.Duration // until an edit is seen by requests

	// AuditDelay is until an edit's audit records are seen by queries: half of them come
	// within it, some take up to twelve times as long and come after later ones. A prepared
	// query takes it, too. Defaults to 10 seconds; -1 means none, and that records have the
	// very time of the edit.
	AuditDelay time.Duration

	// AuditNoise is how many audit records an hour tell of no edit: most have the level
	// SYSTEM and say that the version of a user moved. Defaults to 12; -1 means none.
	AuditNoise int

	// RealtimeNeedsService makes the org refuse a realtime audit query without a service.
	RealtimeNeedsService bool

	// DownloadAbove is how many records an audit query's results may have before
	// a request with allowRedirect=true is led to gzip files of so many records
	// on the host downloads.<Domain>, by redirects that are good for a minute.
	// 0 means never. With DownloadLinks the answer is 200 and has the URL in its body.
	DownloadAbove int
	DownloadLinks bool

	LogSize int          // requests that Requests keeps, the latest ones. Defaults to 100,000.
	Logger  *slog.Logger // gets a debug line for each request. Silent by default.
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Catalogue == nil {
		opts.Catalogue = genesys.DefaultCatalogue()
	}
	opts.Size = cmp.Or(opts.Size, defaultSize)
	opts.Name = cmp.Or(opts.Name, "Contoso Care")
	opts.Domain = cmp.Or(opts.Domain, defaultDomain)
	opts.ClientID = cmp.Or(opts.ClientID, ClientID)
	opts.ClientSecret = cmp.Or(opts.ClientSecret, ClientSecret)
	opts.TokenTTL = cmp.Or(opts.TokenTTL, 24*time.Hour)
	opts.MaxTokens = cmp.Or(opts.MaxTokens, 60)
	opts.MintLimit = cmp.Or(opts.MintLimit, 60)
	opts.RateLimit = cmp.Or(opts.RateLimit, 300)
	opts.HiddenGet = cmp.Or(opts.HiddenGet, 404)
	opts.AuditDelay = max(0, cmp.Or(opts.AuditDelay, 10*time.Second))
	opts.AuditNoise = max(0, cmp.Or(opts.AuditNoise, 12))
	opts.LogSize = cmp.Or(opts.LogSize, 100_000)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

// An Org is a local Genesys Cloud organization. It is an http.Handler for the
// login host and the API host at once; see Transport and Listen for ways to
// reach it. Its methods may be called at any time, also while it answers.
type Org struct {
	opts   Options
	types  []genesys.ObjectType
	shapes map[string]*shape
	routes *trie

	permissions []string // that the catalogue names
	domains     []string // of the permissions

	mu        sync.Mutex
	tables    map[string]*table
	revision  int
	views     map[viewKey]view
	divisions map[string]bool // nil for all
	perms     []string        // nil for all
	lastEdit  time.Time
	access    access
	faults    []*script
	chaos     *chaos
	log       requestLog
	manners   map[string]manners // by type
	audit     auditLog
	parts     map[string][]byte // that were edited, by type, id and member
}

// New makes an org. It panics on options that make no sense, such as a division
// that does not exist.
func New(opts *Options) *Org {
	o := &Org{
		opts: opts.withDefaults(), shapes: map[string]*shape{}, routes: &trie{literals: map[string]*trie{}},
		tables: map[string]*table{}, views: map[viewKey]view{},
	}
	forms, err := loadForms()
	if err != nil {
		panic(err) // the data files are read by tests
	}
	o.types = slices.Collect(o.opts.Catalogue.All())
	for _, t := range o.types {
		f := forms[t.Name]
		if known, ok := genesys.DefaultCatalogue().Lookup(t.Name); f == nil || !ok || !reflect.DeepEqual(known, t) {
			if f, err = newForm(t, recipe{}); err != nil {
				panic(err) // a plain body always compiles
			}
		}
		s := newShape(t, f, o.opts.Size)
		if n, ok := o.opts.Counts[t.Name]; ok {
			s.count, s.least = n, n
		}
		o.shapes[t.Name] = s
	}
	if _, ok := o.opts.Counts["users"]; !ok && o.shapes["users"] != nil {
		o.shapes["users"].count = o.opts.Size
	}
	for _, t := range o.types {
		if s := o.shapes[t.Name]; t.Parent != "" {
			s.parent = o.shapes[t.Parent]
		}
	}
	for _, t := range o.types {
		o.addRoutes(o.shapes[t.Name])
	}
	o.collectPermissions()
	o.access.init()
	o.log.limit = o.opts.LogSize
	o.perms = o.opts.Permissions
	o.divisions = o.divisionSet(o.opts.Divisions)
	return o
}

// ID is the organization's.
func (o *Org) ID() string { return makeUUID(o.opts.Seed^0x6f7267, 0, 0) }

// Types returns the object types that the org answers for.
func (o *Org) Types() []genesys.ObjectType { return append([]genesys.ObjectType(nil), o.types...) }

// BaseURL is the API's address that Transport answers for: https://api.mypurecloud.com.
func (o *Org) BaseURL() string { return "https://api." + o.opts.Domain }

// Config returns what a client needs to reach the org through Transport.
func (o *Org) Config() genesys.Config {
	return genesys.Config{BaseURL: o.BaseURL(), ClientID: o.opts.ClientID, ClientSecret: o.opts.ClientSecret}
}

// SetPermissions changes what the client may do; none means everything.
func (o *Org) SetPermissions(permissions ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.perms = permissions
}

// SetDivisions changes the divisions, by name or id, whose objects the client
// sees; none means all. Lists get shorter and their totals smaller, as in the
// service. It panics on a division that does not exist.
func (o *Org) SetDivisions(divisions ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.divisions = o.divisionSet(divisions)
	o.changed()
}

func (o *Org) divisionSet(divisions []string) map[string]bool {
	if len(divisions) == 0 {
		return nil
	}
	set := map[string]bool{}
	s := o.shapes["authorization.divisions"]
	for _, d := range divisions {
		known := false
		for pos := range o.positions(s, "") {
			body, _ := o.bodyAt(s, "", pos, allExpanded, false)
			if id := lookupText(body, "id"); d == id || strings.EqualFold(d, lookupText(body, "name")) {
				set[id], known = true, true
			}
		}
		if !known {
			panic(fmt.Sprintf("genesystest: no division %q", d))
		}
	}
	return set
}

// changed forgets what depends on edits.
func (o *Org) changed() {
	o.revision++
	clear(o.views)
}

func errorf(format string, args ...any) error { return fmt.Errorf("genesystest: "+format, args...) }
