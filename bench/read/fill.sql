-- :size messages, :length to a session, a thousand sessions to a user. So many sessions
-- as :together take turns, so that a session's messages are not side by side. What is in
-- them is that of the conversations on standard input (JSON Lines), over and over.
-- Every session exists: the key check would only take time.
\set ON_ERROR_STOP 1
CREATE TEMP TABLE line (conversation jsonb);
\copy line FROM PSTDIN WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE TEMP TABLE pool AS
SELECT row_number() OVER () - 1 AS n, m ->> 'role' AS role, m ->> 'content' AS content, m -> 'sources' AS sources,
  (m ->> 'latency_ms')::float8 AS latency_ms, (m ->> 'top_k')::int AS top_k, m ->> 'query_type' AS query_type
FROM line, jsonb_array_elements(conversation -> 'messages') AS m;
ANALYZE pool;
SELECT count(*) AS pool FROM pool \gset

TRUNCATE sessions, messages, rag_feedback;
INSERT INTO sessions (id, user_id, metadata)
SELECT lpad(n::text, 32, '0')::uuid, 'user-' || n % greatest(1, :size / :length / 1000), '{"title": "bench"}'
FROM generate_series(1, :size / :length) AS n;

SET session_replication_role = replica;
INSERT INTO messages (session_id, role, content, created_at, sources, latency_ms, top_k, query_type)
SELECT lpad((1 + m / (:length * :together) * :together + m % (2 * :together) / 2)::text, 32, '0')::uuid, role, content,
  LOCALTIMESTAMP - (:size - m) * interval '1 second', sources, latency_ms, top_k, query_type
FROM generate_series(0, :size - 1) AS m JOIN pool ON pool.n = m % :pool
ORDER BY m;
RESET session_replication_role;

-- As a session's last message left it.
UPDATE sessions SET updated_at = last
FROM (SELECT session_id, max(created_at) AS last FROM messages GROUP BY session_id) AS m WHERE m.session_id = id;
VACUUM (FREEZE, ANALYZE) sessions, messages;
