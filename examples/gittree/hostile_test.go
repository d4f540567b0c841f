package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/examples/internal/hostile"
)

func TestMain(m *testing.M) { hostile.Main(m, main) }

func TestHostileTexts(t *testing.T) {
	needGit(t)
	data := t.TempDir()
	hostile.Record(t, data)
	out := filepath.Join(data, "tree")
	hostile.Run(t, "-data", data, "-out", out) // which of the two?
	hostile.Run(t, "-data", data, "-name", "Contoso", "-out", out)
	log, err := tree(out).git(t.Context(), time.Now(), "-c", "core.quotePath=false", "log", "--name-status")
	require.NoError(t, err)
	hostile.Tame(t, "git log", log)
	require.Greater(t, strings.Count(log, "forged"), 100, "the texts did not get through")
}
