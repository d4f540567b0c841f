package environment_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/memory"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	org := genesystest.New(nil) // a local org; a real one has its region as BaseURL, and no Transport
	vault, _ := environment.NewKeyVault(environment.NewKey())
	engine, _ := environment.Open(memory.New(), &environment.Options{Vault: vault, Transport: org.Transport()})

	env, err := engine.Create(ctx, environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), RateLimitMinute: 250, Types: []string{"Queues"},
		ClientID: genesystest.ClientID, ClientSecret: environment.NewSecret(genesystest.ClientSecret),
	})
	if err != nil {
		log.Fatal(err)
	}
	validation, _ := engine.Validate(ctx, env.ID)  // region, login, permissions, divisions, quota
	result, err := engine.Import(ctx, env.ID, nil) // everything that is selected, now
	fmt.Println(validation.OK(), len(result.Types), err)

	_, _ = org.Create("routing.queues", map[string]any{"name": "Refunds"})
	_, _ = engine.Poll(ctx, env.ID, "Queues")
	go func() { _ = engine.Run(ctx) }() // polls on schedule until ctx ends
	_ = engine.Follow(ctx, env.ID, "printer", func(_ context.Context, c history.Change) error {
		fmt.Println(c.Kind, c.Type, c.Name)
		stop()
		return nil
	}, nil)
	// Output:
	// true 1 <nil>
	// created routing.queues Refunds
}

// The README's snippet is the Example above, word for word, and short.
func TestReadmeSnippet(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, snippet, ok := strings.Cut(string(readme), "```go\n")
	require.True(t, ok)
	snippet, _, _ = strings.Cut(snippet, "```")
	lines := strings.Split(strings.TrimSpace(snippet), "\n")
	require.LessOrEqual(t, len(lines), 30)
	for i, line := range lines {
		if line != "" {
			lines[i] = "\t" + line
		}
	}
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	require.Contains(t, string(code), strings.Join(lines, "\n"))
}
