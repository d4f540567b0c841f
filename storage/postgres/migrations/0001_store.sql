-- The store: one row per key, and the function that commits a batch.

CREATE TABLE {{schema}}.entries (
	-- Bytewise order, whatever the collation of the database.
	key   text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL
) WITH (
	-- Room in each page, so that a row that changes often (a counter, a quota)
	-- stays in its page and its index entry stays right: a HOT update.
	fillfactor = 90,
	-- A fixed share of a large table is many rows to wait for.
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_analyze_scale_factor = 0.02,
	toast.autovacuum_vacuum_scale_factor = 0.02
);

-- lz4 costs a fraction of the time of pglz, where the server has it.
DO $cxsync$
BEGIN
	ALTER TABLE {{schema}}.entries ALTER COLUMN value SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
	NULL;
END
$cxsync$;

-- commit_batch applies a batch whole, or not at all: then it returns the key of
-- the first requirement that is not met.
--
-- It takes the locks first, and each statement behind them sees all that was
-- committed before it began. That is so in READ COMMITTED only.
CREATE FUNCTION {{schema}}.commit_batch(
	locks bigint[], exclusive boolean[],
	require_keys text[], require_values bytea[], -- NULL requires absence
	range_starts text[], range_ends text[],      -- NULL is no upper bound
	delete_keys text[],
	put_keys text[], put_values bytea[]
) RETURNS text
LANGUAGE plpgsql
-- Who waits longer has probably lost its client, and must not commit late.
SET lock_timeout = '10s'
AS $cxsync$
DECLARE
	conflict text;
BEGIN
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		-- The store knows this code, and begins a transaction of its own then.
		RAISE EXCEPTION 'cxsync commits in READ COMMITTED, not in %', upper(current_setting('transaction_isolation'))
			USING ERRCODE = 'invalid_transaction_state';
	END IF;
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'on', true);
	END IF;

	FOR i IN 1 .. cardinality(locks) LOOP
		IF exclusive[i] THEN
			PERFORM pg_advisory_xact_lock(locks[i]);
		ELSE
			PERFORM pg_advisory_xact_lock_shared(locks[i]);
		END IF;
	END LOOP;

	IF cardinality(require_keys) > 0 THEN
		SELECT r.key INTO conflict
		FROM unnest(require_keys, require_values) WITH ORDINALITY AS r(key, value, n)
		LEFT JOIN {{schema}}.entries e ON e.key = r.key
		WHERE e.value IS DISTINCT FROM r.value
		ORDER BY r.n
		LIMIT 1;
		IF FOUND THEN
			RETURN conflict;
		END IF;
	END IF;

	FOR i IN 1 .. cardinality(range_starts) LOOP
		IF range_ends[i] IS NULL THEN
			DELETE FROM {{schema}}.entries WHERE key >= range_starts[i];
		ELSE
			DELETE FROM {{schema}}.entries WHERE key >= range_starts[i] AND key < range_ends[i];
		END IF;
	END LOOP;
	IF cardinality(delete_keys) > 0 THEN
		DELETE FROM {{schema}}.entries WHERE key = ANY (delete_keys);
	END IF;
	IF cardinality(put_keys) > 0 THEN
		INSERT INTO {{schema}}.entries (key, value)
		SELECT p.key, p.value FROM unnest(put_keys, put_values) AS p(key, value)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value;
	END IF;
	RETURN NULL;
END
$cxsync$;
