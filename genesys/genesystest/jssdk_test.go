package genesystest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/genesys/genesystest"
)

// TestJavaScriptSDK lets the service's own SDK list an org. It runs where
// "npm ci" was run in the folder jssdk.
func TestJavaScriptSDK(t *testing.T) {
	if _, err := os.Stat("jssdk/node_modules"); err != nil {
		t.Skip("the SDK is not installed")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	org := genesystest.New(nil)
	server, err := org.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), node, "list.mjs", server.URL, genesystest.ClientID, genesystest.ClientSecret)
	cmd.Dir, cmd.Stderr = "jssdk", os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var found map[string][]string
	require.NoError(t, json.Unmarshal(out, &found))
	require.Len(t, found, 13)
	for typ, ids := range found {
		var want []string
		for id := range org.Objects(typ) {
			want = append(want, id)
		}
		slices.Sort(want)
		slices.Sort(ids)
		require.Equal(t, want, ids, typ)
		require.NotEmpty(t, ids, typ)
	}
}
