//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxsync/cxsync/environment"
	"github.com/cxsync/cxsync/environment/console"
	"github.com/cxsync/cxsync/genesys"
	"github.com/cxsync/cxsync/history"
	"github.com/cxsync/cxsync/poller"
	"github.com/cxsync/cxsync/storage"
)

// An audited is a world whose audits are read every five minutes. Its types are polled once, early on
// the second day, so that all else comes of the audits.
type audited struct {
	*world
	person   string
	types    []string // of which one object a day is edited
	readings float64  // of the last day
}

const (
	auditMinutes   = environment.DefaultAuditMinutes
	readingsAnHour = 60.0 / auditMinutes
	editsTogether  = 7 // between two readings, as 2,000 a day are
)

func newAudited(t *testing.T, processes int, types ...string) *audited {
	t.Helper()
	a := &audited{world: newWorld(t, processes, environment.Record{
		Types: types, AuditMinutes: auditMinutes, Polling: []poller.Entry{{Type: poller.AllObjects, Cron: "0 3 2 * *"}},
	})}
	for a.person = range a.org.Objects("users") {
		break
	}
	for o := range genesys.DefaultCatalogue().All() {
		if o.Default && o.Audit.Entity != "" && o.Audit.How != genesys.AuditNone {
			a.types = append(a.types, o.Name)
		}
	}
	return a
}

// day runs the process until a time of a day and then for a while in which a person edits one object of
// each type. It returns the tapes of both.
func (a *audited) day(t *testing.T, at time.Time) (before, day tape) {
	t.Helper()
	time.Sleep(time.Until(at.Add(-time.Hour)))
	defer a.run(t, false)()
	time.Sleep(time.Until(at))
	before = a.take()
	a.org.ClearRequests()
	readings := a.status(t).Readings
	for i, name := range a.types {
		for id := range a.org.Objects(name) {
			require.NoError(t, a.org.As(a.person).Update(name, id, map[string]any{"description": time.Now().String()}))
			break
		}
		if i%editsTogether == 0 {
			time.Sleep(auditMinutes * time.Minute)
		}
	}
	time.Sleep(4 * auditMinutes * time.Minute)
	a.readings = float64(a.status(t).Readings - readings)
	return before, a.take()
}

func (a *audited) status(t *testing.T) environment.AuditStatus {
	t.Helper()
	s, err := a.engines[0].Status(t.Context(), a.record.ID)
	require.NoError(t, err)
	require.Empty(t, s.Audits.Failed)
	return s.Audits
}

// audits counts what readings of audits take: in an hour in which nobody edits, and on a day of which
// the two before were alike, so that changes are attributed, settled and let go in it.
func (b *bench) audits(t *testing.T) {
	a := newAudited(t, 1)
	b.tail = a
	first := time.Now().Truncate(24 * time.Hour).Add(6 * time.Hour)
	stop := a.run(t, false)
	time.Sleep(time.Hour)
	b.parts["tail before"] = a.take()
	a.org.ClearRequests()
	computed := seconds(t, func() { time.Sleep(time.Hour) })
	quiet := a.take()
	b.parts["tail quiet"] = quiet
	stop()
	machine(t, "tailCPU", tailCPU, computed/readingsAnHour)
	is(t, "tailRequests", tailRequests, float64(len(a.org.Requests()))/readingsAnHour, 0.1)
	is(t, "tailCommits", tailCommits, quiet.commits()["audits"]/readingsAnHour, 0.02)
	is(t, "tailSwaps", tailSwaps, quiet.commits()["quota/"]/readingsAnHour, 0.25)
	is(t, "tailReads", tailReads, quiet.all()/readingsAnHour, 0.1)

	before, edits := a.day(t, first)
	evidence, edited := a.count(t, "evidence"), len(a.types)
	a.keepTypes(t)
	between, again := a.day(t, first.Add(24*time.Hour))
	is(t, "evidenceRows", evidenceRows, (a.count(t, "evidence")-evidence)/float64(len(a.types)), 0.1)
	for _, part := range []tape{before, edits, between, again} {
		b.parts["tail days"] = tape{batches: append(b.parts["tail days"].batches, part.batches...)}
	}
	after, day := a.day(t, first.Add(48*time.Hour))
	b.parts["tail after"], b.parts["tail day"] = after, day
	t.Logf("an edit of %d types of %d is read on a hint", len(a.types), edited)
	a.hints(t, day)
	a.take()
	a.page(t)
	tails(t)
}

// hints counts what readings on hints take.
func (a *audited) hints(t *testing.T, day tape) {
	t.Helper()
	edits := float64(len(a.types))
	requests := 0.0
	for _, r := range a.org.Requests() {
		if r.Type != "" {
			requests++
		}
	}
	is(t, "hintRequests", hintRequests, requests/edits, 0.1)
	is(t, "hintCommits", hintCommits, day.commits()["pass"]/edits, 0.1)
	is(t, "hintSwaps", hintSwaps, (day.commits()["quota/"]-a.readings*tailSwaps)/edits, 0.25)
	is(t, "hintReads", hintReads, (day.all()-a.readings*tailReads)/edits, 0.1)
	is(t, "hintLooks", hintLooks, day.rows["environment/0000000001/type"]/float64(defaultTypes())/a.readings, 0.1)
	kept := a.count(t, "fact") + a.count(t, "evidence")
	is(t, "rows read of those kept", 1, (day.rows["history/1/fact"]+day.rows["history/1/evidence"])/a.readings/kept, 0.15)
}

// tails counts what readings take of each other process.
func tails(t *testing.T) {
	t.Helper()
	const hours = 12
	var tails [2]tape
	for i, processes := range []int{1, 3} {
		w := newAudited(t, processes, "users")
		w.apart = 97 * time.Second
		stop := w.run(t, false)
		time.Sleep(time.Hour)
		w.take()
		time.Sleep(hours * time.Hour)
		tails[i] = w.take()
		stop()
	}
	others := 2 * hours * readingsAnHour
	is(t, "otherTailReads", otherTailReads, (tails[1].all()-tails[0].all())/others, 0.3)
	is(t, "tailCommits, of all processes", tailCommits, tails[1].commits()["audits"]/hours/readingsAnHour, 0.4)
}

// timeline returns what asks a console for the page of changes.
func timeline(t *testing.T, e *environment.Engine) (ask func()) {
	t.Helper()
	handler, err := console.New(e, nil)
	require.NoError(t, err)
	return func() {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/e/1/", nil))
		require.Equal(t, http.StatusOK, answer.Code)
		require.Contains(t, answer.Body.String(), "Older")
	}
}

// page counts what a page of the console takes.
func (a *audited) page(t *testing.T) {
	t.Helper()
	timeline(t, a.engines[0])()
	page := a.take()
	is(t, "pageReads", pageReads, page.all(), 0.1)
	rows := 0.0
	for what, n := range page.rows {
		if strings.HasPrefix(what, "environment/") || what == "history/1/pass" {
			rows += n
		}
	}
	is(t, "pageTypeRows", pageTypeRows, rows/float64(defaultTypes()), 0.02)
	is(t, "facts that a page reads", 0, page.rows["history/1/fact"], 0)
	is(t, "changes that a page reads", 51, page.rows["history/1/log"], 0)
}

// auditBytes plays the tape of the audits to the server.
func (b *bench) auditBytes(t *testing.T) {
	t.Helper()
	ctx, a := t.Context(), b.tail
	edits := float64(len(a.types))
	b.exec(t, "ALTER SYSTEM SET autovacuum = off")
	b.exec(t, "SELECT pg_reload_conf()")
	b.load(t, "tail before")
	b.exec(t, "VACUUM cxsync.entries")
	is(t, "tailWAL", tailWAL, b.play(t, "tail quiet")["audits"]/readingsAnHour, 0.2)
	b.load(t, "tail days")
	content := func(kind string) float64 {
		return b.number(t, "avg(octet_length(key) + pg_column_size(value)) FROM cxsync.entries WHERE key LIKE 'history/1/"+kind+"/%'")
	}
	is(t, "whoBytes", whoBytes, content("who"), 0.1)
	is(t, "factBytes", factBytes, content("fact"), 0.1)
	is(t, "evidenceBytes", evidenceBytes, content("evidence"), 0.1)
	b.load(t, "tail after")
	b.exec(t, "VACUUM cxsync.entries")
	wal := b.play(t, "tail day")
	is(t, "whoWAL", whoWAL, (wal["audits"]-a.readings*tailWAL)/edits, 0.2)
	is(t, "hintWAL", hintWAL, wal["pass"]/edits-changeWAL, 0.3)

	e, err := environment.Open(b.store, &environment.Options{Vault: a.vault})
	require.NoError(t, err)
	const times = 20
	rows := 0.0
	scanned := seconds(t, func() {
		for range times {
			for entry, err := range b.store.Scan(ctx, storage.Prefix("history/1/fact/")) {
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(entry.Value, new(map[string]any)))
				rows++
			}
		}
	})
	machine(t, "rowCPU", rowCPU, scanned/rows)
	ask := timeline(t, e)
	ask()
	machine(t, "pageCPU", pageCPU, seconds(t, func() {
		for range times {
			ask()
		}
	})/times)
}

// keepTypes leaves the types of which an edit was seen.
func (a *audited) keepTypes(t *testing.T) {
	t.Helper()
	h, err := a.engines[0].History(t.Context(), a.record.ID)
	require.NoError(t, err)
	seen := map[string]bool{}
	for c, err := range h.Changes(t.Context(), history.Query{}) {
		require.NoError(t, err)
		seen[c.Type] = true
	}
	var types []string
	for _, name := range a.types {
		if seen[name] {
			types = append(types, name)
		}
	}
	a.types = types
}

// count counts what the history keeps of a kind.
func (a *audited) count(t *testing.T, kind string) (n float64) {
	t.Helper()
	for _, err := range a.Store.Scan(t.Context(), storage.Prefix("history/1/"+kind+"/")) {
		require.NoError(t, err)
		n++
	}
	return n
}
