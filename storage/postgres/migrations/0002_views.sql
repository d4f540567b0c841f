-- What the store holds, for people and for reports. The views run with the rights
-- of their owner, so a role that may read them needs no right on the entries, and
-- as security barriers they let no condition of a query see what they leave out.

-- unescape undoes what a part of a key is escaped with. A part that is no text
-- (a NUL, bytes that are not UTF-8) stays escaped.
CREATE FUNCTION {{schema}}.unescape(part text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT
AS $cxsync$
DECLARE
	bytes bytea;
BEGIN
	IF part = '%' THEN
		RETURN '';
	ELSIF strpos(part, '%') = 0 THEN
		RETURN part;
	END IF;
	SELECT string_agg(coalesce(decode(m[1], 'hex'), convert_to(m[2], 'UTF8')), ''::bytea ORDER BY n) INTO bytes
	FROM regexp_matches(part, '%([0-9A-F]{2})|([^%]+)', 'g') WITH ORDINALITY AS pieces(m, n);
	RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN data_exception THEN
	RETURN part;
END
$cxsync$;

-- fitting returns JSON that jsonb can hold in place of one that it cannot hold, though
-- both are JSON: U+FFFD for \u0000 and for half a surrogate pair, and a string for a
-- number of many digits or with a large exponent. First \\ and \" are written in another
-- way, so that each quotation mark begins or ends a string, and each \u is an escape.
-- All literals with a backslash are E'', which no setting gives another meaning.
CREATE FUNCTION {{schema}}.fitting(json text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT
AS $cxsync$
	WITH plain(json) AS (
		SELECT replace(replace($1, E'\\\\', E'\\u005c'), E'\\"', E'\\u0022')
	), paired(json) AS (
		SELECT regexp_replace(regexp_replace(json,
			E'\\\\u0000|\\\\u[dD][89abAB][[:xdigit:]]{2}(?!\\\\u[dD][c-fC-F][[:xdigit:]]{2})', E'\\\\ufffd', 'g'),
			E'(?<!\\\\u[dD][89abAB][[:xdigit:]]{2})\\\\u[dD][c-fC-F][[:xdigit:]]{2}', E'\\\\ufffd', 'g')
		FROM plain
	)
	SELECT string_agg(CASE WHEN n % 2 = 1 -- between strings
		THEN regexp_replace(part, E'-?[0-9.]+[eE][+-]?[0-9]{4,}|-?[0-9.]{255,}([eE][+-]?[0-9]+)?', E'"\\&"', 'g')
		ELSE part
	END, '"' ORDER BY n)
	FROM paired, string_to_table(json, '"') WITH ORDINALITY AS parts(part, n)
$cxsync$;

-- as_jsonb returns a value that holds JSON, made fitting where it must be. What is not
-- UTF-8 becomes U+FFFD, and then all that is not ASCII. It returns NULL for what is no
-- JSON. jsonb writes numbers out in full, so a value with many large exponents would
-- take ten thousand times its size; in a long one they become strings at once.
CREATE FUNCTION {{schema}}.as_jsonb(value bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT
AS $cxsync$
DECLARE
	json text;
BEGIN
	IF octet_length(value) > 16384 AND convert_from(value, 'UTF8') ~ E'[0-9][eE][+-]?[0-9]{4,}[\\s,}\\]]' THEN
		RETURN {{schema}}.fitting(convert_from(value, 'UTF8'))::jsonb;
	END IF;
	RETURN convert_from(value, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
	BEGIN
		BEGIN
			json := convert_from(value, 'UTF8');
		EXCEPTION WHEN data_exception THEN
			json := regexp_replace(convert_from(value, 'LATIN1'), E'[^\\u0001-\\u007f]+', chr(65533), 'g');
		END;
		RETURN {{schema}}.fitting(json)::jsonb;
	EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
		RETURN NULL;
	END;
END
$cxsync$;

CREATE VIEW {{schema}}.environments WITH (security_barrier) AS
SELECT
	split_part(e.key, '/', 2)::bigint         AS id,
	r ->> 'name'                              AS name,
	(r ->> 'is_production')::boolean          AS is_production,
	r ->> 'base_url'                          AS base_url,
	r ->> 'client_id'                         AS client_id,
	(r ->> 'rate_limit_minute')::bigint       AS rate_limit_minute,
	(r ->> 'rate_limit_hour')::bigint         AS rate_limit_hour,
	(r ->> 'rate_limit_day')::bigint          AS rate_limit_day,
	coalesce(r -> 'polling', '[]')            AS polling,
	(r ->> 'retention_days')::integer         AS retention_days,
	coalesce(r -> 'ignore', '[]')             AS ignore,
	coalesce(r -> 'objects', '[]')            AS objects,
	coalesce((r ->> 'paused')::boolean, false) AS paused,
	(r ->> 'created')::timestamptz            AS created,
	(r ->> 'updated')::timestamptz            AS updated,
	(r ->> 'deleting')::timestamptz           AS deleting
FROM {{schema}}.entries e
CROSS JOIN LATERAL {{schema}}.as_jsonb(e.value) AS r
WHERE e.key >= 'environments/' AND e.key < 'environments0' AND e.key ~ '^environments/[0-9]{1,18}$';

-- histories steps from environment to environment in the index, so that what
-- reads one kind of entry of each reads nothing else.
CREATE VIEW {{schema}}.histories WITH (security_barrier) AS
WITH RECURSIVE parts(part) AS (
	(SELECT split_part(key, '/', 2) FROM {{schema}}.entries WHERE key >= 'history/' AND key < 'history0' ORDER BY key LIMIT 1)
	UNION ALL
	SELECT (
		SELECT split_part(key, '/', 2) FROM {{schema}}.entries
		WHERE key >= 'history/' || parts.part || '0' AND key < 'history0' ORDER BY key LIMIT 1
	)
	FROM parts WHERE parts.part IS NOT NULL
)
SELECT part::bigint AS environment, 'history/' || part || '/' AS root
FROM parts WHERE part ~ '^[0-9]{1,18}$';

CREATE VIEW {{schema}}.objects WITH (security_barrier) AS
SELECT
	h.environment,
	{{schema}}.unescape(split_part(e.key, '/', 4)) AS type,
	{{schema}}.unescape(split_part(e.key, '/', 5)) AS id,
	coalesce(r ->> 'name', '')                AS name,
	r ->> 'parent'                            AS parent,
	r ->> 'kind' <> 'deleted'                 AS live,
	coalesce((r ->> 'first_seen')::timestamptz, (r ->> 'changed')::timestamptz) AS first_seen,
	(r ->> 'changed')::timestamptz            AS changed,
	(r ->> 'seq')::bigint                     AS seq,
	{{schema}}.as_jsonb(b.value)              AS body
FROM {{schema}}.histories h
JOIN {{schema}}.entries e ON e.key >= h.root || 'head/' AND e.key < h.root || 'head0'
CROSS JOIN LATERAL {{schema}}.as_jsonb(e.value) AS r
LEFT JOIN {{schema}}.entries b ON b.key = h.root || 'body/' || substr(e.key, length(h.root) + 6);

CREATE VIEW {{schema}}.log WITH (security_barrier) AS
SELECT
	h.environment,
	{{schema}}.unescape(split_part(e.key, '/', 6)) AS type,
	split_part(e.key, '/', 5)::timestamptz    AS at,
	(coalesce(entry ->> 'after', frame ->> 'after'))::timestamptz AS after,
	(entry ->> 'seq')::bigint                 AS seq,
	entry ->> 'kind'                          AS kind,
	entry
FROM {{schema}}.histories h
JOIN {{schema}}.entries e ON e.key >= h.root || 'log/' AND e.key < h.root || 'log0'
CROSS JOIN LATERAL {{schema}}.as_jsonb(e.value) AS frame
CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(frame -> 'entries') WHEN 'array' THEN frame -> 'entries' END) AS entry
WHERE entry ->> 'kind' <> 'rebased'; -- how an object is compared has changed, not the object

CREATE VIEW {{schema}}.changes WITH (security_barrier) AS
SELECT
	environment, seq, type,
	coalesce(entry ->> 'id', '')              AS id,
	coalesce(entry ->> 'name', '')            AS name,
	kind, at, after,
	entry #>> '{by,id}'                       AS by_id,
	entry #>> '{by,name}'                     AS by_name,
	entry #>> '{by,client}'                   AS by_client
FROM {{schema}}.log;

CREATE VIEW {{schema}}.field_changes WITH (security_barrier) AS
SELECT
	environment, seq, ordinal,
	field ->> 'path'                          AS path,
	coalesce(field ->> 'label', field ->> 'path') AS label,
	field ->> 'op'                            AS op,
	field ->> 'from'                          AS moved_from,
	field -> 'old'                            AS old,
	field -> 'new'                            AS new
FROM {{schema}}.log
CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(entry -> 'changes') WHEN 'array' THEN entry -> 'changes' END)
	WITH ORDINALITY AS fields(field, ordinal);

CREATE VIEW {{schema}}.passes WITH (security_barrier) AS
SELECT
	h.environment,
	{{schema}}.unescape(split_part(e.key, '/', 4)) AS type,
	(r ->> 'number')::bigint                  AS number,
	(r ->> 'started')::timestamptz            AS started,
	(r ->> 'ended')::timestamptz              AS ended,
	(r ->> 'complete')::boolean               AS complete,
	coalesce(r ->> 'reason', '')              AS reason,
	(r ->> 'objects')::integer                AS objects,
	(r ->> 'imported')::integer               AS imported,
	(r ->> 'created')::integer                AS created,
	(r ->> 'updated')::integer                AS updated,
	(r ->> 'deleted')::integer                AS deleted,
	(r ->> 'restored')::integer               AS restored,
	(r ->> 'unchanged')::integer              AS unchanged,
	(r ->> 'withheld')::integer               AS withheld
FROM {{schema}}.histories h
JOIN {{schema}}.entries e ON e.key >= h.root || 'pass/' AND e.key < h.root || 'pass0'
CROSS JOIN LATERAL {{schema}}.as_jsonb(e.value) AS r;

COMMENT ON VIEW {{schema}}.environments IS 'The orgs and how each is kept in sync, without secrets';
COMMENT ON VIEW {{schema}}.objects IS 'All objects that were ever seen, with their last known body';
COMMENT ON VIEW {{schema}}.changes IS 'What changed, when, and who did it';
COMMENT ON VIEW {{schema}}.field_changes IS 'The fields of each change, in their order';
COMMENT ON VIEW {{schema}}.passes IS 'The last pass over each type';
