package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

// needGit skips a test where there is no git, which the program runs.
func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here")
	}
}

// The repository has a commit for each change, goes on where it stopped, and has the files of an export.
func TestCommitForEachChange(t *testing.T) {
	needGit(t)
	folder := t.TempDir()
	for _, name := range []string{"GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"} { // as in a hook of another repository
		t.Setenv(name, filepath.Join(folder, "elsewhere", name))
	}
	path, out := filepath.Join(folder, "cxsync.db"), filepath.Join(folder, "tree")
	org := genesystest.New(nil)
	store, err := file.Open(path, nil)
	require.NoError(t, err)
	vault, err := environment.NewKeyVault(environment.NewKey())
	require.NoError(t, err)
	engine, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
	require.NoError(t, err)
	r, err := engine.Create(t.Context(), environment.Record{
		Name: "Contoso", BaseURL: org.BaseURL(), ClientID: genesystest.ClientID,
		ClientSecret: environment.NewSecret(genesystest.ClientSecret), Types: []string{"Queues", "ACD skills"},
	})
	require.NoError(t, err)
	_, err = engine.Import(t.Context(), r.ID, nil)
	require.NoError(t, err)
	h, err := engine.History(t.Context(), r.ID)
	require.NoError(t, err)
	commits, err := update(t.Context(), h, out)
	require.NoError(t, err)
	require.Positive(t, commits)

	id, err := org.Create("routing.skills", map[string]any{"name": "Juggling"})
	require.NoError(t, err)
	_, err = engine.Poll(t.Context(), r.ID, "ACD skills")
	require.NoError(t, err)
	commits, err = update(t.Context(), h, out)
	require.NoError(t, err)
	require.Equal(t, 1, commits)
	require.NoError(t, org.Update("routing.skills", id, map[string]any{"name": "Juggling/2"}))
	_, err = engine.Poll(t.Context(), r.ID, "ACD skills")
	require.NoError(t, err)
	require.NoError(t, engine.Close(t.Context()))
	require.NoError(t, store.Close())

	commits, err = run(t.Context(), path, "", out)
	require.NoError(t, err)
	require.Equal(t, 1, commits)
	commits, err = run(t.Context(), path, "Contoso", out)
	require.NoError(t, err)
	require.Zero(t, commits)
	_, err = run(t.Context(), path, "Other", out)
	require.Error(t, err)

	text, err := tree(out).git(t.Context(), time.Now(), "log", "-2", "--name-status", "--format=%s", "--no-renames")
	require.NoError(t, err)
	require.Contains(t, text, "A\trouting.skills/Juggling%2F2.json")
	require.Contains(t, text, "D\trouting.skills/Juggling.json")
	require.Contains(t, text, `created routing.skills "Juggling"`)
	require.Contains(t, text, `updated routing.skills "Juggling/2"`)

	store, err = file.Open(path, nil)
	require.NoError(t, err)
	defer store.Close()
	engine, err = environment.Open(store, nil)
	require.NoError(t, err)
	h, err = engine.History(t.Context(), r.ID)
	require.NoError(t, err)
	listed, err := tree(out).git(t.Context(), time.Now(), "-c", "core.quotePath=false", "ls-files")
	require.NoError(t, err)
	files := 0
	for f, err := range h.Export(t.Context(), &history.ExportOptions{}) {
		require.NoError(t, err)
		require.Contains(t, listed, f.Path)
		content, err := tree(out).git(t.Context(), time.Now(), "show", "HEAD:"+f.Path)
		require.NoError(t, err)
		require.Equal(t, string(f.Data), content)
		files++
	}
	require.Equal(t, files, strings.Count(listed, "\n"))
	require.NoDirExists(t, filepath.Join(folder, "elsewhere"))
}
