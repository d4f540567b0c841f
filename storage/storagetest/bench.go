package storagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cxsync/cxsync/storage"
)

// Sizes of the benchmarks: an org with many objects, of which a pass finds some
// changed.
const (
	benchObjects = 50_000
	benchImport  = 500 // objects per commit of an import
	benchChanges = 250 // changes per commit of a pass
)

// RunBenchmarks measures the stores of h: an import, a pass with changes, a scan
// of all heads, and reading one object.
func RunBenchmarks(b *testing.B, h Harness) {
	b.Helper()
	b.Run("Import50000", func(b *testing.B) { benchmarkImport(b, h) })
	b.Run("Commit250Changes", func(b *testing.B) { benchmarkCommit(b, h) })
	b.Run("ScanHeads50000", func(b *testing.B) { benchmarkScan(b, h) })
	b.Run("Get", func(b *testing.B) { benchmarkGet(b, h) })
}

func benchmarkImport(b *testing.B, h Harness) {
	b.Helper()
	objects := Objects(h.Seed, benchObjects)
	b.SetBytes(total(objects))
	for b.Loop() {
		b.StopTimer()
		s := h.Open(b)
		b.StartTimer()
		importObjects(b, s, objects)
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func benchmarkCommit(b *testing.B, h Harness) {
	b.Helper()
	objects := Objects(h.Seed, benchObjects)
	s := h.Open(b)
	importObjects(b, s, objects)
	rng := rand.New(rand.NewPCG(h.Seed, 1))
	n := 0
	for b.Loop() {
		commitChanges(b, s, rng, objects, n)
		n++
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// commitChanges changes objects as a pass does: body, head and a change each.
func commitChanges(b *testing.B, s storage.Store, rng *rand.Rand, objects [][]byte, pass int) {
	b.Helper()
	var batch storage.Batch
	for i := range benchChanges {
		o := rng.IntN(len(objects))
		batch.Put(bodyKey(o), objects[rng.IntN(len(objects))])
		batch.Put(headKey(o), head(o, pass))
		batch.Put(fmt.Sprintf("env/1/change/%08d%04d", pass, i), fmt.Appendf(nil, changeRecord, pass, o, i))
	}
	if err := s.Commit(b.Context(), &batch); err != nil {
		b.Fatal(err)
	}
}

func benchmarkScan(b *testing.B, h Harness) {
	b.Helper()
	s := h.Open(b)
	importObjects(b, s, Objects(h.Seed, benchObjects))
	for b.Loop() {
		n := 0
		for _, err := range s.Scan(b.Context(), storage.Prefix("env/1/head/")) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != benchObjects {
			b.Fatalf("%d heads, want %d", n, benchObjects)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func benchmarkGet(b *testing.B, h Harness) {
	b.Helper()
	s := h.Open(b)
	importObjects(b, s, Objects(h.Seed, benchObjects/10))
	rng := rand.New(rand.NewPCG(h.Seed, 2))
	for b.Loop() {
		if _, err := s.Get(b.Context(), bodyKey(rng.IntN(benchObjects/10))); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// importObjects stores a body and a head of each object.
func importObjects(b *testing.B, s storage.Store, objects [][]byte) {
	b.Helper()
	var batch storage.Batch
	for i, o := range objects {
		batch.Put(bodyKey(i), o)
		batch.Put(headKey(i), head(i, 0))
		if (i+1)%benchImport == 0 || i == len(objects)-1 {
			if err := s.Commit(b.Context(), &batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
}

func bodyKey(i int) string { return "env/1/body/user/" + objectID(i) }
func headKey(i int) string { return "env/1/head/user/" + objectID(i) }

// head returns a record of some 100 bytes.
func head(i, pass int) []byte {
	return fmt.Appendf(nil, `{"change":%d,"digest":"%016x%016x","name":"User %d","seen":%d}`, pass*benchChanges+i, mix(i), mix(i+pass), i, pass)
}

const changeRecord = `{"pass":%d,"type":"user","object":%d,"kind":"updated","seq":%d,"fields":[{"op":"replace","path":"/title",` +
	`"old":"Agent","new":"Senior Agent"},{"op":"add","path":"/skills/3","new":{"id":"6fa459ea-ee8a-3ca4-894e-db77e160355e","rank":3}}]}`

func total(objects [][]byte) (n int64) {
	for _, o := range objects {
		n += int64(len(o))
	}
	return n
}
