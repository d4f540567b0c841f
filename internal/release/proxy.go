package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// A proxy is a module proxy in a folder, as the go command reads it: see
// https://go.dev/ref/mod#goproxy-protocol.
type proxy struct{ repo, dir string }

// add adds the module at a revision of the repository. Its content is what the go
// command would take from there.
func (p proxy) add(modulePath, version, revision, subdir string) error {
	escaped, err := module.EscapePath(modulePath)
	if err != nil {
		return err
	}
	dir := filepath.Join(p.dir, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nothing secret
		return err
	}
	create := func(ext string, text []byte) error {
		return os.WriteFile(filepath.Join(dir, version+ext), text, 0o644) //nolint:gosec // nothing secret
	}
	archive, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	if err := zip.CreateFromVCS(archive, module.Version{Path: modulePath, Version: version}, p.repo, revision, subdir); err != nil {
		return fmt.Errorf("%s at %s: %w", modulePath, version, err)
	}
	goMod, err := git(context.Background(), p.repo, "show", revision+":"+filepath.ToSlash(filepath.Join(subdir, "go.mod")))
	if err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := create(".mod", []byte(goMod+"\n")); err != nil {
		return err
	}
	if err := create(".info", info); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(version+"\n"), 0o644); err != nil { //nolint:gosec // nothing secret
		return err
	}
	return archive.Close()
}

// goCommand runs the go command, which finds our modules in p and all others where
// it always does. Its module cache is a new one in temp: what is released here must not
// stay in that of the user, who may give the version up again.
func (p proxy) goCommand(ctx context.Context, dir, temp string, args ...string) error {
	_, err := p.goOutput(ctx, dir, temp, args...)
	return err
}

func (p proxy) goOutput(ctx context.Context, dir, temp string, args ...string) (string, error) {
	usual, err := output(exec.CommandContext(ctx, "go", "env", "GOPROXY", "GOMODCACHE"))
	if err != nil {
		return "", err
	}
	elsewhere, cache, _ := strings.Cut(usual, "\n")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GOMODCACHE="+filepath.Join(temp, "modcache"), "GOFLAGS=-modcacherw -trimpath", "GOWORK=off", "GONOSUMDB="+mainModule,
		"GOPROXY=file://"+filepath.ToSlash(p.dir)+",file://"+filepath.ToSlash(filepath.Join(cache, "cache", "download"))+","+elsewhere)
	return output(cmd)
}
