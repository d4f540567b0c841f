package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/file"
	"github.com/cxsync/cxsync/storage/storagetest"
)

// storageOps are the benchmarks of storagetest, in their order.
var storageOps = []string{
	"store, import of 50,000 objects", "store, durable commit of 250 changes", "store, scan of 50,000 heads", "store, read of one object",
}

const importOp = 0

// An engine is a store that is measured. The peers are as plain as they can be:
// values as they are, no checksums, requirements or snapshots beyond what they
// bring. Every commit is synced to the disk.
type engine struct {
	name string
	open func(path string) (storage.Store, error)
}

func engines() []engine {
	return []engine{
		{"cxsync", func(path string) (storage.Store, error) { return file.Open(path, nil) }},
		{named("bbolt", "go.etcd.io/bbolt"), openBolt},
		{named("SQLite (modernc)", "modernc.org/sqlite") + ", WAL, FULL", openSQLite},
	}
}

func storageRows(r *run) (rows []row, err error) {
	var all []storageResult
	for _, e := range engines() {
		result, err := r.measureEngine(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		all = append(all, result)
	}
	ours := all[0]
	for op, what := range storageOps {
		for i, peer := range engines()[1:] {
			if all[i+1].seconds[op] == 0 || ours.seconds[op] == 0 {
				continue // left out of a short run
			}
			rows = append(rows, row{
				what: what, ours: figure{ours.seconds[op], "s"}, peer: peer.name, theirs: figure{all[i+1].seconds[op], "s"},
				note: "ours compresses and checks sums",
			})
		}
	}
	for i, peer := range engines()[1:] {
		rows = append(rows, row{
			what: "store, file after the import", ours: figure{ours.size, "B"}, peer: peer.name, theirs: figure{all[i+1].size, "B"},
			note: fmt.Sprintf("%.0f MB of bodies", ours.bodies/1e6),
		})
	}
	return rows, nil
}

// A storageResult is what storagetest's benchmarks say about a store.
type storageResult struct {
	seconds [4]float64 // for one operation, in the order of storageOps
	size    float64    // of the file after the import
	bodies  float64    // bytes of the objects
}

// measureEngine runs the benchmarks of storagetest. They run below one
// benchmark, which would only tell their sum, so each is read when it ends.
func (r *run) measureEngine(e engine) (result storageResult, err error) {
	var ops []*testing.B
	open := func(tb testing.TB) storage.Store {
		tb.Helper()
		b := tb.(*testing.B)
		path := filepath.Join(b.TempDir(), "store.db")
		if len(ops) == 0 || ops[len(ops)-1] != b {
			op := len(ops)
			ops = append(ops, b)
			if r.short && op != importOp {
				b.SkipNow() // each begins with an import
			}
			b.Cleanup(func() { result.seconds[op] = b.Elapsed().Seconds() / float64(b.N) })
		}
		if len(ops)-1 == importOp {
			b.Cleanup(func() {
				if info, err := os.Stat(path); err == nil {
					result.size = float64(info.Size())
				}
			})
		}
		s, openErr := e.open(path)
		if openErr != nil {
			err = openErr
			b.FailNow()
		}
		return s
	}
	testing.Benchmark(func(b *testing.B) {
		b.Helper()
		storagetest.RunBenchmarks(b, storagetest.Harness{Seed: 1, Open: open})
	})
	if err == nil && (len(ops) != len(storageOps) || result.size == 0) {
		err = fmt.Errorf("%d of %d benchmarks of storagetest ran", len(ops), len(storageOps))
	}
	for _, o := range storagetest.Objects(1, 50_000) {
		result.bodies += float64(len(o))
	}
	return result, err
}
