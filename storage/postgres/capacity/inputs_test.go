//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/genesys/genesystest"
	"github.com/cxsync/cxsync/storage"
	"github.com/cxsync/cxsync/storage/memory"
	"github.com/cxsync/cxsync/storage/postgres"
	"github.com/cxsync/cxsync/storage/postgres/postgrestest"
)

// TestDocumentation holds the table in the package's documentation against what
// the program prints.
func TestDocumentation(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out, nil))
	var comment strings.Builder
	for line := range strings.Lines(out.String()) {
		comment.WriteString(strings.TrimRight("//\t"+line, "\t\n") + "\n")
	}
	doc, err := os.ReadFile("../doc.go")
	require.NoError(t, err)
	if !strings.Contains(string(doc), comment.String()) {
		t.Errorf("doc.go does not have what the program prints:\n%s", comment.String())
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-orgs 10,x":   `"x" is no number`,
		"-processes 0": "processes, connections",
		"-pages -1":    "0 or more",
		"-audits 30s":  "at least 1m",
		"1000":         "is no flag",
	} {
		require.ErrorContains(t, run(io.Discard, strings.Fields(args)), want)
	}
}

// is checks a constant of the model that does not depend on the machine.
func is(t *testing.T, name string, modelled, measured, tolerance float64) {
	t.Helper()
	t.Logf("%-14s %10.5g, in the model %g", name, measured, modelled)
	if measured < modelled*(1-tolerance) || measured > modelled*(1+tolerance) {
		t.Errorf("%s: %g in the model, measured %.5g", name, modelled, measured)
	}
}

// machine prints a constant of the model that is the machine's.
func machine(t *testing.T, name string, modelled, measured float64) {
	t.Helper()
	t.Logf("%-14s %10.5g, in the model %g", name, measured, modelled)
}

func TestCapacityInputs(t *testing.T) {
	b := &bench{parts: map[string]tape{}}
	synctest.Test(t, b.statements)
	synctest.Test(t, b.audits)
	requests(t)
	server, err := postgrestest.Launch(t.Context())
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	b.conn, err = pgx.Connect(t.Context(), server.DSN())
	require.NoError(t, err)
	b.store, err = postgres.Open(t.Context(), server.DSN()+" pool_max_conns=16", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.store.Close()) }()
	b.ceilings(t)
	b.exec(t, "ALTER SYSTEM SET fsync = off")               // what follows measures bytes,
	b.exec(t, "ALTER SYSTEM SET checkpoint_timeout = '1h'") // however slow the machine is
	b.exec(t, "SELECT pg_reload_conf()")
	b.bytes(t)
	b.cpu(t)
	b.exec(t, "TRUNCATE cxsync.entries")
	b.auditBytes(t)
}

// A bench is what the measurements share.
type bench struct {
	world *world          // of one process
	parts map[string]tape // of it
	store *postgres.Store
	conn  *pgx.Conn
	tail  *audited
}

// statements counts what processes ask of the store in an hour in which nothing
// changes. The tape of one goes on with changes.
func (b *bench) statements(t *testing.T) {
	w := newWorld(t, 1, environment.Record{})
	b.world, b.parts["import"] = w, w.take()
	before, hour := w.hour(t)
	b.parts["before"], b.parts["hour"] = before, hour
	n, reads, commits := float64(w.passes.Load()), hour.reads, hour.commits()
	counters := reads["/state"] // once by each pass; the others by consumers
	is(t, "passReads", passReads, (reads["pass"]+n)/n, 0.02)
	is(t, "passCommits", passCommits, commits["pass"]/n, 0.02)
	is(t, "passSwaps", passSwaps, commits["quota/"]/n, 0.25)
	is(t, "lookReads", lookReads, (reads["/consumer/"]+counters-n)/(3600/lease*6+n), 0.05)
	is(t, "renewals", 4/lease, commits["/lease/consumer/"]/3600, 0.02)
	b.parts["end"] = w.take()
	for _, edits := range []int{0, 1, 101} {
		w.edit(t, edits)
		b.parts[strconv.Itoa(edits)] = w.take()
	}
	is(t, "changes take no commit of their own", b.parts["0"].commits()["pass"], b.parts["1"].commits()["pass"], 0)

	types := []string{"users"}
	for o := range genesys.DefaultCatalogue().All() {
		if o.Default && o.Parent == "" && o.Name != "users" && len(types) < 20 {
			types = append(types, o.Name)
		}
	}
	some := environment.Record{Types: types}
	alone, two, three := newWorld(t, 1, some), newWorld(t, 1, some), newWorld(t, 3, some)
	add(t, two.engines[0], environment.Record{Name: "Fabrikam", Types: types})
	_, one := alone.hour(t)
	_, both := two.hour(t)
	_, all := three.hour(t)
	is(t, "looks for passes of another environment", 0, (both.reads["/consumer/"]-one.reads["/consumer/"])/lookReads/float64(len(types)), 0.3)
	others := 2 * float64(len(types))
	is(t, "otherReads", otherReads, (all.reads["pass"]-one.reads["pass"])/others, 0.15)
	is(t, "commits of the other processes", 0, (all.commits()["pass"]-one.commits()["pass"])/others, 0.1)
	is(t, "sharedSwaps", sharedSwaps, all.commits()["quota/"]/float64(len(types)), 0.25)
	is(t, "waitReads", waitReads*6/lease, all.reads["/lease/consumer/"]/2/3600, 0.02)
}

// lease is the default of environment.Options.Lease in seconds.
const lease = 30.0

// requests fits the requests of two orgs in which nothing changes.
func requests(t *testing.T) {
	t.Helper()
	var objects, perHour [2]float64
	types := 0
	for i, size := range []int{25, 500} {
		org := genesystest.New(&genesystest.Options{Size: size, RateLimit: -1})
		store := memory.New()
		vault, err := environment.NewKeyVault(environment.NewKey())
		require.NoError(t, err)
		e, err := environment.Open(store, &environment.Options{Vault: vault, Transport: org.Transport()})
		require.NoError(t, err)
		r := add(t, e, environment.Record{Name: "Contoso"})
		for _, err := range store.Scan(t.Context(), storage.Prefix("history/1/head/")) {
			require.NoError(t, err)
			objects[i]++
		}
		f, err := e.Forecast(t.Context(), r.ID)
		require.NoError(t, err)
		perHour[i], types = f.PerDay/24, len(f.Types)
	}
	slope := (perHour[1] - perHour[0]) / (objects[1] - objects[0])
	is(t, "catalogue", float64(defaultTypes()), float64(types), 0)
	is(t, "objectRequests", objectRequests, slope, 0.05)
	is(t, "typeRequests", typeRequests, (perHour[0]-slope*objects[0])/float64(types), 0.05)
}

// ceilings measures how much of one thing the server does in a second.
func (b *bench) ceilings(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		conns    int
		modelled float64
	}{{1, commits1}, {4, commits4}, {16, commits16}} {
		machine(t, "commits"+strconv.Itoa(c.conns), c.modelled, b.perSecond(t, c.conns, func(ctx context.Context, key string, n int) error {
			var batch storage.Batch
			batch.Put(key+"/a", []byte(`{"until":"2026-11-23T03:04:05.678901234Z"}`))
			batch.Put(key+"/b", strconv.AppendInt(nil, int64(n), 10))
			return b.store.Commit(ctx, &batch)
		}))
	}
	machine(t, "gets16", gets16, b.perSecond(t, 16, func(ctx context.Context, key string, _ int) error {
		_, err := b.store.Get(ctx, key+"/a")
		return err
	}))
}

// perSecond calls f from so many goroutines, each with a key of an environment of its own.
func (b *bench) perSecond(t *testing.T, goroutines int, f func(ctx context.Context, key string, n int) error) float64 {
	t.Helper()
	const long = 400 * time.Millisecond
	var calls atomic.Int64
	var running sync.WaitGroup
	for i := range goroutines {
		running.Go(func() {
			key := storage.Key("environment", strconv.Itoa(1000+i))
			for n, began := 0, time.Now(); time.Since(began) < long; n++ {
				if err := f(t.Context(), key, n); err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	running.Wait()
	return float64(calls.Load()) / long.Seconds()
}

// bytes plays the tape to the server.
func (b *bench) bytes(t *testing.T) {
	t.Helper()
	b.load(t, "import")
	b.exec(t, "VACUUM cxsync.entries")
	content := "sum(octet_length(key) + pg_column_size(value))"
	row := func(what, of string) float64 {
		return b.number(t, "avg("+what+") FROM cxsync.entries WHERE key LIKE 'history/1/"+of+"/%'")
	}
	rows := b.number(t, "count(*) FROM cxsync.entries")
	is(t, "rowBytes", rowBytes, (b.number(t, "pg_table_size('cxsync.entries')")-b.number(t, content+" FROM cxsync.entries"))/rows, 0.1)
	is(t, "indexBytes", indexBytes, b.number(t, "pg_relation_size('cxsync.entries_pkey')")/rows, 0.1)
	is(t, "objectKey", objectKey, row("octet_length(key)", "head"), 0.05)
	is(t, "headBytes", headBytes, row("pg_column_size(value)", "head"), 0.05)
	objects := b.number(t, "count(*) FROM cxsync.entries WHERE key LIKE 'history/1/head/%'")
	is(t, "firstBytes", firstBytes, b.number(t, "sum(octet_length(value)) FROM cxsync.entries WHERE key LIKE 'history/1/log/%'")/objects, 0.05)

	whole := Load{Orgs: 1, Objects: int(objects), Body: int(row("pg_column_size(value)", "body")), Types: defaultTypes(), Every: time.Hour, Processes: 1, Consumers: 1, Lease: lease * time.Second}.need()
	parents := b.number(t, "count(*) FROM cxsync.entries WHERE key LIKE 'history/1/parent/%'")
	is(t, "parentRows", parentRows, parents/objects, 0.1)
	is(t, "parentBytes", parentBytes, b.number(t, content+" FROM cxsync.entries WHERE key LIKE 'history/1/parent/%'")/parents, 0.1)
	is(t, "rows", whole.Now.Rows, rows, 0.05)
	is(t, "table", whole.Now.Table, b.number(t, "pg_table_size('cxsync.entries')"), 0.1)
	is(t, "commits", whole.commits()*3600, float64(len(b.parts["hour"].batches)), 0.05)

	b.load(t, "before")
	hour := b.play(t, "hour")
	count := b.parts["hour"].commits()
	types := float64(defaultTypes())
	perType := "FROM cxsync.entries WHERE key ~ '^environment/0000000001/(lease|type|due)/|^history/1/pass/'"
	is(t, "typeRows", typeRows, b.number(t, "count(*) "+perType)/types, 0.05)
	is(t, "typeBytes", typeBytes, b.number(t, content+" "+perType)/types, 0.05)
	is(t, "passWAL", passWAL, hour["pass"]/types, 0.15)
	is(t, "swapWAL", swapWAL, hour["quota/"]/count["quota/"], 0.3)
	is(t, "leaseWAL", leaseWAL, hour["/lease/consumer/"]/count["/lease/consumer/"], 0.3)

	b.load(t, "end")
	idle := b.play(t, "0")["pass"]
	b.load(t, "1")
	many := b.play(t, "101")["pass"]
	is(t, "changeWAL", changeWAL, (many-idle)/101, 0.15)
	newest := "FROM (SELECT * FROM cxsync.entries WHERE key LIKE 'history/1/log/%' ORDER BY key DESC LIMIT 2) AS newest"
	large, small := b.number(t, "max(octet_length(value)) "+newest), b.number(t, "min(octet_length(value)) "+newest)
	is(t, "changeBytes", changeBytes, (large-small)/100, 0.1)
	is(t, "frameBytes", frameBytes, small-(large-small)/100+b.number(t, "max(octet_length(key)) "+newest), 0.1)
}

// load commits a part of the tape.
func (b *bench) load(t *testing.T, part string) {
	t.Helper()
	for _, batch := range b.parts[part].batches {
		require.NoError(t, b.store.Commit(t.Context(), batch))
	}
}

// play commits a part of the tape after a checkpoint, with another one before each reading of
// audits, and returns the bytes of WAL by purpose.
func (b *bench) play(t *testing.T, part string) map[string]float64 {
	t.Helper()
	b.exec(t, "CHECKPOINT")
	position := func() float64 { return b.number(t, "pg_current_wal_insert_lsn() - '0/0'") }
	wal := map[string]float64{}
	before, audits := position(), 0
	for _, batch := range b.parts[part].batches {
		if purpose(batch) == "audits" {
			if audits++; audits%tailCommits == 1 {
				b.exec(t, "CHECKPOINT")
				before = position()
			}
		}
		require.NoError(t, b.store.Commit(t.Context(), batch))
		after := position()
		wal[purpose(batch)] += after - before
		before = after
	}
	return wal
}

// cpu goes on where the tape ends, in an org that gives the same answers again.
func (b *bench) cpu(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	e, err := environment.Open(b.store, &environment.Options{Vault: b.world.vault, Instance: "0", Transport: &pages{known: b.world.net.known}})
	require.NoError(t, err)
	r, err := e.Get(ctx, b.world.record.ID)
	require.NoError(t, err)
	r.RateLimitMinute = 0
	_, err = e.Update(ctx, r, nil)
	require.NoError(t, err)
	_, err = e.Import(ctx, r.ID, nil)
	require.NoError(t, err)
	objects := b.number(t, "count(*) FROM cxsync.entries WHERE key LIKE 'history/1/head/%'")
	round := seconds(t, func() { _, err = e.Import(ctx, r.ID, nil) })
	require.NoError(t, err)
	const times = 5
	large := seconds(t, func() {
		for range times {
			_, err = e.Poll(ctx, r.ID, "users")
			require.NoError(t, err)
		}
	}) / times
	small := (round - large) / float64(defaultTypes()-1)
	object := (large - small) / users
	machine(t, "objectCPU", objectCPU, object)
	machine(t, "passCPU", passCPU, small-object*(objects-users)/float64(defaultTypes()-1))

	heads, began := 0, time.Now()
	for range times {
		for _, err := range b.store.Scan(ctx, storage.Prefix("history/1/head/users/")) {
			require.NoError(t, err)
			heads++
		}
	}
	machine(t, "heads1", heads1, float64(heads)/time.Since(began).Seconds())
	const gets = 1000
	machine(t, "statementCPU", statementCPU, seconds(t, func() {
		for range gets {
			_, err := b.store.Get(ctx, "environments-news")
			require.NoError(t, err)
		}
	})/gets)
}

// seconds returns the CPU time of this process, not of the server, during f.
func seconds(t *testing.T, f func()) float64 {
	t.Helper()
	used := func() float64 {
		var u syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	before := used()
	f()
	return used() - before
}

func (b *bench) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := b.conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func (b *bench) number(t *testing.T, sql string) (n float64) {
	t.Helper()
	// The type of what is asked for varies.
	require.NoError(t, b.conn.QueryRow(t.Context(), "SELECT float8(n) FROM (SELECT "+sql+") AS answer(n)").Scan(&n))
	return n
}
