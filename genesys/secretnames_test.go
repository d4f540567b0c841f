package genesys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/internal/official"
)

// TestSecretsOfTheModels holds the fields of the official models that are secrets by their names against the list that
// was reviewed. A field that holds no string stays; it is listed all the same.
func TestSecretsOfTheModels(t *testing.T) {
	var lines []string
	for model, fields := range official.Models() {
		for _, f := range fields {
			if isSecretName([]byte(f.Name)) {
				lines = append(lines, model+"."+f.Name+" "+f.Type+"\n")
			}
		}
	}
	slices.Sort(lines)
	golden := filepath.Join("testdata", "secret_fields.txt")
	if *updateTables {
		require.NoError(t, os.WriteFile(golden, []byte(strings.Join(lines, "")), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), strings.Join(lines, ""), "run go test ./genesys -run TestSecretsOfTheModels -update, and review")
}
