package cli_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/examples/internal/cli"
)

// What is printed means what it was, and prints.
func TestJSON(t *testing.T) {
	var all []rune
	for r := range rune(0x3000) {
		all = append(all, r)
	}
	text := string(all) + "😀\U000e0001\U0010fffd"
	var out bytes.Buffer
	require.NoError(t, json.NewEncoder(cli.JSON(&out)).Encode(map[string]string{"a": text}))
	var back map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Equal(t, text, back["a"])
	for _, r := range out.String() {
		require.True(t, r == '\n' || unicode.IsPrint(r), "%q", r)
	}
}
