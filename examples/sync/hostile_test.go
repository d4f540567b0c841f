package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/examples/internal/hostile"
	"github.com/cxsync/cxsync/genesys/genesystest"
)

func TestMain(m *testing.M) { hostile.Main(m, main) }

func TestHostileTexts(t *testing.T) {
	data := t.TempDir()
	org := hostile.Org()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server, err := org.Listen(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	config := filepath.Join(data, "org.json")
	configure := func(name string) {
		text, err := json.Marshal(map[string]any{
			"name": name, "base_url": server.URL, "client_id": genesystest.ClientID, "client_secret": genesystest.ClientSecret,
			"types": hostile.Types(),
		})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(config, text, 0o600))
	}
	var out strings.Builder
	sync := func(args ...string) { out.WriteString(hostile.Run(t, append([]string{"-config", config}, args...)...)) }
	configure("Contoso")
	sync("-data", data, "-once", "-v")
	queue := hostile.Edit(t, org)
	sync("-data", data, "-once")
	require.NoError(t, org.Update("routing.queues", queue, map[string]any{"name": "Another\x1b[2J", "description": "y\x1b[2J\nz"}))
	sync("-data", data, "-once", "-json")
	sync("-role")
	configure("Fabrikam")
	sync("-data", data, "-once")
	require.Greater(t, strings.Count(out.String(), "forged"), 50, "the texts did not get through")
}
