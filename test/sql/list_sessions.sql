--
-- rag_list_sessions(): the sessions of a user, latest activity first, page by page,
-- with title and preview.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result, provolatile, proisstrict, prosecdef
FROM pg_proc WHERE proname = 'rag_list_sessions';

CREATE FUNCTION pg_temp.session(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
SELECT count(rag_create_session('maya', jsonb_build_object('title', 'Session ' || n), pg_temp.session(n))) FROM generate_series(1, 7) AS n;
SELECT count(rag_create_session('eve', NULL, pg_temp.session(8))), count(rag_create_session(session_id => pg_temp.session(9)));
-- The last activity of sessions 2 to 4 is the same.
UPDATE sessions SET created_at = '2024-01-01', updated_at = timestamp '2024-02-01' + (CASE WHEN right(id::text, 1)::int IN (2, 3, 4) THEN 3 ELSE right(id::text, 1)::int END) * interval '1 day';

--
-- Latest activity first; where it is the same, by id
--
SELECT right(session_id::text, 1) AS n, title, preview, created_at, updated_at, metadata FROM rag_list_sessions('maya');
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('maya', 2);
SELECT count(*) FROM rag_list_sessions('maya', 0);
SELECT count(*) FROM rag_list_sessions('maya', NULL);
SELECT right(session_id::text, 1) AS n, title FROM rag_list_sessions('eve');
SELECT count(*) FROM rag_list_sessions('nobody of this name');
SELECT count(*) FROM rag_list_sessions('');
-- NULL is for sessions that belong to nobody, not for those of everybody.
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions(NULL);
-- 20 by default.
BEGIN;
SELECT count(rag_create_session('many')) FROM generate_series(1, 25);
SELECT count(*) FROM rag_list_sessions('many');
ROLLBACK;
-- A message makes its session the latest.
BEGIN;
SELECT rag_add_message(pg_temp.session(1), 'user', 'Hi') IS NOT NULL AS added;
SELECT right(session_id::text, 1) AS n, preview FROM rag_list_sessions('maya', 2);
ROLLBACK;

--
-- Pages
--
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('maya', 3);
SELECT cursor AS page1 FROM rag_list_sessions('maya', 3) OFFSET 2 \gset
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('maya', 3, :'page1');
SELECT cursor AS page2 FROM rag_list_sessions('maya', 3, :'page1') OFFSET 2 \gset
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('maya', 3, :'page2');
SELECT cursor AS page3 FROM rag_list_sessions('maya', 3, :'page2') \gset
SELECT count(*) FROM rag_list_sessions('maya', 3, :'page3');
-- Each once, whatever the size of the pages.
SELECT size, (WITH RECURSIVE page AS (
    SELECT l.*, 1 AS number FROM (SELECT array_agg(session_id) AS ids, (array_agg(cursor))[count(*)] AS last FROM rag_list_sessions('maya', size)) AS l
    UNION ALL
    SELECT l.*, number + 1 FROM page, LATERAL (SELECT array_agg(session_id), (array_agg(cursor))[count(*)] FROM rag_list_sessions('maya', size, last)) AS l
    WHERE last IS NOT NULL
  ) SELECT array_agg(id ORDER BY number, place) = (SELECT array_agg(session_id) FROM rag_list_sessions('maya', NULL))
    FROM page, unnest(ids) WITH ORDINALITY AS u (id, place)) AS each_once
FROM generate_series(1, 8) AS size;
-- A cursor holds while sessions come, go and become active.
BEGIN;
SELECT rag_add_message(pg_temp.session(1), 'user', 'now the latest') IS NOT NULL AS added,
       rag_delete_session(pg_temp.session(5)) AS deleted, rag_create_session('maya') IS NOT NULL AS created;
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('maya', 3, :'page1');
ROLLBACK;
-- It tells of a place in the list, and of nobody's sessions.
SELECT right(session_id::text, 1) AS n FROM rag_list_sessions('eve', 3, :'page1');

--
-- Title and preview
--
SELECT rag_add_messages(pg_temp.session(7), '[{"role": "assistant", "content": "Hello! How can I help?"}, {"role": "user", "content": "My first question"},
                                              {"role": "user", "content": "My second question"}]') IS NOT NULL AS added,
       rag_add_message(pg_temp.session(6), 'assistant', 'A greeting alone') IS NOT NULL AS added,
       rag_add_message(pg_temp.session(5), 'user', repeat('é', 250)) IS NOT NULL AS added,
       rag_add_message(pg_temp.session(4), 'user', repeat('x', 200)) IS NOT NULL AS added,
       rag_add_message(pg_temp.session(3), 'user', '') IS NOT NULL AS added,
       rag_add_message(pg_temp.session(2), 'user', repeat('long ', 100000)) IS NOT NULL AS added;
SELECT right(session_id::text, 1) AS n, CASE WHEN length(preview) < 50 THEN preview END AS preview, length(preview) AS characters, octet_length(preview) AS bytes
FROM rag_list_sessions('maya') ORDER BY 1;
-- The user's first message is looked for among the first ten.
BEGIN;
SELECT cardinality(rag_add_messages(pg_temp.session(1), (SELECT jsonb_agg(jsonb_build_object('role', CASE WHEN i IN (9, 10, 12) THEN 'user' ELSE 'assistant' END, 'content', 'message ' || i) ORDER BY i)
                                                         FROM generate_series(1, 12) AS i)));
SELECT preview FROM rag_list_sessions('maya', 1);
DELETE FROM messages WHERE content IN ('message 9', 'message 10');
SELECT preview FROM rag_list_sessions('maya', 1);
UPDATE messages SET role = 'assistant' WHERE content = 'message 12';
SELECT rag_add_message(pg_temp.session(1), 'user', 'message 13') IS NOT NULL AS added;
SELECT preview FROM rag_list_sessions('maya', 1);
ROLLBACK;
-- Whatever the metadata is, by an INSERT.
INSERT INTO sessions (user_id, metadata) SELECT 'user ' || n, m
FROM unnest(ARRAY['{"title": "text"}', '{"title": ""}', '{"title": 5}', '{"title": null}', '{"title": {"de": "Titel"}}', '{}', '[]', '"title"', '["title"]', 'null', NULL]::jsonb[]) WITH ORDINALITY AS t (m, n);
SELECT l.metadata, l.title FROM generate_series(1, 11) AS n, LATERAL rag_list_sessions('user ' || n) AS l ORDER BY n;

-- A title is cut, as the preview is.
SELECT rag_create_session('long', jsonb_build_object('title', repeat('é', 5000000))) IS NOT NULL AS created;
SELECT title = repeat('é', 200) AS cut FROM rag_list_sessions('long');

--
-- Errors
--
SELECT * FROM pg_temp.error($$SELECT * FROM rag_list_sessions('maya', -1)$$);
SELECT * FROM pg_temp.error($$SELECT * FROM rag_list_sessions('maya', 3, 'next')$$);
SELECT cursor, code, message
FROM unnest(ARRAY['', ' ', '0', left(:'page1', 47), :'page1' || '0', upper(:'page1'), 'g' || right(:'page1', 47), repeat('é', 24), '0x' || left(:'page1', 46),
                  repeat('0', 48), repeat('f', 48)]) AS cursor,
     pg_temp.diagnose(format('SELECT * FROM rag_list_sessions(%L, 3, %L)', 'maya', cursor));

--
-- Row security hides sessions, and the messages of those that are seen
--
DROP ROLE IF EXISTS regress_rag_reader;
CREATE ROLE regress_rag_reader;
GRANT SELECT ON sessions, messages TO regress_rag_reader;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON sessions USING (right(id::text, 1) > '5');
CREATE POLICY second ON messages USING (content <> 'My first question');
SET ROLE regress_rag_reader;
SELECT right(session_id::text, 1) AS n, preview FROM rag_list_sessions('maya') ORDER BY 1;
RESET ROLE;
ALTER TABLE sessions DISABLE ROW LEVEL SECURITY;
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
-- The least rights.
REVOKE ALL ON sessions, messages FROM regress_rag_reader;
GRANT SELECT ON sessions TO regress_rag_reader;
GRANT SELECT (id, session_id, role, content) ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT count(*) FROM rag_list_sessions('maya');
RESET ROLE;

DROP EXTENSION rag_events;
DROP ROLE regress_rag_reader;
