--
-- A hint that is followed works: each is shown, and then done to the letter.
-- (That of a refused adoption is followed in test/clients/alembic/test_differences.py.)
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql
\set s 00000000-0000-4000-8000-000000000001
CREATE FUNCTION pg_temp.hint(statement text, OUT code text, OUT hint text) LANGUAGE sql
AS $$ SELECT code, hint FROM pg_temp.diagnose(statement) $$;

-- Session and role
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L)', :'s', 'user', 'x'));
SELECT rag_create_session('alice', session_id => :'s') \g /dev/null
SELECT rag_add_message(:'s', 'user', 'x') > 0 AS added;
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'s', 'user', 'x', 'bob'));
SELECT rag_add_message(:'s', 'user', 'x', user_id => 'alice') > 0 AS added;
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L)', :'s', 'ai', 'x'));
SELECT rag_add_message(:'s', 'assistant', 'x') > 0 AS added;

-- Idempotency keys
SELECT rag_add_message(:'s', 'user', 'x', idempotency_key => 'k') > 0 AS added;
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L, idempotency_key => %L)', :'s', 'user', 'y', 'k'));
SELECT rag_add_message(:'s', 'user', 'y', idempotency_key => 'k2') > 0 AS added;

-- JSON
SELECT * FROM pg_temp.hint(format('SELECT rag_add_messages(%L, %L)', :'s', '5'));
SELECT cardinality(rag_add_messages(:'s', '[{"role": "user", "content": "x"}]')), cardinality(rag_add_messages(:'s', '{"messages": [{"role": "user", "content": "x"}]}'));
SELECT * FROM pg_temp.hint(format('SELECT rag_add_messages(%L, %L)', :'s', to_jsonb('[]'::text)));
SELECT cardinality(rag_add_messages(:'s', '[]'));
SELECT * FROM pg_temp.hint(format('SELECT rag_add_messages(%L, %L)', :'s', '[{"role": "user", "content": "x", "created_at": 1719828000000}]'));
SELECT cardinality(rag_add_messages(:'s', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', 'created_at', 1719828000000 / 1000))));
SELECT * FROM pg_temp.hint($$SELECT rag_add_conversations('{}')$$);
SELECT rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', :'s', 'messages', '[]'::jsonb))) AS list,
       rag_add_conversations(jsonb_build_object('conversations', jsonb_build_array(jsonb_build_object('session_id', :'s', 'messages', '[]'::jsonb)))) AS object;
SELECT * FROM pg_temp.hint(format('SELECT rag_add_conversations(%L)', jsonb_build_array(jsonb_build_object('session_id', :'s', 'message', '[]'::jsonb))));
SELECT rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', :'s', 'messages', '[]'::jsonb))) AS added;

-- Imports
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('5')$$);
SELECT rag_import_session(rag_export_session(:'s')) IS NOT NULL AS own, rag_import_session('{"messages": []}') IS NOT NULL AS object,
       rag_import_session('[{"role": "user", "content": "x"}]') IS NOT NULL AS list;
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('{"messages": []}', keep_id => true)$$);
SELECT rag_import_session('{"messages": []}') IS NOT NULL AS imported;
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('[{"speaker": "human", "words": "x"}]')$$);
SELECT rag_import_session('[{"role": "user", "content": "x"}]') IS NOT NULL AS by_role, rag_import_session('[{"type": "human", "data": {"content": "x"}}]') IS NOT NULL AS by_type;
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('{"chats": []}')$$);
SELECT rag_import_session('{"conversations": [{"from": "human", "value": "x"}]}') IS NOT NULL AS by_list;
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('[{"messages": []}, {"messages": []}]')$$);
SELECT rag_import_session(conversation) IS NOT NULL AS each FROM jsonb_array_elements('[{"messages": []}, {"messages": []}]') AS conversation;
SELECT * FROM pg_temp.hint($$SELECT rag_import_session('{"mapping": {"a": {}}, "current_node": "b"}')$$);
SELECT rag_import_session('{"mapping": {"a": {}}}') IS NOT NULL AS newest;

-- Reading
SELECT * FROM pg_temp.hint(format('SELECT rag_get_messages(%L, -1)', :'s'));
SELECT (SELECT count(*) FROM rag_get_messages(:'s', NULL)) > 5 AS all, (SELECT count(*) FROM rag_get_messages(:'s', 0)) AS none;
SELECT * FROM pg_temp.hint($$SELECT rag_list_sessions('alice', after_cursor => 'x')$$);
SELECT cursor FROM rag_list_sessions('alice', 1) \gset
SELECT count(*) FROM rag_list_sessions('alice', after_cursor => :'cursor');

-- Metadata that no call can merge with
UPDATE sessions SET metadata = '[1]' WHERE id = :'s';
SELECT * FROM pg_temp.hint(format('SELECT rag_update_session(%L, %L)', :'s', '{"a": 1}'));
UPDATE sessions SET metadata = '{}' WHERE id = :'s';
SELECT rag_update_session(:'s', '{"a": 1}');

-- A column that is gone
ALTER TABLE messages DROP COLUMN metadata;
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L, metadata => %L)', :'s', 'user', 'x', '{}'));
SELECT ddl FROM rag_check_schema() WHERE kind = 'missing' AND object LIKE 'column %' \gexec
SELECT rag_add_message(:'s', 'user', 'x', metadata => '{}') > 0 AS added;

-- Versions
SELECT * FROM pg_temp.hint($$ALTER EXTENSION rag_events UPDATE TO '1.0'$$);
SET rag_events.allow_data_loss = on;
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT * FROM pg_temp.hint(format('SELECT rag_add_message(%L, %L, %L, token_count => 1)', :'s', 'user', 'x'));
SELECT rag_add_message(:'s', 'user', 'x') > 0 AS added;
CREATE INDEX ix_messages_session_id_new ON messages (role);
SELECT * FROM pg_temp.hint('ALTER EXTENSION rag_events UPDATE');
DROP INDEX ix_messages_session_id_new;
ALTER EXTENSION rag_events UPDATE;
SELECT rag_add_message(:'s', 'user', 'x', token_count => 1) > 0 AS added;
-- (Not every server has lz4.)
SELECT count(*) FROM rag_check_schema() WHERE object NOT LIKE 'compression of column %';

DROP EXTENSION rag_events;
