--
-- rag_get_session(): one session, as the list shows it.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname = 'rag_get_session';

SELECT rag_create_session('alice', '{"title": "Rain", "folder": "weather"}', :'alice'), rag_create_session(session_id => :'nobody');
SELECT rag_add_messages(:'alice', '[{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Will it rain?"}]');
UPDATE sessions SET created_at = '2026-01-01', updated_at = '2026-01-02';

SELECT * FROM rag_get_session(:'alice');
SELECT * FROM rag_get_session(:'alice', 'alice');
SELECT * FROM rag_get_session(:'nobody');
-- It is the row of the list.
SELECT count(*) FROM rag_get_session(:'alice') AS g JOIN rag_list_sessions('alice') AS l
  ON row(g.session_id, g.title, g.preview, g.created_at, g.updated_at, g.metadata) = row(l.session_id, l.title, l.preview, l.created_at, l.updated_at, l.metadata);
-- A title is cut as there.
SELECT rag_update_session(:'nobody', jsonb_build_object('title', repeat('ü', 1000))) IS NOT NULL AS changed;
SELECT length(title) FROM rag_get_session(:'nobody');

-- Errors: a session of another user is one that does not exist.
SELECT * FROM pg_temp.error(format('SELECT rag_get_session(%L, %L)', :'alice', 'bob'));
SELECT * FROM pg_temp.error(format('SELECT rag_get_session(%L, %L)', :'none', 'bob'));
SELECT * FROM pg_temp.error(format('SELECT rag_get_session(%L, %L)', :'nobody', ''));
SELECT * FROM pg_temp.error('SELECT rag_get_session(NULL)');
-- As a part of a query.
SELECT s.n, g.title FROM (VALUES (1), (2)) AS s (n), rag_get_session(:'alice') AS g ORDER BY 1;

DROP EXTENSION rag_events;
