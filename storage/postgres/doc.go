// Package postgres keeps a [storage.Store] in a schema of a PostgreSQL database,
// version 15 or newer, through pgx. Several processes share one store: what they
// commit is serial, so leases, quotas and histories hold across machines, whatever
// the clocks of the machines say: see [storage.Leases].
//
//	store, err := postgres.Open(ctx, dsn, nil) // postgres://cxsync@db.example.com/ops?sslmode=verify-full
//	engine, err := environment.Open(store, &environment.Options{Vault: vault})
//
// The vault of each process needs the same key, because the client secrets in the
// store are sealed with it. The module is one of its own: go get
// github.com/cxsync/cxsync/storage/postgres. A release tags it and the main module,
// with one version. A server to try it with takes two commands, which examples/README.md has; a
// test starts one with postgrestest.Start.
//
// # Durability
//
// A commit that has returned nil is as durable as the server makes it: it
// survives the end of this process and of the server, and a power failure as far
// as the disk keeps what it has synced. A commit waits for that even where
// synchronous_commit is off. With asynchronous replication a failover to a standby
// loses the last commits that the standby has not received, and what was read of
// them; set synchronous_standby_names to rule that out. A standby cannot hold a
// store open, because it takes no commits: with several hosts in the DSN add
// target_session_attrs=read-write.
//
// When a connection breaks during a commit its outcome is unknown, and the error
// says so by being none of the errors of package storage: see [storage.Store].
// Nothing is tried again then. What the server refused (a deadlock, a lock that
// took too long) is tried again for as long as the context lasts. Reads are
// tried once more when their connection was broken, so after a restart of the
// server the next call works.
//
// Damage that the server finds, if its cluster has data checksums, is reported as
// ErrCorrupt.
//
// # Isolation
//
// A commit is one call of a function in the schema: one round trip, one READ
// COMMITTED transaction. It first takes advisory locks: one for each prefix of
// two parts that its keys have, such as "history/1", exclusive if it changes
// something there and shared if it only requires something; and one for the
// store, shared, or exclusive if it deletes a range that is not below one prefix.
// Locks are taken in one order, so there are no deadlocks. Then it checks the
// requirements and applies the batch. Of two commits that could see each other
// one waits for the other, so there is no write skew, not even about an absent
// key or a deleted range, which row locks would not cover. Commits of different
// environments do not meet. Those of one environment would gain nothing from
// finer locks: each replaces the same counters.
//
// Where the default of the server, database or role is another isolation, a commit
// begins its own transaction, which takes three round trips.
//
// SERIALIZABLE does the work first and detects the conflict behind it. Measured
// with 8 clients and commits of 25 values, it reached 85 % of the throughput for
// environments of their own, and within one environment 75 %, with two retries
// for each commit.
//
// Readers take no locks and wait for nobody.
//
// # Connections
//
// A call uses one connection of the pool while it runs. A [Store.Scan] that needs
// more than its first page (64 rows, 64 KiB) keeps its connection, in a REPEATABLE
// READ transaction, until it ends; at most half of the pool is kept so, and a scan
// beyond that, or in a pool of one connection, reads the rest into memory first.
// So nothing waits for a connection that the body of a scan would have to give
// back. Four connections (pool_max_conns=4 in the DSN) suit a process. Several
// stores on one pool need two for each. When a connection breaks, the pool
// renews all of them.
//
// The transaction of a long scan keeps the server from cleaning up the rows that
// are replaced meanwhile, in the whole database, and the server's
// idle_in_transaction_session_timeout ends it. Do not wait for people in the body.
//
// TLS and its certificates (sslmode, sslrootcert), connect_timeout, several hosts
// and the settings of the pool are in the DSN, as pgx and libpq have them.
// Timeouts of a call are those of its context; the server's statement_timeout
// and lock_timeout apply as well. A commit that waits for a lock is ended on the
// server when its context ends. Open sets up its pool for that; a pool for [New]
// does it with
//
//	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
//		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 2 * time.Second}
//	}
//
// and without it such a commit may still be stored up to 10 seconds after its
// call has returned an error.
//
// Calls leave nothing behind in the session, neither prepared statements nor
// locks nor settings, and keep to one transaction. So PgBouncer's transaction
// mode is enough; its statement mode is not, because of the scans and the migrations.
//
// # Schema and permissions
//
// Everything is in one schema, see [Options]. Open creates it and migrates an
// older one, in transactions, while any number of processes does the same. A
// program refuses a schema that is newer than itself. The owner of the schema
// needs the right to create it:
//
//	GRANT CREATE ON DATABASE db TO owner;   -- or CREATE SCHEMA cxsync AUTHORIZATION owner
//
// A role that only uses a store that is there, with [Options.NoMigrate], needs
//
//	GRANT USAGE ON SCHEMA cxsync TO app;
//	GRANT SELECT ON cxsync.schema_version TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON cxsync.entries TO app;
//
// The database must have the encoding UTF8; any collation will do.
//
// The table entries has one row per key: key, in bytewise order, and value, as it
// was put, which the server compresses. Back it up with pg_dump or by archiving
// the WAL, and leave cleaning up to autovacuum, for which the table is set up:
// there is no Backup, Compact or Verify.
//
// # Views
//
// What the store holds is in views as well, for people and for reports:
//
//	environments    id, name, is_production, base_url, client_id, rate limits, polling, retention_days, ignore, types, paused, created, updated, deleting
//	objects         environment, type, id, name, parent, live, first_seen, changed, seq (of its newest change), body
//	changes         environment, seq, type, id, name, kind, at (seen), after (it happened after this), who, actors (a list), settled
//	field_changes   environment, seq (of the change), ordinal, path, label, op, moved_from, old, new
//	passes          environment, type, number, started, ended, complete, reason, objects, imported, created, updated, deleted, restored, unchanged, withheld
//
// who, actors and settled are what audits tell, as in history.Attribution; they are null where there are none.
// An object that was deleted stays in objects, with live false and its last body.
// Changes that retention has removed are gone here too. Bodies and values are
// jsonb; \u0000, half a surrogate pair and broken UTF-8, which jsonb cannot hold,
// show as U+FFFD, and a value that is no JSON as NULL. An id that is no text
// shows as it is in its key, with %XX. A number that jsonb cannot hold, such as
// 1e200000, shows as a string, and in long values every number with an exponent of four
// digits does.
//
// A condition on environment keeps a query from reading the others; all other
// conditions are checked row by row. The views run with the rights of their
// owner, so a role that reads them cannot read the sealed secrets in the entries:
//
//	GRANT USAGE ON SCHEMA cxsync TO reports;
//	GRANT SELECT ON cxsync.environments, cxsync.objects, cxsync.changes, cxsync.field_changes, cxsync.passes TO reports;
//
// Do not grant it entries, nor ALL TABLES IN SCHEMA.
//
// # Capacity
//
// The program capacity computes what a number of environments takes, and what
// breaks first:
//
//	go -C storage/postgres run ./capacity -orgs 100,1000 -processes 3 -every 4h
//
// Without flags it is about large orgs with the defaults of package environment, audits
// included, and a server with 16 GiB of memory and the settings that PostgreSQL comes with,
// and prints
//
//	20000 objects of 1500 bytes, 331 types every 1h0m0s, 2000 changes a day, kept 365 days;
//	consumers of each org: 1, followed in all processes; audits every 5m0s; pages of the console an hour: 1000
//
//	orgs                                    1              100             1000
//	processes                               2                2                2
//	passes/s                            0.092              9.2               92
//	commits/s                            0.66               66              660
//	  passes                             0.19               19              190
//	  quotas                             0.21               21              210
//	  consumers                          0.16               16              160
//	  audits                            0.010              1.0               10
//	  hints                             0.088              8.8               88
//	small reads/s                         7.5              340             3.4k
//	  passes                              1.4              140             1.4k
//	  the other processes                0.75               75              750
//	  consumers                          0.50               50              500
//	  waiting for consumers              0.20               20              200
//	  audits                            0.068              6.8               68
//	  hints                              0.46               46              460
//	  console                             4.2              4.2              4.2
//	rows scanned/s                        380             4.2k              39k
//	  passes                              5.6              560             5.6k
//	  audits                               31             3.1k              31k
//	  hints                               2.3              230             2.3k
//	  console                             340              340              340
//	WAL a day                           210MB             21GB            210GB
//	rows, imported                        44k             4.4M              44M
//	  table, index                47MB, 6.8MB     4.7GB, 680MB      47GB, 6.8GB
//	rows, a month more                   130k              13M             130M
//	  table, index                 53MB, 20MB     5.3GB, 2.0GB       53GB, 20GB
//	rows, in the end                     1.5M             150M             1.5G
//	  table, index               630MB, 230MB       63GB, 23GB     630GB, 230GB
//	connections                             8                8                8
//	requests a day and org                52k              52k              52k
//	  passes                              49k              49k              49k
//	  audits                              290              290              290
//	  hints                              3.1k             3.1k             3.1k
//	cores of all processes              0.007            0.065             0.59
//
//	1 orgs, of what there is:
//	  quota           87 %  slower schedules for the large types, fewer types
//
//	100 orgs, of what there is:
//	  quota           87 %  slower schedules for the large types, fewer types
//
//	1000 orgs, of what there is:
//	  memory         140 %  more memory; then several databases by environment
//	  WAL            130 %  raise max_wal_size; slower schedules
//	  quota           87 %  slower schedules for the large types, fewer types
//
// Only the newest change of an object stays beyond the retention, so "in the end"
// is one retention after the import. The quota is that of one org, and does not
// depend on how many there are.
//
// All changes are taken to be made by people, so that audits tell of each, and each is read on
// a hint within minutes. Who made it is a row of its own for as long as the change is kept, which
// doubles the rows. For two days the audit records and what is known of each change are kept as
// well, and each reading of the audits reads them all. An org that wants audits asked for by
// service takes more than one request a reading, at most 1 % of its quota. Hints take at most 10 %.
//
// A page of the console is a timeline. One that is open in a browser asks every ten seconds
// whether there is news, which reads the log alone: less than 360 pages an hour. The page of
// all environments takes as much as the 50 that it shows.
//
// The figures behind this come from the test TestCapacityInputs, with -v:
// statements, bytes and WAL are counted, those of processes that poll a local
// org on schedule, and in which a person then edits an object of each type. What the
// server does in a second was measured on a virtual machine with two cores,
// which the clients and other work shared: 270 to 2,400
// small commits with one connection, 1,200 to 2,400 with 4, 3,600 to 4,200 with
// 16, on a disk whose cache may answer for it. The disk decides: measure yours,
// and take commits as the first of all limits on one that syncs slowly.
//
// What to do, in this order:
//
//   - 1 or 100 orgs: nothing for the server. An org of 20,000 objects takes most of
//     60,000 requests a day, so poll its large types less often. One process is enough; a
//     second takes over when it ends.
//   - 1,000 orgs: two or three processes, not ten: every process looks at every
//     tick, and with ten that is most of the reads. Raise max_wal_size to 8 GB, and give the
//     server 32 GB of memory: for the index and the heads, which every round reads, and
//     for what is kept of the changes of two days.
//   - 10,000 orgs (with -orgs 10000): ten databases of 1,000 environments, on several servers,
//     each with two or three processes of its own. Nothing goes from one environment to
//     another, so it does not matter which one is where. Partitions of entries by
//     hash of key are no way around that: they let several autovacuum workers at the
//     table and keep its indexes small, but commits, reads and WAL stay.
//
// Connections are the last to run out: 4 for each process, and PgBouncer in
// transaction mode where there are more than max_connections allows.
package postgres
