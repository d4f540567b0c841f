package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/history/diff"
	"github.com/cxsync/cxsync/storage/file"
)

// writtenRows measures what a first import of many objects writes, which come in no order of their ids,
// beside the file that it makes.
func writtenRows(r *run) ([]row, error) {
	before, err := bytesWritten()
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // not on Linux
	} else if err != nil {
		return nil, err
	}
	path := filepath.Join(r.tmp, "written.db")
	store, err := file.Open(path, nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	objects := r.pick(20_000, 200_000)
	peak, began := watchHeap(), time.Now()
	if err := importShuffled(store, objects); err != nil {
		return nil, err
	}
	took, heap := time.Since(began), peak()
	after, err := bytesWritten()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return []row{{
		what: fmt.Sprintf("first import of %s objects, bytes written", grouped(float64(objects))), ours: figure{after - before, "B"},
		peer: "the file that it makes", theirs: figure{float64(info.Size()), "B"},
		note: fmt.Sprintf("%.0f s; peak heap %.0f MB", took.Seconds(), heap/1e6),
	}}, nil
}

// importShuffled makes a first pass over users of an estate.
func importShuffled(store *file.Store, objects int) error {
	ctx := context.Background()
	h, err := history.Open(ctx, store, 1, nil)
	if err != nil {
		return err
	}
	p, err := h.Begin(ctx, "users", diff.Rules{Ignore: []string{"**.selfUri"}})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n, id := range random.Perm(objects) {
		if err := p.Observe(ctx, history.Object{ID: uuid(1, 1, id), Name: fmt.Sprint("User ", n), Body: shuffledUser(random, id)}); err != nil {
			return err
		}
	}
	if _, err := p.Settle(ctx, history.Walk{Complete: true}); err != nil {
		return err
	}
	_, err = p.End(ctx)
	return err
}

// shuffledUser returns the body of a user with skills and a manager drawn at random, so that it hardly compresses.
func shuffledUser(random *rand.Rand, n int) []byte {
	body := fmt.Appendf(nil, `{"id":%q,"name":"User %d","email":"user%d@example.com","version":1,"skills":[`, uuid(1, 1, n), n, n)
	for k := range 12 {
		if k > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"id":"%016x-%d","name":"skill %d","proficiency":%d}`, random.Uint64(), k, random.IntN(500), random.IntN(5))
	}
	return fmt.Appendf(body, `],"manager":"%016x%016x"}`, random.Uint64(), random.Uint64())
}

// bytesWritten returns how many bytes this process has written, which Linux counts.
func bytesWritten() (n float64, err error) {
	f, err := os.Open("/proc/self/io")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "wchar: %g", &n); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("/proc/self/io has no wchar")
}
