package postgres

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cxsync/cxsync/storage"
)

// A page ends with the row that reaches one of these. The first page is small for
// scans that stop early, then they grow.
const (
	minPageRows, maxPageRows   = 64, 1024
	minPageBytes, maxPageBytes = 64 << 10, 1 << 20
)

// A scan reads a snapshot in pages. What does not fit the first page needs a
// transaction that stays open while the caller's code runs, and its connection,
// which that code may be waiting for. So a scan keeps one only if enough others
// are left, and else reads all the rest at once.
type scan struct {
	store *Store
	conn  *pgxpool.Conn // in a transaction; nil before the first page and at the end; guarded by Store.mu
	held  bool          // has a token of Store.held; guarded by Store.mu
	rest  storage.Range // what is still to be read
	rows  int           // of the next page
	bytes int
}

// Scan implements storage.Store.
func (s *Store) Scan(ctx context.Context, r storage.Range) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		sc := &scan{store: s, rest: r, rows: minPageRows, bytes: minPageBytes}
		defer sc.end()
		for more := true; more; {
			var page []storage.Entry
			var err error
			if page, more, err = sc.next(ctx); err != nil {
				yield(storage.Entry{}, err)
				return
			}
			for _, e := range page {
				if err := s.ready(ctx); err != nil {
					yield(storage.Entry{}, err)
					return
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// next returns the next entries and whether there are more.
func (sc *scan) next(ctx context.Context) (page []storage.Entry, more bool, err error) {
	done, err := sc.store.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	if sc.rest.Empty() {
		return nil, false, nil
	}
	if sc.conn == nil {
		err = sc.store.read(ctx, func() error {
			sc.end()
			page, more, err = sc.first(ctx)
			return err
		})
	} else {
		page, more, err = sc.page(ctx, false)
	}
	for err == nil && more && !sc.hold() {
		var p []storage.Entry
		p, more, err = sc.page(ctx, false)
		page = append(page, p...)
	}
	if !more || err != nil { // the body that gets the error may need the connection
		sc.end()
	}
	if err != nil {
		return nil, false, sc.store.failed(ctx, "", err)
	}
	return page, more, nil
}

// first begins the transaction and returns its first page.
func (sc *scan) first(ctx context.Context) ([]storage.Entry, bool, error) {
	conn, err := sc.store.pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	sc.store.mu.Lock()
	sc.conn = conn
	sc.store.mu.Unlock()
	return sc.page(ctx, true)
}

// hold reports whether the scan may keep its connection while the caller's code
// runs.
func (sc *scan) hold() bool {
	s := sc.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc.held {
		return true
	}
	select {
	case s.held <- struct{}{}:
		s.scans[sc] = struct{}{}
		sc.held = true
	default:
	}
	return sc.held
}

// end ends the transaction and gives its connection back, if there is one.
func (sc *scan) end() {
	s := sc.store
	s.mu.Lock()
	conn, held := sc.conn, sc.held
	sc.conn, sc.held = nil, false
	delete(s.scans, sc)
	s.mu.Unlock()
	if conn == nil {
		return
	}
	// However the scan has ended, its context perhaps too, this still has to be
	// done. A connection that fails to is closed by Release.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, _ = conn.Conn().PgConn().Exec(ctx, "ROLLBACK").ReadAll()
	conn.Release()
	if held {
		<-s.held
	}
}

// page reads the next page in the transaction, which it begins in the same round
// trip if begin.
func (sc *scan) page(ctx context.Context, begin bool) (page []storage.Entry, more bool, err error) {
	var batch pgconn.Batch
	if begin {
		batch.ExecParams("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", nil, nil, nil, nil)
	}
	sql, params := sc.statement()
	batch.ExecParams(sql, params, nil, nil, []int16{1}) // 1 is binary
	results := sc.conn.Conn().PgConn().ExecBatch(ctx, &batch)
	read := 0
	for results.NextResult() {
		rows := results.ResultReader()
		for rows.NextRow() {
			e := storage.Entry{Key: string(rows.Values()[0]), Value: append([]byte{}, rows.Values()[1]...)}
			page = append(page, e)
			read += len(e.Value)
		}
	}
	if err := results.Close(); err != nil {
		return nil, false, err
	}
	more = len(page) == sc.rows || read >= sc.bytes
	if more {
		sc.skip(page[len(page)-1].Key)
	}
	return page, more, nil
}

// statement returns the statement for the next page and its parameters, as text.
// The length of a value is known without reading it.
func (sc *scan) statement() (sql string, params [][]byte) {
	order, upper := "", ""
	if sc.rest.Reverse {
		order = " DESC"
	}
	params = [][]byte{[]byte(sc.rest.Start), strconv.AppendInt(nil, int64(sc.rows), 10), strconv.AppendInt(nil, int64(sc.bytes), 10)}
	if sc.rest.End != "" {
		upper = " AND key < $4::text"
		params = append(params, []byte(sc.rest.End))
	}
	return `SELECT key, value FROM (
		SELECT key, value, sum(octet_length(value)) OVER (ORDER BY key` + order + ` ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before
		FROM ` + sc.store.sql.entries + ` WHERE key >= $1::text` + upper + `
		ORDER BY key` + order + ` LIMIT $2::bigint
	) page WHERE before < $3::bigint`, params
}

// skip makes key the last one that has been read, and the next page larger.
func (sc *scan) skip(key string) {
	if sc.rest.Reverse {
		sc.rest.End = key
	} else {
		sc.rest.Start = storage.After(key)
	}
	sc.rows, sc.bytes = min(4*sc.rows, maxPageRows), min(4*sc.bytes, maxPageBytes)
}
