// Command gittree keeps a git repository of an environment's configuration: a file for each object,
// and a commit for each change, dated when it was recorded.
//
//	gittree -data cxsync-data -out tree        brings the repository up to the newest change
//	git -C tree log -p -- routing.queues       what happened to the queues
//
// Each commit names the change that it stands for, so a run goes on where the one before ended.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/examples/internal/cli"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/storage/file"
)

func main() {
	data := flag.String("data", "cxsync-data", "`folder` of the store")
	name := flag.String("name", "", "environment; may be left out if there is one only")
	out := flag.String("out", "tree", "`folder` of the git repository")
	flag.Parse()
	commits, err := run(context.Background(), filepath.Join(*data, "cxsync.db"), *name, *out)
	if err != nil {
		log.Fatal("gittree: ", err)
	}
	fmt.Printf("%d new commits in %s\n", commits, *out)
}

// run opens the store and brings the repository up to date.
func run(ctx context.Context, path, name, out string) (commits int, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err // opening would make a new, empty store
	}
	store, err := file.Open(path, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := environment.Open(store, nil)
	if err != nil {
		return 0, err
	}
	record, err := cli.Choose(ctx, engine, name)
	if err != nil {
		return 0, err
	}
	h, err := engine.History(ctx, record.ID)
	if err != nil {
		return 0, err
	}
	return update(ctx, h, out)
}

// update commits what changed since the last commit.
func update(ctx context.Context, h *history.History, folder string) (commits int, err error) {
	t := tree(folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return 0, err
	}
	if _, err := t.git(ctx, time.Now(), "init", "--quiet"); err != nil {
		return 0, err
	}
	seq, err := t.last(ctx)
	if err != nil {
		return 0, err
	}
	for step, err := range h.Replay(ctx, seq) {
		if err != nil {
			return commits, err
		}
		if err := t.commit(ctx, step); err != nil {
			return commits, err
		}
		commits++
	}
	return commits, nil
}

// A tree is the folder of a git repository.
type tree string

const trailer = "Change: " // the sequence number, at the end of a commit's message

// last returns the change of the last commit, 0 if there is none.
func (t tree) last(ctx context.Context) (uint64, error) {
	out, err := t.git(ctx, time.Now(), "log", "-1", "--all", "--format=%B")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if seq, ok := strings.CutPrefix(line, trailer); ok {
			return strconv.ParseUint(strings.TrimSpace(seq), 10, 64)
		}
	}
	return 0, nil
}

// commit makes the commit of a step. A run that was killed before it left files that the next run writes again.
func (t tree) commit(ctx context.Context, step history.ReplayStep) error {
	for _, path := range step.Gone {
		if err := os.Remove(filepath.Join(string(t), filepath.FromSlash(path))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, f := range step.Files {
		path := filepath.Join(string(t), filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return err
		}
	}
	if _, err := t.git(ctx, step.At, "add", "--all"); err != nil {
		return err
	}
	_, err := t.git(ctx, step.At, "commit", "--quiet", "--allow-empty", "--message", describe(step))
	return err
}

// describe returns the message of a step.
func describe(step history.ReplayStep) string {
	var message strings.Builder
	switch {
	case len(step.Changes) == 1:
		c := step.Changes[0]
		fmt.Fprintf(&message, "%s %s\n", c.Kind, history.Ref{Type: c.Type, ID: c.ID, Name: c.Name})
		for _, f := range c.Fields {
			message.WriteString("\n" + f.String())
		}
	case len(step.Changes) > 0:
		fmt.Fprintf(&message, "imported %d objects", len(step.Changes))
	case step.Seq > 0:
		fmt.Fprintf(&message, "other fields of %d objects are compared", len(step.Files))
	default:
		message.WriteString("what was there before")
	}
	if step.Seq > 0 {
		fmt.Fprintf(&message, "\n\n%s%d", trailer, step.Seq)
	}
	return message.String()
}

// git runs git in the folder, as cxsync and at a time of its own.
func (t tree) git(ctx context.Context, at time.Time, args ...string) (string, error) {
	date := at.UTC().Format(time.RFC3339)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = string(t)
	// In a hook of another repository, GIT_INDEX_FILE and others of these lead there.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	cmd.Env = append(cmd.Env, "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=cxsync", "GIT_AUTHOR_EMAIL=cxsync@localhost", "GIT_COMMITTER_NAME=cxsync", "GIT_COMMITTER_EMAIL=cxsync@localhost",
		"GIT_DIR=.git", "GIT_CONFIG_GLOBAL="+os.DevNull)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
