--
-- rag_get_messages() and rag_get_messages_after(): the last messages of a session,
-- pages before and after an id, whose session, every error.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

SELECT rag_create_session('alice', session_id => :'alice'),
       rag_create_session('bob', session_id => :'bob'),
       rag_create_session(session_id => :'nobody');

-- Parameters and columns are API: their names, order and defaults.
SELECT proname, regexp_split_to_table(pg_get_function_arguments(oid), ', ') AS argument
FROM pg_proc WHERE proname IN ('rag_get_messages', 'rag_get_messages_after');
SELECT proname, regexp_split_to_table(pg_get_function_result(oid), ', ') AS result
FROM pg_proc WHERE proname = 'rag_get_messages';
SELECT count(DISTINCT pg_get_function_result(oid)) AS kinds_of_result, bool_and(provolatile = 's' AND NOT proisstrict AND NOT prosecdef) AS stable
FROM pg_proc WHERE proname IN ('rag_get_messages', 'rag_get_messages_after');

-- Twelve messages of alice, with bob's between them.
SELECT count(rag_add_message(session, CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, name || ' ' || (i + 1) / 2,
                             sources => CASE i % 4 WHEN 0 THEN '[{"id": "doc"}]'::jsonb END))
FROM (SELECT i, CASE WHEN i % 4 IN (1, 2) THEN 'alice' ELSE 'bob' END AS name,
             CASE WHEN i % 4 IN (1, 2) THEN :'alice' ELSE :'bob' END::uuid AS session
      FROM generate_series(1, 24) AS i ORDER BY i) AS t;

--
-- The last N, oldest first
--
SELECT id, role, content FROM rag_get_messages(:'alice', 3);
SELECT id, role, content, sources FROM rag_get_messages(:'bob', 2);
SELECT count(*), min(id), max(id) FROM rag_get_messages(:'alice');
-- NULL is all, 0 none.
SELECT count(*), min(id), max(id) FROM rag_get_messages(:'alice', NULL);
SELECT count(*) FROM rag_get_messages(:'alice', 0);
SELECT count(*) FROM rag_get_messages(:'alice', 2147483647);
-- 50 by default: the last ones.
BEGIN;
SELECT cardinality(rag_add_messages(:'alice', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', i)) FROM
  (SELECT i::text FROM generate_series(1, 60) i) AS t)));
SELECT count(*), min(content::int) AS first, max(content::int) AS last FROM rag_get_messages(:'alice');
ROLLBACK;

--
-- Pages: before an id, back to the beginning
--
SELECT id, content FROM rag_get_messages(:'alice', 4, before_id => 18);
SELECT id, content FROM rag_get_messages(:'alice', 4, before_id => 9);
SELECT id, content FROM rag_get_messages(:'alice', 4, before_id => 1);
-- The id need not be one of the session, nor one at all.
SELECT id, content FROM rag_get_messages(:'alice', 2, before_id => 8);
SELECT id, content FROM rag_get_messages(:'alice', 2, before_id => 9223372036854775807);
SELECT id, content FROM rag_get_messages(:'alice', 2, before_id => 2147483648);
SELECT count(*) FROM rag_get_messages(:'alice', 2, before_id => -9223372036854775808);
-- Each message once, whatever the size of the pages.
SELECT size, (WITH RECURSIVE page AS (
    SELECT array_agg(id ORDER BY id) AS ids FROM rag_get_messages(:'alice', size)
    UNION ALL
    SELECT (SELECT array_agg(id ORDER BY id) FROM rag_get_messages(:'alice', size, ids[1])) FROM page WHERE ids IS NOT NULL
  ) SELECT array_agg(id ORDER BY id) = (SELECT array_agg(id::bigint ORDER BY id) FROM messages WHERE session_id = :'alice')
    FROM page, unnest(ids) AS id) AS each_once
FROM generate_series(1, 13) AS size;

--
-- After an id: to follow a session
--
SELECT id, content FROM rag_get_messages_after(:'alice', 17);
SELECT id, content FROM rag_get_messages_after(:'alice', 6, 3);
SELECT id, content FROM rag_get_messages_after(:'alice', after_id => NULL, max_messages => 2);
SELECT count(*) FROM rag_get_messages_after(:'alice', 0, NULL);
SELECT count(*) FROM rag_get_messages_after(:'alice', 22);
SELECT count(*) FROM rag_get_messages_after(:'alice', 9223372036854775807);
SELECT count(*) FROM rag_get_messages_after(:'alice', -9223372036854775808, 0);
SELECT rag_add_message(:'alice', 'user', 'new') AS new \gset
SELECT id = :new AS is_new, content FROM rag_get_messages_after(:'alice', 22);

--
-- Every column, and sources only when they are wanted
--
SELECT rag_add_message(:'nobody', 'assistant', 'all', '[1]', 1.5, 3, 'semantic', NULL, 4, '{"a": 1}', 'key') AS id \gset
UPDATE messages SET created_at = '2024-02-29 12:34:56.789012' WHERE id = :id;
\pset expanded on
SELECT * FROM rag_get_messages(:'nobody');
\pset expanded off
SELECT sources FROM rag_get_messages(:'nobody', include_sources => false);
SELECT sources FROM rag_get_messages_after(:'nobody', 0, include_sources => false);
SELECT sources FROM rag_get_messages(:'nobody', include_sources => NULL);
SELECT (SELECT array_agg(m) FROM rag_get_messages(:'nobody') m)::text = (SELECT array_agg(m) FROM rag_get_messages_after(:'nobody', NULL) m)::text AS same;
SELECT bool_and(pg_typeof(id) = 'bigint'::regtype AND pg_typeof(role) = 'text'::regtype AND pg_typeof(query_type) = 'text'::regtype) AS types
FROM rag_get_messages(:'nobody');
-- In a select list, and for several sessions.
SELECT s.user_id, m.content FROM sessions s, LATERAL rag_get_messages(s.id, 1) m ORDER BY 1;
SELECT (rag_get_messages(:'bob', 1)).content;

--
-- A session without messages, and one that is not there
--
DELETE FROM messages WHERE session_id = :'nobody';
SELECT count(*) FROM rag_get_messages(:'nobody');
SELECT count(*) FROM rag_get_messages_after(:'nobody', NULL);
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_messages(%L)', :'none'));
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_messages_after(%L, 1)', :'none'));
-- Another user's is the same, whatever is asked for.
SELECT count(*) FROM rag_get_messages(:'alice', 5, user_id => 'alice');
SELECT count(*) FROM rag_get_messages_after(:'alice', 0, 5, 'alice');
SELECT t.call, d.code, d.message, d.detail
FROM (VALUES (1, 'rag_get_messages(%L, user_id => ''bob'')'), (2, 'rag_get_messages(%L, 0, user_id => ''bob'')'),
             (3, 'rag_get_messages(%L, 5, 1, '''')'), (4, 'rag_get_messages(%L, user_id => ''Alice'')'),
             (5, 'rag_get_messages_after(%L, 1, user_id => ''bob'')')) AS t (n, call),
     pg_temp.diagnose(format('SELECT * FROM ' || call, :'alice')) d ORDER BY n;
-- A session of nobody is no user's.
SELECT code FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages(%L, user_id => %L)', :'nobody', ''));

--
-- Bad arguments
--
SELECT * FROM pg_temp.error('SELECT * FROM rag_get_messages(NULL)');
SELECT * FROM pg_temp.error('SELECT * FROM rag_get_messages_after(NULL, 1)');
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_messages(%L, -1)', :'alice'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages_after(%L, 1, -2147483648)', :'alice'));
SELECT code, message FROM pg_temp.diagnose($$SELECT * FROM rag_get_messages('x')$$);
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages(%L) AS m (id)', :'alice'));

--
-- What the calling query sees: not what it writes itself, but all from before.
--
SELECT (SELECT rag_add_message(:'nobody', 'user', 'same statement')) IS NOT NULL AS added, count(m.id) FROM rag_get_messages(:'nobody') m;
SELECT count(*) FROM rag_get_messages(:'nobody');
BEGIN;
SELECT rag_add_message(:'nobody', 'user', 'same transaction') IS NOT NULL AS added;
SELECT count(*) FROM rag_get_messages(:'nobody');
DECLARE c CURSOR FOR SELECT content FROM rag_get_messages(:'nobody');
DELETE FROM messages;
SELECT count(*) FROM rag_get_messages(:'nobody');
FETCH ALL FROM c;
ROLLBACK;

--
-- Row security hides sessions and messages, and then their ids too.
--
DROP ROLE IF EXISTS regress_rag_reader;
CREATE ROLE regress_rag_reader;
GRANT SELECT ON sessions, messages TO regress_rag_reader;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = current_setting('app.person'));
SET app.person = 'bob';
SET ROLE regress_rag_reader;
SELECT id, content FROM rag_get_messages(:'bob', 1);
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages(%L)', :'alice'));
RESET ROLE;
ALTER TABLE sessions DISABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY recent ON messages USING (id > 20);
SET ROLE regress_rag_reader;
SELECT id, content FROM rag_get_messages(:'alice');
SELECT id, content FROM rag_get_messages_after(:'alice', 0);
RESET ROLE;
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
-- The least rights of a reader; without sources, even less.
REVOKE ALL ON sessions, messages FROM regress_rag_reader;
GRANT SELECT (id) ON sessions TO regress_rag_reader;
GRANT SELECT (id, session_id, role, content, created_at, latency_ms, top_k, query_type, token_count, metadata, idempotency_key) ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT id, content FROM rag_get_messages(:'alice', 1, include_sources => false);
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages(%L)', :'alice'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_messages(%L, include_sources => false, user_id => %L)', :'alice', 'alice'));
RESET ROLE;
GRANT SELECT (user_id) ON sessions TO regress_rag_reader;
GRANT SELECT (sources) ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT id, content FROM rag_get_messages(:'alice', 1, user_id => 'alice');
RESET ROLE;
RESET app.person;

DROP EXTENSION rag_events;
DROP ROLE regress_rag_reader;
