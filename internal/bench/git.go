package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// gitRows compares the size of a history in the file store, compacted, with that
// of a git repository which has a file for each object and a commit for each
// pass, after git gc --aggressive.
func gitRows(r *run) ([]row, error) {
	s := script{objects: r.pick(500, 2_000), passes: r.pick(10, 50), changes: 50}
	git, _ := exec.LookPath("git")
	if git == "" {
		return []row{{what: "size of a history", peer: "git", note: "not measured: there is no git here"}}, nil
	}
	version, err := exec.Command(git, "--version").Output() //nolint:noctx // it ends at once
	if err != nil {
		return nil, err
	}
	ours, err := s.cxsync(filepath.Join(r.tmp, "history.db"))
	if err != nil {
		return nil, err
	}
	theirs, err := s.git(git, filepath.Join(r.tmp, "git"))
	return []row{{
		what: fmt.Sprintf("size of a history: %s objects, %s changes", grouped(float64(s.objects)), grouped(float64(s.passes*s.changes))),
		ours: figure{ours, "B"},
		peer: "git " + string(bytes.TrimSpace(bytes.TrimPrefix(version, []byte("git version ")))) + ", gc --aggressive", theirs: figure{theirs, "B"},
		note: fmt.Sprintf("%d passes; ours has heads and field changes as well", s.passes),
	}}, err
}

// A script is a history of users of which some change in every pass, most of
// them again and again: title, department or the list of skills, and always the
// version and the date.
type script struct{ objects, passes, changes int }

var (
	titles      = []string{"Agent", "Senior Agent", "Team Lead", "Supervisor"}
	departments = []string{"Billing", "Claims", "Fraud", "Orders", "Sales", "Travel"}
)

// play calls commit with the bodies and the indexes of those that a pass has changed; pass 0 brings all.
func (s script) play(commit func(pass int, bodies [][]byte, changed []int) error) error {
	bodies := storagetest.Objects(1, s.objects)
	all := make([]int, len(bodies))
	for i := range all {
		all[i] = i
	}
	if err := commit(0, bodies, all); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for pass := 1; pass <= s.passes; pass++ {
		var changed []int
		for _, n := range rng.Perm(len(bodies) / 5)[:min(s.changes, len(bodies)/5)] {
			if rng.IntN(5) == 0 { // a fifth of the changes hits the other four fifths
				n = len(bodies)/5 + n*4 + rng.IntN(4)
			}
			changed = append(changed, n)
			bodies[n] = edited(rng, bodies[n], pass)
		}
		if err := commit(pass, bodies, changed); err != nil {
			return err
		}
	}
	return nil
}

// edited returns a body with one or two fields set to something else.
func edited(rng *rand.Rand, body []byte, pass int) []byte {
	set := func(name, value string) {
		mark := []byte(`"` + name + `":"`)
		at := bytes.Index(body, mark) + len(mark)
		end := at + bytes.IndexByte(body[at:], '"')
		body = append(append(bytes.Clone(body[:at]), value...), body[end:]...)
	}
	set("title", fmt.Sprintf("%s %d", titles[rng.IntN(len(titles))], pass))
	if rng.IntN(3) == 0 {
		set("department", departments[rng.IntN(len(departments))])
	}
	set("dateModified", fmt.Sprintf("2026-11-%02dT%02d:%02d:00Z", 1+pass%28, rng.IntN(24), rng.IntN(60)))
	return body
}

// cxsync returns the size of the file store at the end.
func (s script) cxsync(path string) (float64, error) {
	ctx := context.Background()
	store, err := file.Open(path, nil)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	h, err := history.Open(ctx, store, 1, nil)
	if err != nil {
		return 0, err
	}
	if err := s.play(func(pass int, bodies [][]byte, changed []int) error {
		return recordPass(ctx, h, pass, bodies, len(changed))
	}); err != nil {
		return 0, err
	}
	if err := store.Compact(ctx); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()), nil
}

// recordPass runs a pass that has to find a number of changes.
func recordPass(ctx context.Context, h *history.History, pass int, bodies [][]byte, changes int) error {
	p, err := h.Begin(ctx, "users", diff.Rules{Ignore: []string{"version", "dateModified", "**.selfUri"}, Sets: []string{"skills", "languages"}})
	if err != nil {
		return err
	}
	for i, body := range bodies {
		if err := p.Observe(ctx, history.Object{ID: fmt.Sprintf("%08d", i), Name: "User", Body: body}); err != nil {
			return err
		}
	}
	if _, err := p.Settle(ctx, history.Walk{Complete: true}); err != nil {
		return err
	}
	sum, err := p.End(ctx)
	if err == nil && sum.Imported+sum.Updated != changes {
		err = fmt.Errorf("pass %d: %+v, want %d changes", pass, sum, changes)
	}
	return err
}

// git returns the size of the repository at the end.
func (s script) git(git, dir string) (float64, error) {
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(git, append([]string{"-C", dir}, args...)...) //nolint:noctx // it ends by itself
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		c.Stderr = os.Stderr
		return c
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	if err := command("init", "-q", "--bare").Run(); err != nil {
		return 0, err
	}
	var stream bytes.Buffer
	err := s.play(func(pass int, bodies [][]byte, changed []int) error {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter Bench <bench@example.com> %d +0000\ndata 5\npass\n\n", 1_790_000_000+3600*pass)
		for _, i := range changed {
			fmt.Fprintf(&stream, "M 100644 inline users/%08d.json\ndata %d\n%s\n", i, len(bodies[i]), bodies[i])
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	c := command("fast-import", "--quiet")
	c.Stdin = &stream
	if err := c.Run(); err != nil {
		return 0, err
	}
	if err := command("gc", "--aggressive", "--prune=now", "--quiet").Run(); err != nil {
		return 0, err
	}
	return folderSize(dir)
}

// folderSize returns the bytes of the files in a folder.
func folderSize(dir string) (size float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += float64(info.Size())
		}
		return err
	})
	return size, err
}
