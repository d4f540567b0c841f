package main

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
)

// questionRows measures questions over a whole org, in seconds of CPU on all cores: those about the
// past of all objects use several, and so does the garbage collector. The pages of the console come last.
// They have no peer.
func questionRows(r *run) ([]row, error) {
	ctx := context.Background()
	e := estate{objects: r.pick(5_000, 50_000), passes: 10}
	store, err := file.Open(filepath.Join(r.tmp, "questions.db"), nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	engine, err := environment.Open(store, nil)
	if err != nil {
		return nil, err
	}
	if _, err := engine.Create(ctx, environment.Record{Name: "Large", BaseURL: "mypurecloud.ie", ClientID: "x"}); err != nil {
		return nil, err
	}
	a, middle, err := e.record(ctx, store, 1)
	if err != nil {
		return nil, err
	}
	b, _, err := estate{e.objects, 0}.record(ctx, store, 2)
	if err != nil {
		return nil, err
	}
	skill := uuid(1, 0, 7)
	used := func(at time.Time) func() (int, error) {
		return func() (int, error) {
			return count(a.Referrers(ctx, "routing.skills", skill, &history.ReferenceOptions{At: at}))
		}
	}
	rows := []row{}
	for _, q := range []struct {
		what string
		ask  func() (int, error)
		want int
	}{
		{"where used, now", used(time.Time{}), e.objects / skills},
		{"where used, in the middle of the log", used(middle), e.objects / skills},
		{"search for a text, now", func() (int, error) { return count(a.Search(ctx, history.Search{Text: "pass 10 of user 4711."})) }, 1},
		{"search for a text, in the middle of the log", func() (int, error) {
			return count(a.Search(ctx, history.Search{Text: "pass 5 of user 4711.", At: middle}))
		}, 1},
		{"one object as of the middle of the log", func() (int, error) {
			_, err := a.ObjectAsOf(ctx, "users", uuid(1, 1, 4711), middle)
			return 1, err
		}, 1},
		{"the org as of the middle of the log", func() (int, error) { return count(a.AsOf(ctx, "users", middle)) }, e.objects},
		{"compare two orgs whose every id differs", func() (int, error) {
			return count(history.Compare(ctx, history.Side{History: a}, history.Side{History: b}, nil))
		}, 0},
		{"export of the org", func() (int, error) { return count(a.Export(ctx, nil)) }, e.objects + skills},
	} {
		peak := watchHeap()
		began := cpuSeconds()
		n, err := q.ask()
		took := cpuSeconds() - began
		heap := peak()
		if err == nil && n != q.want {
			err = fmt.Errorf("%d answers, want %d", n, q.want)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.what, err)
		}
		rows = append(rows, row{what: q.what, ours: figure{took, "s"}, peer: nobody, note: fmt.Sprintf(
			"%s objects of %.1f KB, %s changes, file store; peak heap %.0f MB", grouped(float64(e.objects)),
			float64(len(e.user(1, 0, 1)))/1000, grouped(float64(e.objects*e.passes)), heap/1e6)})
	}
	pages, err := e.pageRows(ctx, engine)
	return append(rows, pages...), err
}

// skills is how many skills the users have, one each.
const skills = 50

// An estate is an org of users, of which each has changed in every pass.
type estate struct{ objects, passes int }

func uuid(org, kind, n int) string { return fmt.Sprintf("%08x-%04x-4000-8000-%012x", org, kind, n) }

func (e estate) user(org, pass, n int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":"User %d","title":"pass %d of user %d.","routingSkills":[{"id":%q,"proficiency":3}],"notes":%q,"selfUri":"/api/v2/users/%d"}`,
		uuid(org, 1, n), n, pass, n, uuid(org, 0, n%skills), strings.Repeat("agent of the tier two support queue ", 80), n)
}

// record makes the passes and returns a time in the middle of them.
func (e estate) record(ctx context.Context, store storage.Store, org int) (h *history.History, middle time.Time, err error) {
	h, err = history.Open(ctx, store, int64(org), nil)
	if err != nil {
		return nil, middle, err
	}
	var all []history.Object
	for n := range skills {
		all = append(all, history.Object{ID: uuid(org, 0, n), Name: fmt.Sprint("Skill ", n), Body: fmt.Appendf(nil, `{"id":%q}`, uuid(org, 0, n))})
	}
	if err := pass(ctx, h, "routing.skills", all); err != nil {
		return nil, middle, err
	}
	for p := range e.passes + 1 {
		all = all[:0]
		for n := range e.objects {
			all = append(all, history.Object{ID: uuid(org, 1, n), Name: fmt.Sprint("User ", n), Body: e.user(org, p+10-e.passes, n)})
		}
		if err := pass(ctx, h, "users", all); err != nil {
			return nil, middle, err
		}
		if p == e.passes/2 {
			middle = time.Now()
		}
	}
	return h, middle, nil
}

func pass(ctx context.Context, h *history.History, typ string, objects []history.Object) error {
	p, err := h.Begin(ctx, typ, diff.Rules{Ignore: []string{"**.selfUri"}})
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := p.Observe(ctx, o); err != nil {
			return err
		}
	}
	if _, err := p.Settle(ctx, history.Walk{Complete: true}); err != nil {
		return err
	}
	_, err = p.End(ctx)
	return err
}

func count[T any](seq iter.Seq2[T, error]) (n int, err error) {
	for _, err := range seq {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// watchHeap returns a function that returns the largest heap since.
func watchHeap() func() float64 {
	runtime.GC()
	stop, done := make(chan struct{}), make(chan float64)
	go func() {
		var largest uint64
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest = max(largest, m.HeapAlloc)
			select {
			case <-stop:
				done <- float64(largest)
				return
			case <-ticker.C:
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-done
	}
}
