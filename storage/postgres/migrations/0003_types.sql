-- Kinds of objects are called types, in the records of environments as everywhere
-- else. Records that were stored under the former name show as well.
ALTER VIEW {{schema}}.environments RENAME COLUMN objects TO types;

CREATE OR REPLACE VIEW {{schema}}.environments WITH (security_barrier) AS
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
	coalesce(r -> 'types', r -> 'objects', '[]') AS types,
	coalesce((r ->> 'paused')::boolean, false) AS paused,
	(r ->> 'created')::timestamptz            AS created,
	(r ->> 'updated')::timestamptz            AS updated,
	(r ->> 'deleting')::timestamptz           AS deleting
FROM {{schema}}.entries e
CROSS JOIN LATERAL {{schema}}.as_jsonb(e.value) AS r
WHERE e.key >= 'environments/' AND e.key < 'environments0' AND e.key ~ '^environments/[0-9]{1,18}$';
