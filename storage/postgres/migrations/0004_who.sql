-- Who made a change is kept beside it, under a key of its own.
DROP VIEW {{schema}}.changes;

CREATE VIEW {{schema}}.changes WITH (security_barrier) AS
SELECT
	l.environment, l.seq, l.type,
	coalesce(l.entry ->> 'id', '')            AS id,
	coalesce(l.entry ->> 'name', '')          AS name,
	l.kind, l.at, l.after,
	w.who ->> 'status'                        AS who,
	w.who -> 'actors'                         AS actors,
	(w.who ->> 'settled')::boolean            AS settled
FROM {{schema}}.log l
LEFT JOIN {{schema}}.entries e ON e.key = 'history/' || l.environment || '/who/' || lpad(to_hex(l.seq), 16, '0')
LEFT JOIN LATERAL (SELECT {{schema}}.as_jsonb(e.value) WHERE e.key IS NOT NULL) AS w(who) ON true;
