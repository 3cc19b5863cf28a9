--
-- Changing and deleting what is there: rag_update_message(), rag_delete_messages(),
-- rag_update_session() and rag_delete_session().
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

\set s     00000000-0000-4000-8000-000000000001
\set other 00000000-0000-4000-8000-000000000002
\set none  00000000-0000-4000-8000-00000000ffff
SELECT rag_create_session('alice', session_id => :'s'), rag_create_session(session_id => :'other');

-- Parameters are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname IN ('rag_update_message', 'rag_delete_messages', 'rag_update_session', 'rag_delete_session') ORDER BY 1;
SELECT bool_and(provolatile = 'v' AND NOT proisstrict AND NOT prosecdef) AS as_writers
FROM pg_proc WHERE proname IN ('rag_update_message', 'rag_delete_messages', 'rag_update_session', 'rag_delete_session');

-- Both tables as one value, for "nothing was written".
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s), (SELECT array_agg(m ORDER BY id) FROM messages m)))
$$;
-- When sessions were last touched is compared with this time, long ago.
CREATE FUNCTION pg_temp.forget_touches() RETURNS void LANGUAGE sql AS $$ UPDATE sessions SET updated_at = '2001-01-01' $$;
CREATE FUNCTION pg_temp.touched() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(right(id::text, 1), ' ' ORDER BY id), 'none') FROM sessions WHERE updated_at > '2001-01-01'
$$;

-- Ids 1 to 6.
SELECT rag_add_messages(:'s', '[{"role": "user", "content": "one"},
  {"role": "assistant", "content": "two", "sources": ["doc"], "latency_ms": 2, "top_k": 2, "query_type": "q", "token_count": 2, "metadata": {"model": "m-1", "status": "streaming"}, "idempotency_key": "k2"},
  {"role": "user", "content": "three"}, {"role": "assistant", "content": "four"}]'),
  rag_add_messages(:'other', '[{"role": "user", "content": "five"}, {"role": "assistant", "content": "six"}]');
SELECT pg_temp.forget_touches();

--
-- rag_update_message(): NULL keeps
--
SELECT rag_update_message(:'s', 2, 'TWO');
SELECT * FROM rag_get_messages(:'s', 1, before_id => 3) \gset
SELECT :'content' AS content, :'sources' AS sources, :latency_ms AS latency_ms, :top_k AS top_k, :'query_type' AS query_type, :token_count AS token_count,
       :'metadata' AS metadata, :'idempotency_key' AS idempotency_key;
SELECT pg_temp.touched();
-- Each by itself, and all at once.
SELECT rag_update_message(:'s', 2, sources => '[]');
SELECT rag_update_message(:'s', 2, latency_ms => 0.5);
SELECT rag_update_message(:'s', 2, token_count => 7);
SELECT rag_update_message(:'s', 2, metadata => '{"rating": 5}');
SELECT content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key FROM messages WHERE id = 2;
SELECT rag_update_message(session_id => :'s', message_id => 2, content => '', sources => 'null', latency_ms => 0, token_count => 0, metadata => '{}', user_id => 'alice');
SELECT content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key FROM messages WHERE id = 2;
-- Metadata: a key replaces one that is there as a whole, null removes it.
SELECT rag_update_message(:'s', 2, metadata => '{"status": "done", "rating": null, "not there": null, "usage": {"in": 1, "out": null}}');
SELECT metadata FROM messages WHERE id = 2;
SELECT rag_update_message(:'s', 2, metadata => '{"usage": {"out": 2}}');
SELECT metadata FROM messages WHERE id = 2;
-- Where there is none yet.
SELECT rag_update_message(:'s', 4, metadata => '{"a": null, "b": 1}');
SELECT metadata FROM messages WHERE id = 4;
-- Nothing to change: nothing is written.
SELECT pg_temp.forget_touches(), pg_temp.state() AS before \gset
SELECT rag_update_message(:'s', 2);
SELECT pg_temp.state() = :'before' AS nothing_was_written;

-- A streamed answer: stored at once, growing, done.
SELECT rag_add_message(:'s', 'assistant', '', metadata => '{"status": "streaming"}', user_id => 'alice') AS answer \gset
SELECT rag_update_message(:'s', :answer, content => 'By cash', user_id => 'alice');
SELECT rag_update_message(:'s', :answer, content => 'By cashier''s check.', token_count => 5, latency_ms => 812.5, sources => '[{"id": "doc-1"}]',
                          metadata => '{"status": "done", "finish_reason": "stop"}', user_id => 'alice');
SELECT content, token_count, latency_ms, sources, metadata FROM rag_get_messages(:'s', 1);

-- Errors.
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error(format('SELECT rag_update_message(NULL, 1, %L)', 'x'));
SELECT * FROM pg_temp.error(format('SELECT rag_update_message(%L, NULL, %L)', :'s', 'x'));
SELECT * FROM pg_temp.error(format('SELECT rag_update_message(%L, 1, %L)', :'none', 'x'));
SELECT * FROM pg_temp.error(format('SELECT rag_update_message(%L, 999, %L)', :'s', 'x'));
SELECT n, d.code, d.message, d.detail
FROM (VALUES (1, '5, ''of the other session'''), (2, '2, ''x'', user_id => ''bob'''), (3, '999, user_id => ''alice'''), (4, '999'), (5, '999, metadata => ''{}'''),
             (6, '9223372036854775807, ''x'''), (7, '2, latency_ms => ''NaN'''), (8, '2, latency_ms => -1'), (9, '2, token_count => -1'),
             (10, '2, metadata => ''[]'''), (11, '2, metadata => ''null'''), (12, '999, latency_ms => -1')) AS t (n, args),
     pg_temp.diagnose(format('SELECT rag_update_message(%L, ' || args || ')', :'s')) d ORDER BY n;
-- Metadata that others stored, and that is no object.
BEGIN;
UPDATE messages SET metadata = '[1]' WHERE id = 1;
SELECT * FROM pg_temp.error(format('SELECT rag_update_message(%L, 1, metadata => %L)', :'s', '{"a": 1}'));
UPDATE messages SET metadata = 'null' WHERE id = 1;
SELECT rag_update_message(:'s', 1, metadata => '{"a": 1}');
SELECT metadata FROM messages WHERE id = 1;
ROLLBACK;
-- A retry of the call that added the message no longer finds what it wrote.
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, idempotency_key => %L)', :'s', 'assistant', 'two', 'k2'));
SELECT pg_temp.state() = :'before' AS nothing_was_written;

--
-- rag_delete_messages(): this message and all after it
--
SELECT pg_temp.forget_touches();
SELECT id, content FROM rag_get_messages(:'s') ORDER BY id;
SELECT rag_delete_messages(:'s', 8), pg_temp.touched();
SELECT rag_delete_messages(:'s', 4, 'alice'), pg_temp.touched();
SELECT id, content FROM messages ORDER BY id;
-- The id need not be one of the session.
SELECT rag_delete_messages(:'other', 4);
SELECT rag_delete_messages(:'other', -9223372036854775808);
SELECT rag_delete_messages(:'other', 1);
SELECT id, content FROM messages ORDER BY id;
-- Regenerate: the answer goes, and a new one takes its place.
BEGIN;
SELECT rag_delete_messages(:'s', 2), rag_add_message(:'s', 'assistant', 'another answer', idempotency_key => 'k2') IS NOT NULL AS added;
SELECT role, content FROM rag_get_messages(:'s');
ROLLBACK;
-- Errors.
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error('SELECT rag_delete_messages(NULL, 1)');
SELECT * FROM pg_temp.error(format('SELECT rag_delete_messages(%L, NULL)', :'s'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_delete_messages(%L, 1)', :'none'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_delete_messages(%L, 1, %L)', :'s', 'bob'));
SELECT pg_temp.state() = :'before' AS nothing_was_written;

--
-- rag_update_session(): merges, and touches nothing
--
SELECT pg_temp.forget_touches();
SELECT rag_update_session(:'s', '{"title": "Cars", "tags": ["a"]}');
SELECT rag_update_session(:'s', '{"title": "Cash for cars", "summary": "…", "summary_upto_id": 2}', 'alice');
SELECT rag_update_session(session_id => :'s', metadata => '{"tags": null, "summary": null, "summary_upto_id": null}');
SELECT rag_update_session(:'s', '{}');
SELECT metadata, pg_temp.touched() FROM sessions WHERE id = :'s';
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error(format('SELECT rag_update_session(NULL, %L)', '{}'));
SELECT * FROM pg_temp.error(format('SELECT rag_update_session(%L, NULL)', :'s'));
SELECT * FROM pg_temp.error(format('SELECT rag_update_session(%L, %L)', :'s', '[]'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L)', :'s', 'null'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L)', :'none', '{}'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L, %L)', :'s', '{}', 'bob'));
SELECT pg_temp.state() = :'before' AS nothing_was_written;
-- What others stored.
UPDATE sessions SET metadata = '"text"' WHERE id = :'other';
SELECT * FROM pg_temp.error(format('SELECT rag_update_session(%L, %L)', :'other', '{"a": 1}'));
UPDATE sessions SET metadata = 'null' WHERE id = :'other';
SELECT rag_update_session(:'other', '{"a": 1}');

--
-- rag_delete_session(): with its messages; it may be repeated
--
SELECT rag_delete_session(:'s', 'bob') AS bobs, rag_delete_session(:'none') AS none;
SELECT count(*) FROM messages WHERE session_id = :'s';
SELECT rag_delete_session(:'s', 'alice') AS deleted;
SELECT rag_delete_session(:'s', 'alice') AS again;
SELECT count(*) FROM messages WHERE session_id = :'s';
SELECT rag_delete_session(:'other') AS deleted;
SELECT (SELECT count(*) FROM sessions) AS sessions, (SELECT count(*) FROM messages) AS messages;
SELECT * FROM pg_temp.error('SELECT rag_delete_session(NULL)');

--
-- Triggers of the user: what they discard is an error
--
SELECT rag_create_session('alice', session_id => :'s'), rag_add_message(:'s', 'user', 'seven') AS seven \gset
CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION discard();
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_message(%L, %s, %L)', :'s', :seven, 'x'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_message(%L, %s, %L)', :'s', 999, 'x'));
SELECT rag_delete_messages(:'s', 1) AS none_were_deleted;
DROP TRIGGER discard ON messages;
CREATE TRIGGER discard BEFORE UPDATE OR DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION discard();
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L)', :'s', '{"a": 1}'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_delete_session(%L)', :'s'));
SELECT rag_delete_session(:'none');
DROP TRIGGER discard ON sessions;

--
-- The least rights of each, and row security
--
DROP ROLE IF EXISTS regress_rag_editor;
CREATE ROLE regress_rag_editor;
GRANT SELECT (id, user_id), UPDATE (updated_at) ON sessions TO regress_rag_editor;
GRANT SELECT (id, session_id), UPDATE (content) ON messages TO regress_rag_editor;
SET ROLE regress_rag_editor;
SELECT rag_update_message(:'s', :seven, 'changed', user_id => 'alice');
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_message(%L, %s, token_count => 1)', :'s', :seven));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_delete_messages(%L, 1)', :'s'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_delete_session(%L)', :'s'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L)', :'s', '{}'));
RESET ROLE;
GRANT SELECT (metadata), UPDATE (metadata), DELETE ON sessions TO regress_rag_editor;
GRANT DELETE ON messages TO regress_rag_editor;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON messages USING (content <> 'hidden');
CREATE POLICY seen ON sessions USING (user_id = 'alice');
SELECT rag_add_message(:'s', 'user', 'hidden') AS hidden, rag_create_session('bob', session_id => :'other') \gset
SET ROLE regress_rag_editor;
SELECT rag_update_session(:'s', '{"title": "mine"}');
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT rag_update_message(%L, %s, %L)', :'s', :hidden, 'x'));
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT rag_update_session(%L, %L)', :'other', '{}'));
SELECT rag_delete_messages(:'s', 1) AS all_that_are_seen;
SELECT rag_delete_session(:'other');
SELECT rag_delete_session(:'s');
RESET ROLE;
SELECT user_id FROM sessions;

-- What a driver has encoded once more is refused, and an array of JavaScript without
-- elements is taken for what it is.
SELECT rag_create_session(session_id => '00000000-0000-4000-8000-00000000000e') AS e \gset
SELECT rag_add_message(:'e', 'assistant', 'x', sources => '{}') AS m \gset
SELECT sources FROM rag_get_messages(:'e');
SELECT rag_update_message(:'e', :m, sources => '[1]'), rag_update_message(:'e', :m, sources => '{}');
SELECT sources FROM rag_get_messages(:'e');
SELECT n, d.* FROM (VALUES
  (1, format('rag_add_message(%L, $$assistant$$, $$x$$, sources => %L)', :'e', to_jsonb('[{"a": 1}]'::text))),
  (2, format('rag_add_message(%L, $$assistant$$, $$x$$, metadata => %L)', :'e', to_jsonb('{"a": 1}'::text))),
  (3, format('rag_update_message(%L, %s, sources => %L)', :'e', :m, to_jsonb(' {"a": 1}'::text))),
  (4, format('rag_add_messages(%L, %L)', :'e', to_jsonb('[]'::text))),
  (5, format('rag_add_messages(%L, %L)', :'e', '[{"role": "user", "content": "x", "sources": "[]"}]')),
  (6, format('rag_update_session(%L, %L)', :'e', to_jsonb('{"a": 1}'::text))),
  (7, format('rag_import_session(%L)', to_jsonb('{"messages": []}'::text))),
  (8, format('rag_add_message(%L, $$assistant$$, $$x$$, sources => %L)', :'e', '"[see the appendix]"'))) AS c (n, call),
  LATERAL (SELECT code, message, hint FROM pg_temp.diagnose('SELECT ' || call)) AS d ORDER BY n;

DROP EXTENSION rag_events;
DROP FUNCTION discard();
DROP ROLE regress_rag_editor;

-- A number that rounds to the smallest one is none; many keys are removed at once.
CREATE EXTENSION rag_events;
\set s '\'00000000-0000-4000-8000-000000000001\''
SELECT rag_create_session('maya', '{"summary": "y", "summary_upto_id": -9223372036854775809}', :s);
SELECT rag_copy_session(:s) AS copy, rag_import_session(rag_export_session(:s)) AS import \gset
SELECT metadata FROM sessions WHERE id IN (:'copy', :'import');
SELECT rag_update_session(:s, jsonb_object_agg('key ' || i, nullif(i % 2, 0))) = jsonb_object_agg('key ' || i, 1) FILTER (WHERE i % 2 = 1) || '{"summary": "y", "summary_upto_id": -9223372036854775809}'
FROM generate_series(1, 20000) AS i;
SELECT count(*) FROM jsonb_object_keys(rag_update_session(:s, (SELECT jsonb_object_agg('key ' || i, NULL) || '{"n": {"kept": null}}' FROM generate_series(1, 20000) AS i)));
SELECT metadata FROM sessions WHERE id = :s;
DROP EXTENSION rag_events;
