--
-- rag_get_context(): the newest messages that fit into a model's context window.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

\set s     00000000-0000-4000-8000-000000000001
\set other 00000000-0000-4000-8000-000000000002
\set none  00000000-0000-4000-8000-00000000ffff
SELECT rag_create_session('alice', session_id => :'s'), rag_create_session(session_id => :'other');

-- Parameters and columns are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result, provolatile, proisstrict, prosecdef
FROM pg_proc WHERE proname = 'rag_get_context';

-- Ids 1 to 8; a turn takes 10 + 20 tokens.
SELECT rag_add_messages(:'s', (SELECT jsonb_agg(jsonb_build_object('role', role, 'content', role || ' ' || turn, 'token_count', tokens) ORDER BY turn, tokens)
  FROM generate_series(1, 4) AS turn, (VALUES ('user', 10), ('assistant', 20)) AS m (role, tokens)));

--
-- As many as fit, oldest first, from a message of the user on
--
SELECT * FROM rag_get_context(:'s', 60);
SELECT max_tokens, array_agg(c.id ORDER BY c.id) AS ids, sum(c.token_count) AS tokens
FROM unnest(ARRAY[9, 19, 20, 29, 30, 49, 50, 59, 60, 61, 89, 90, 119, 120, 2147483647, NULL]) AS max_tokens
LEFT JOIN LATERAL rag_get_context(:'s', max_tokens) c ON true
GROUP BY max_tokens ORDER BY max_tokens;
-- 0 is none, whatever a message takes.
SELECT count(*) FROM rag_get_context(:'s', 0);
BEGIN;
SELECT rag_add_message(:'s', 'user', 'nothing', token_count => 0) IS NOT NULL AS added;
SELECT count(*) FROM rag_get_context(:'s', 0);
SELECT content, token_count FROM rag_get_context(:'s', 1);
ROLLBACK;

--
-- At most so many messages; only those after the summary
--
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, 4);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, 5);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, 1);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, 0);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, after_id => 4);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, after_id => 5);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, 2, 2);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 30, after_id => 4);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, after_id => 9223372036854775807);
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 1000, after_id => -9223372036854775808);

--
-- Where the number of tokens is not known: a quarter of the bytes, rounded up.
--
SELECT cardinality(rag_add_messages(:'other', '[
  {"role": "assistant", "content": "Hello! How can I help?"},
  {"role": "user", "content": ""}, {"role": "user", "content": "1"}, {"role": "user", "content": "1234"}, {"role": "user", "content": "12345"},
  {"role": "user", "content": "éééé"}, {"role": "user", "content": "known", "token_count": 1000}]'));
SELECT role, content, token_count FROM rag_get_context(:'other', NULL);
SELECT content, token_count FROM rag_get_context(:'other', 1003);
SELECT count(*) FROM rag_get_context(:'other', 999);
-- However it is stored: compressed, or out of line.
BEGIN;
SELECT rag_add_message(:'other', 'user', repeat('compressed ', 10000)) IS NOT NULL AS added;
SELECT rag_add_message(:'other', 'user', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)) IS NOT NULL AS added;
SELECT token_count, octet_length(content) AS bytes, md5(content) = (SELECT md5(m.content) FROM messages m WHERE m.id = c.id) AS same
FROM rag_get_context(:'other', 35500) c;
ROLLBACK;
-- Beyond 32 bits together.
BEGIN;
SELECT count(rag_add_message(:'other', 'user', 'x', token_count => 2147483647)) FROM generate_series(1, 3);
SELECT count(*) FROM rag_get_context(:'other', NULL);
SELECT count(*) FROM rag_get_context(:'other', 2147483647);
ROLLBACK;

--
-- No message of the user, and no message
--
BEGIN;
DELETE FROM messages WHERE role = 'user';
SELECT count(*) FROM rag_get_context(:'s', 1000);
DELETE FROM messages;
SELECT count(*) FROM rag_get_context(:'s', 1000);
ROLLBACK;

--
-- Errors
--
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_context(%L, 100)', :'none'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_context(%L, 100, user_id => %L)', :'s', 'bob'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_context(%L, 0, user_id => %L)', :'s', 'bob'));
SELECT count(*) FROM rag_get_context(:'s', 100, user_id => 'alice');
SELECT code, message FROM pg_temp.diagnose('SELECT * FROM rag_get_context(NULL, 100)');
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_context(%L, -1)', :'s'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT * FROM rag_get_context(%L, 1, -1)', :'s'));

--
-- Sources are not read, nor is a right to them needed
--
DROP ROLE IF EXISTS regress_rag_reader;
CREATE ROLE regress_rag_reader;
GRANT SELECT (id) ON sessions TO regress_rag_reader;
GRANT SELECT (id, session_id, role, content, token_count) ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT array_agg(id) AS ids FROM rag_get_context(:'s', 60);
RESET ROLE;
-- Row security applies.
GRANT SELECT ON sessions, messages TO regress_rag_reader;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON messages USING (id <> 5);
SET ROLE regress_rag_reader;
SELECT array_agg(id) AS ids, sum(token_count) AS tokens FROM rag_get_context(:'s', 60);
RESET ROLE;

DROP EXTENSION rag_events;
DROP ROLE regress_rag_reader;
