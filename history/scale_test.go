//go:build unix

package history

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

var (
	scaleRun     = flag.Bool("scale", false, "run TestScale: 50,000 objects in the file store and in git, minutes long")
	scaleObjects = flag.Int("scale.objects", 50_000, "objects of TestScale")
	scalePasses  = flag.Int("scale.passes", 100, "passes of TestScale")
)

// An org is a synthetic one: objects of about 3.3 KB that look like users and
// queues do.
type org struct {
	rnd     *rand.Rand
	objects []*orgObject
}

type orgObject struct {
	id                 string
	version, modified  int
	fields             []string // values of the fields that change
	head, middle, tail string
}

func newOrg(n int) *org {
	o := &org{rnd: rand.New(rand.NewPCG(1, 2))}
	for range n {
		o.objects = append(o.objects, o.object())
	}
	return o
}

func (o *org) uuid() string {
	a, b := o.rnd.Uint64(), o.rnd.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48, b&0xffffffffffff)
}

var orgWords = strings.Fields("sales support billing north south east west tier queue agent spanish english priority overflow night weekend retail claims travel care")

func (o *org) words(n int) string {
	var w []string
	for range n {
		w = append(w, orgWords[o.rnd.IntN(len(orgWords))])
	}
	return strings.Join(w, " ")
}

func (o *org) object() *orgObject {
	x := &orgObject{id: o.uuid(), version: 1}
	name := o.words(3)
	x.head = fmt.Sprintf(`"name":%q,"division":{"id":%q,"name":%q,"selfUri":"/api/v2/authorization/divisions/x"},"email":"%s@example.com","state":"active"`,
		name, o.uuid(), o.words(1), strings.ReplaceAll(name, " ", "."))
	var skills []string
	for range 5 + o.rnd.IntN(17) {
		skills = append(skills, fmt.Sprintf(`{"id":%q,"name":%q,"proficiency":%d,"skillUri":"/api/v2/routing/skills/%s"}`, o.uuid(), o.words(2), o.rnd.IntN(5), o.uuid()))
	}
	x.middle = `"skills":[` + strings.Join(skills, ",") + `]`
	x.tail = fmt.Sprintf(`"mediaSettings":{"call":{"enableAutoAnswer":false,"alertingTimeoutSeconds":%d,"serviceLevel":{"percentage":0.8,"durationMs":%d}},"email":{"enableAutoAnswer":true,"alertingTimeoutSeconds":300}},"acwSettings":{"wrapupPrompt":"MANDATORY_TIMEOUT","timeoutMs":%d},"selfUri":"/api/v2/users/%s"`,
		o.rnd.IntN(60), o.rnd.IntN(60000), o.rnd.IntN(9000), x.id)
	for range 12 {
		x.fields = append(x.fields, o.words(2+o.rnd.IntN(4)))
	}
	return x
}

func (x *orgObject) body() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%q,%s,"version":%d,"dateModified":"2026-11-22T10:%02d:%02d.%03dZ",%s`, x.id, x.head, x.version, x.modified/60%60, x.modified%60, x.modified*7%1000, x.middle)
	for i, f := range x.fields {
		fmt.Fprintf(&b, `,"attribute%d":%q`, i, f)
	}
	b.WriteString("," + x.tail + "}")
	return []byte(b.String())
}

func (x *orgObject) object(body []byte) Object {
	return Object{ID: x.id, Name: x.fields[0], Body: body, Marker: strconv.Itoa(x.version)}
}

var orgShape = diff.Rules{Ignore: []string{"version", "dateModified", "**.selfUri"}, Sets: []string{"skills"}}

// change changes n objects, 80 % of them among a tenth of all.
func (o *org) change(n, pass int) (changed []*orgObject) {
	for range n {
		i := o.rnd.IntN(len(o.objects))
		if o.rnd.IntN(5) > 0 {
			i /= 10
		}
		x := o.objects[i]
		x.version++
		x.modified = pass*300 + o.rnd.IntN(300)
		for range 1 + o.rnd.IntN(3) {
			x.fields[o.rnd.IntN(len(x.fields))] = o.words(2 + o.rnd.IntN(4))
		}
		changed = append(changed, x)
	}
	return changed
}

func (o *org) pass(tb testing.TB, h *History) {
	tb.Helper()
	p, err := h.Begin(tb.Context(), "users", orgShape)
	require.NoError(tb, err)
	for _, x := range o.objects {
		require.NoError(tb, p.Observe(tb.Context(), x.object(x.body())))
	}
	_, err = p.Settle(tb.Context(), Walk{Complete: true})
	require.NoError(tb, err)
	_, err = p.End(tb.Context())
	require.NoError(tb, err)
}

// TestScale records what a history costs in the file store, and what git needs
// for the same data.
func TestScale(t *testing.T) {
	if !*scaleRun {
		t.Skip("runs with -scale")
	}
	const changes = 250
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s, err := file.Open(path, nil)
	require.NoError(t, err)
	defer s.Close()
	h := open(t, s, nil)
	o := newOrg(*scaleObjects)
	total := 0
	for _, x := range o.objects {
		total += len(x.body())
	}
	t.Logf("%d objects, %d bytes each, %d MB", len(o.objects), total/len(o.objects), total>>20)

	measure(t, "import", func() { o.pass(t, h) })
	imported := compacted(t, s, path)
	repo := filepath.Join(dir, "repo")
	measure(t, "git: import", func() { o.write(t, repo, o.objects); commitGit(t, repo) })
	gitImported := collected(t, repo)
	for n := range *scalePasses {
		changed := o.change(changes, n)
		run := func(_ string, f func()) { f() }
		if n == 0 || n == *scalePasses-1 {
			run = func(name string, f func()) { measure(t, fmt.Sprint(name, " ", n), f) }
		}
		run("pass", func() { o.pass(t, h) })
		run("git: pass", func() { o.write(t, repo, changed); commitGit(t, repo) })
	}
	measure(t, "pass without a change", func() { o.pass(t, h) })

	recorded := 0
	measure(t, "all changes", func() {
		recorded = len(collect(t, h.Changes(t.Context(), Query{})))
	})
	middle := collect(t, h.Changes(t.Context(), Query{Limit: recorded / 2}))[recorded/2-1]
	measure(t, "all objects as of the middle", func() {
		require.Len(t, collect(t, h.AsOf(t.Context(), "users", middle.At)), len(o.objects))
	})
	measure(t, "versions of one object", func() {
		t.Log(len(collect(t, h.Versions(t.Context(), "users", middle.ID))), "versions")
	})
	measure(t, "between the middle and now", func() {
		t.Log(len(collect(t, h.Between(t.Context(), middle.At, time.Now(), Query{}))), "objects differ")
	})

	size, git := compacted(t, s, path), collected(t, repo)
	t.Logf("file store: %.1f MB, %.1f after the import, %d bytes a change", mb(size), mb(imported), (size-imported)/int64(recorded))
	t.Logf("git:        %.1f MB, %.1f after the import, %d bytes a change", mb(git), mb(gitImported), (git-gitImported)/int64(recorded))
	t.Logf("ratio: %.2f in all, %.2f a change", float64(size)/float64(git), float64(size-imported)/float64(git-gitImported))
	measure(t, "trim", func() {
		r, err := h.Trim(t.Context(), Retention{MaxChanges: 1}, nil)
		require.NoError(t, err)
		t.Log(r.Changes, "changes removed")
	})
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// measure logs the time, the CPU time and the memory that f takes.
func measure(t *testing.T, name string, f func()) {
	t.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), cpuTime(t)
	f()
	wall, used := time.Since(start), cpuTime(t)-cpu
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%-30s %8s, CPU %8s, %5d MB allocated", name, wall.Round(time.Millisecond), used.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func compacted(t *testing.T, s storage.Store, path string) int64 {
	t.Helper()
	require.NoError(t, s.(storage.Compacter).Compact(t.Context()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func (o *org) write(t *testing.T, repo string, objects []*orgObject) {
	t.Helper()
	for _, x := range objects {
		dir := filepath.Join(repo, "users", x.id[:2])
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, x.id+".json"), x.body(), 0o600))
	}
}

func commitGit(t *testing.T, repo string) {
	t.Helper()
	git(t, repo, "init", "-q")
	git(t, repo, "add", "-A")
	git(t, repo, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "gc.auto=0", "commit", "-q", "-m", "pass")
}

func git(t *testing.T, repo string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", repo}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// collected returns the bytes of a repository after git gc.
func collected(t *testing.T, repo string) (size int64) {
	t.Helper()
	git(t, repo, "gc", "-q", "--prune=now")
	require.NoError(t, filepath.WalkDir(filepath.Join(repo, ".git"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	return size
}
