package genesys_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

// TestEveryFaultHasItsAnswer fails for a way to misbehave that the local org
// offers and no table of this package says the client's answer to.
func TestEveryFaultHasItsAnswer(t *testing.T) {
	used := map[string]bool{}
	visit(t, "*_test.go", func(n ast.Node) {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "genesystest" {
				used[n.Sel.Name] = true
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				used["Options."+key.Name] = true
			}
		}
	})
	faults := 0
	visit(t, "genesystest/*.go", func(n ast.Node) {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil {
			return
		}
		if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Fault" {
			faults++
			require.True(t, used[f.Name.Name], "no test shows the client's answer to genesystest.%s", f.Name.Name)
		}
	})
	require.GreaterOrEqual(t, faults, 25, "the constructors of faults are not where this test looks")

	content := strings.Fields("Seed Size Counts Types Name Domain ClientID ClientSecret LogSize Logger Divisions ShuffleSets MoveStates HomeDivisionOnly HostileTexts")
	options := reflect.TypeFor[genesystest.Options]()
	for field := range options.Fields() {
		if !slices.Contains(content, field.Name) {
			require.True(t, used["Options."+field.Name], "no test shows the client's answer to genesystest.Options.%s", field.Name)
		}
	}
}

func visit(t *testing.T, pattern string, f func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for n := range ast.Preorder(file) {
			f(n)
		}
	}
}

// TestAnswersToWrongClocks: a client takes the time from the Date of the answers,
// whichever clock is wrong; one that agrees with its own suffices, else it takes three.
func TestAnswersToWrongClocks(t *testing.T) {
	t.Parallel()
	for ahead, answers := range map[time.Duration]int{0: 1, 20 * time.Second: 1, -time.Hour: 3, 24 * time.Hour: 3, -3650 * 24 * time.Hour: 3} {
		synctest.Test(t, func(t *testing.T) {
			clock := func() time.Time { return time.Now().Add(ahead) }
			org := genesystest.New(&genesystest.Options{Clock: clock, Latency: time.Second})
			c := newClient(t, org)
			typ := typeNamed(t, "routing.queues")
			for n := range 5 {
				earliest, latest, confirmed := c.Now()
				require.Equal(t, n >= answers, confirmed, "%v ahead, after %d answers", ahead, n)
				if confirmed {
					require.WithinRange(t, clock(), earliest, latest, "%v ahead", ahead)
					require.Less(t, latest.Sub(earliest), 5*time.Second, "%v ahead", ahead)
				}
				for _, err := range c.List(t.Context(), typ) {
					require.NoError(t, err)
					break
				}
			}
		})
	}
}

// TestAnswersToLimits has one row for each limit of the local org, and says
// what a client makes of it that lists 90 queues in pages of 25.
func TestAnswersToLimits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		opts    genesystest.Options
		before  time.Duration // another client logged in so long ago
		rival   bool          // another client logs in before each page
		tokens  int64         // asked for; 0 for any number
		least   time.Duration // that it takes
		most    time.Duration
		timeout time.Duration
		fails   string
	}{
		{name: "none", tokens: 1},
		{name: "tokens age between two pages", opts: genesystest.Options{TokenTTL: 30 * time.Second, Latency: 25 * time.Second}, tokens: 4, least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "one token for two clients", opts: genesystest.Options{MaxTokens: 1}, rival: true, tokens: 4},
		{name: "tokens are rationed", opts: genesystest.Options{MintLimit: 1}, before: 45 * time.Second, least: 15 * time.Second, most: time.Minute},
		{name: "a lower limit of one list", opts: genesystest.Options{SubLimits: map[string]int{"GET /api/v2/routing/queues": 3}}, tokens: 1, least: time.Minute, most: 62 * time.Second},
		{name: "slow answers", opts: genesystest.Options{Latency: 25 * time.Second}, tokens: 1, least: 125 * time.Second, most: 125 * time.Second},
		{name: "answers slower than the client's patience", opts: genesystest.Options{Latency: time.Minute}, tokens: 1, least: time.Minute, most: 3 * time.Minute, fails: "took too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.opts.Counts = map[string]int{"routing.queues": 90}
				org := genesystest.New(&test.opts)
				c, err := genesys.NewClient(org.Config(), &genesys.Options{Transport: org.Transport(), Timeout: test.timeout})
				require.NoError(t, err)
				typ := typeNamed(t, "routing.queues")
				typ.PageSize = 25
				if test.before > 0 {
					_, err := newClient(t, org).Organization(t.Context())
					require.NoError(t, err)
					time.Sleep(test.before)
				}
				start, n := time.Now(), 0
				var failure error
				for _, err := range c.List(t.Context(), typ) {
					if failure = err; err != nil {
						break
					}
					if n++; test.rival && n%25 == 0 {
						_, err := newClient(t, org).Organization(t.Context())
						require.NoError(t, err)
					}
				}
				if test.fails != "" {
					require.ErrorContains(t, failure, test.fails)
				} else {
					require.NoError(t, failure)
					require.Equal(t, 90, n)
				}
				if test.tokens > 0 {
					require.Equal(t, test.tokens, c.Stats().Tokens)
				}
				require.GreaterOrEqual(t, time.Since(start), test.least)
				require.LessOrEqual(t, time.Since(start), max(test.most, time.Second))
			})
		})
	}
}

// TestAnswersToHiddenObjects: an object of a division that this client does not
// see is gone or forbidden, as the service's part has it, and edits show late.
func TestAnswersToHiddenObjects(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{403: genesys.ErrUnavailable, 404: genesys.ErrNotFound} {
		org := genesystest.New(&genesystest.Options{HiddenGet: status, Permissions: []string{"routing:queue:view"}})
		c, typ := newClient(t, org), typeNamed(t, "routing.queues")
		all := collectObjects(t, c.List(t.Context(), typ))
		org.SetDivisions("Home")
		seen := collectObjects(t, c.List(t.Context(), typ))
		require.Less(t, len(seen), len(all))
		for _, o := range all {
			_, err := c.Get(t.Context(), typ, genesys.Object{ID: o.ID})
			if slices.ContainsFunc(seen, func(s genesys.Object) bool { return s.ID == o.ID }) {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, want)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		org := genesystest.New(&genesystest.Options{ConsistencyDelay: time.Minute})
		c, typ := newClient(t, org), typeNamed(t, "routing.queues")
		id, err := org.Create("routing.queues", map[string]any{"name": "Late"})
		require.NoError(t, err)
		before, err := drain(t.Context(), c, typ)
		require.NoError(t, err)
		_, err = c.Get(t.Context(), typ, genesys.Object{ID: id})
		require.ErrorIs(t, err, genesys.ErrNotFound)
		time.Sleep(time.Minute)
		after, err := drain(t.Context(), c, typ)
		require.NoError(t, err)
		require.Equal(t, before+1, after)
		_, err = c.Get(t.Context(), typ, genesys.Object{ID: id})
		require.NoError(t, err)
	})
}
