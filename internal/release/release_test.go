package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var full = flag.Bool("full", false, "build what is released, and a program that depends on it")

const version = "v0.1.0"

// clone returns a clone of this repository, whose changelog names the version.
func clone(t *testing.T) string {
	t.Helper()
	here, err := git(t.Context(), ".", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skip("this is no git repository: ", err)
	}
	repo := filepath.Join(t.TempDir(), "cxsync")
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-tags", here, repo},
		{"-C", repo, "config", "user.name", "cxsync"},
		{"-C", repo, "config", "user.email", "cxsync@example.org"},
	} {
		_, err := git(t.Context(), ".", args...)
		require.NoError(t, err)
	}
	setChangelog(t, repo, "## [0.1.0] - 2026-12-01")
	return repo
}

func setChangelog(t *testing.T, repo, heading string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(repo, "CHANGELOG.md"), []byte("# Changelog\n\n"+heading+"\n"), 0o600))
	_, err := git(t.Context(), repo, "commit", "--quiet", "--allow-empty", "--all", "--message", heading)
	require.NoError(t, err)
}

// What is not ready is not tagged.
func TestCheck(t *testing.T) {
	repo := clone(t)
	for version, problem := range map[string]string{
		"0.1.0":  `"0.1.0" is no version`,
		"v0.1":   `"v0.1" is no version`,
		"v0.2.0": `CHANGELOG.md has no heading "## [0.2.0] -"`,
	} {
		_, err := release{repo: repo, version: version, dir: t.TempDir()}.make(t.Context())
		require.ErrorContains(t, err, problem)
	}
	require.NoError(t, os.WriteFile(filepath.Join(repo, "new.txt"), nil, 0o600))
	_, err := release{repo: repo, version: version, dir: t.TempDir()}.make(t.Context())
	require.ErrorContains(t, err, "the worktree has changes")
	require.NoError(t, os.Remove(filepath.Join(repo, "new.txt")))

	_, err = git(t.Context(), repo, "tag", version)
	require.NoError(t, err)
	_, err = release{repo: repo, version: version, dir: t.TempDir()}.make(t.Context())
	require.ErrorContains(t, err, "already exists")
	tags, err := git(t.Context(), repo, "tag", "--list")
	require.NoError(t, err)
	require.Equal(t, version, tags, "the tag of an earlier release stays")
}

// Somebody who depends on a release needs no clone: a new module gets the main module
// and the nested ones by version, and runs what the README shows. It compiles all of it
// from nothing, which takes some minutes.
func TestRelease(t *testing.T) {
	if !*full {
		t.Skip("-full was not given")
	}
	ctx, repo := t.Context(), clone(t)
	r := release{repo: repo, version: version, dir: t.TempDir()}
	before, err := git(ctx, repo, "rev-parse", "HEAD")
	require.NoError(t, err)

	tags, err := r.make(ctx)
	require.NoError(t, err)
	require.Len(t, tags, 1+len(published))
	after, err := git(ctx, repo, "rev-parse", "HEAD")
	require.NoError(t, err)
	require.Equal(t, before, after, "main stays as it is")
	for _, dir := range published {
		mod, err := git(ctx, repo, "show", dir+"/"+version+":"+dir+"/go.mod")
		require.NoError(t, err)
		require.NotContains(t, mod, "replace")
		require.Contains(t, mod, mainModule+" "+version+"\n")
	}

	user := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(user, name), []byte(text), 0o600))
	}
	write("go.mod", "module example.org/user\n\ngo 1.26.0\n")
	write("main.go", readmeProgram(t, repo))
	p := proxy{repo, filepath.Join(r.dir, "proxy")}
	for _, args := range [][]string{{"get", mainModule + "@" + version}, {"mod", "tidy"}} {
		require.NoError(t, p.goCommand(ctx, user, r.dir, args...))
	}
	mod, err := os.ReadFile(filepath.Join(user, "go.mod"))
	require.NoError(t, err)
	require.NotContains(t, string(mod), "replace")
	out, err := p.goOutput(ctx, user, r.dir, "run", ".")
	require.NoError(t, err)
	require.Equal(t, "true 1 <nil>\ncreated routing.queues Refunds", out)
}

// readmeProgram returns the program of the README's first Go snippet, with what is
// published linked into it.
func readmeProgram(t *testing.T, repo string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(repo, "README.md"))
	require.NoError(t, err)
	_, snippet, ok := strings.Cut(string(readme), "```go\n")
	require.True(t, ok)
	snippet, _, ok = strings.Cut(snippet, "\n```")
	require.True(t, ok)
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"log\"\n")
	for _, pkg := range []string{"environment", "genesys/genesystest", "history", "storage/memory"} {
		fmt.Fprintf(&b, "\t%q\n", mainModule+"/"+pkg)
	}
	for _, dir := range published {
		fmt.Fprintf(&b, "\t_ %q\n", mainModule+"/"+dir)
	}
	fmt.Fprintf(&b, ")\n\nfunc main() {\n%s\n}\n", snippet)
	return b.String()
}
