package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// mainModule is the path of the module at the top of the repository.
const mainModule = "github.com/cxsync/cxsync"

// published are the directories of the nested modules that others depend on, each
// after those that it requires. The other nested modules are tools of this repository.
var published = []string{"storage/postgres", "environment/telemetry"}

// A release is what make makes.
type release struct {
	repo    string // a clone
	version string
	dir     string // for what is temporary
}

// make makes all tags and returns their names. When it fails it leaves none.
func (r release) make(ctx context.Context) (tags []string, err error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, tag := range tags {
				_, _ = git(context.WithoutCancel(ctx), r.repo, "tag", "--delete", tag)
			}
			tags = nil
		}
	}()
	if _, err := git(ctx, r.repo, "tag", "--annotate", "--message", "cxsync "+r.version, r.version); err != nil {
		return tags, err
	}
	tags = append(tags, r.version)
	p := proxy{r.repo, filepath.Join(r.dir, "proxy")}
	if err := p.add(mainModule, r.version, r.version, ""); err != nil {
		return tags, err
	}
	for _, dir := range published {
		tag := dir + "/" + r.version
		if err := r.tagNested(ctx, p, dir, tag); err != nil {
			return tags, fmt.Errorf("%s: %w", dir, err)
		}
		tags = append(tags, tag)
		if err := p.add(path.Join(mainModule, dir), r.version, tag, dir); err != nil {
			return tags, err
		}
	}
	return tags, nil
}

// check reports what stands against a release.
func (r release) check(ctx context.Context) error {
	if !semver.IsValid(r.version) || semver.Canonical(r.version) != r.version {
		return fmt.Errorf("%q is no version: want one such as v0.1.0", r.version)
	}
	changes, err := git(ctx, r.repo, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changes != "" {
		return fmt.Errorf("the worktree has changes: commit or discard them first:\n%s", changes)
	}
	log, err := os.ReadFile(filepath.Join(r.repo, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if heading := "\n## [" + strings.TrimPrefix(r.version, "v") + "] - "; !strings.Contains(string(log), heading) {
		return fmt.Errorf("CHANGELOG.md has no heading %q with the date behind it", strings.TrimSpace(heading))
	}
	return nil
}

// tagNested tags the module in dir on a commit that no branch has, where it requires
// what this release has published already instead of replacing it.
func (r release) tagNested(ctx context.Context, p proxy, dir, tag string) error {
	tree := filepath.Join(r.dir, "tree", dir)
	if _, err := git(ctx, r.repo, "worktree", "add", "--detach", tree, r.version); err != nil {
		return err
	}
	defer func() { _, _ = git(context.WithoutCancel(ctx), r.repo, "worktree", "remove", "--force", tree) }()
	module := filepath.Join(tree, filepath.FromSlash(dir))
	if err := requireByVersion(filepath.Join(module, "go.mod"), r.version); err != nil {
		return err
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "./..."}} {
		if err := p.goCommand(ctx, module, r.dir, args...); err != nil {
			return err
		}
	}
	message := dir + ": requires the main module at " + r.version
	if _, err := git(ctx, tree, "commit", "--quiet", "--all", "--message", message); err != nil {
		return err
	}
	_, err := git(ctx, tree, "tag", "--annotate", "--message", dir+" "+r.version, tag)
	return err
}

// requireByVersion rewrites a go.mod: what it replaces by a folder of this repository
// it requires at the version instead.
func requireByVersion(file, version string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(file, text, nil)
	if err != nil {
		return err
	}
	for _, replaced := range mod.Replace {
		if !strings.HasPrefix(replaced.New.Path, ".") {
			continue
		}
		old := replaced.Old // which DropReplace clears
		if err := errors.Join(mod.DropReplace(old.Path, old.Version), mod.AddRequire(old.Path, version)); err != nil {
			return err
		}
	}
	mod.Cleanup()
	text, err = mod.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644) //nolint:gosec // as git writes it
}

// git runs git in dir and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	return output(cmd)
}

func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
