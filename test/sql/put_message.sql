--
-- rag_put_message(): adds a message, or changes the one with its key.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname = 'rag_put_message';

SELECT rag_create_session('alice', session_id => :'alice'), rag_create_session(session_id => :'nobody');
CREATE FUNCTION pg_temp.forget_touches() RETURNS void LANGUAGE sql AS $$ UPDATE sessions SET updated_at = '2001-01-01' $$;
CREATE FUNCTION pg_temp.touched() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(right(id::text, 1), ' ' ORDER BY id), 'none') FROM sessions WHERE updated_at > '2001-01-01'
$$;

--
-- A new one is added, with all that it has
--
SELECT pg_temp.forget_touches();
SELECT rag_put_message(:'alice', 'k1', 'user', 'one');
SELECT pg_temp.touched();
SELECT rag_put_message(:'alice', 'k2', 'assistant', 'tw', '["doc"]', 2, 3, 'q', 'alice', 4, '{"status": "streaming", "model": "m"}');
SELECT id, role, content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key FROM rag_get_messages(:'alice') \gx
SELECT created_at FROM messages WHERE id = 2 \gset

--
-- One that is there: the content is replaced, NULL keeps, metadata merges
--
SELECT pg_temp.forget_touches();
SELECT rag_put_message(:'alice', 'k2', 'assistant', 'two');
SELECT pg_temp.touched();
SELECT content, sources, latency_ms, top_k, query_type, token_count, metadata, created_at = :'created_at' AS same_time FROM messages WHERE id = 2;
SELECT rag_put_message(session_id => :'alice', idempotency_key => 'k2', role => 'assistant', content => 'two.', sources => '{}', latency_ms => 0,
  top_k => 0, query_type => '', user_id => 'alice', token_count => 0, metadata => '{"status": "done", "model": null}');
SELECT content, sources, latency_ms, top_k, query_type, token_count, metadata FROM messages WHERE id = 2;
-- The same again, and empty.
SELECT rag_put_message(:'alice', 'k2', 'assistant', 'two.'), rag_put_message(:'alice', 'k2', 'assistant', '');
SELECT count(*), sum(length(content)) FROM messages;
-- In one transaction with the message that it changes, and twice in one statement.
BEGIN;
SELECT rag_put_message(:'alice', 'k3', 'assistant', 'a');
SELECT rag_put_message(:'alice', 'k3', 'assistant', 'ab'), rag_put_message(:'alice', 'k3', 'assistant', 'abc');
COMMIT;
SELECT id, content FROM messages WHERE idempotency_key = 'k3';
-- A key of metadata with null is removed, from a new message as well: twice is as once.
SELECT rag_put_message(:'alice', 'k4', 'user', 'x', metadata => '{"a": null, "b": 1}') \g /dev/null
SELECT metadata FROM messages WHERE idempotency_key = 'k4';
SELECT rag_put_message(:'alice', 'k4', 'user', 'x', metadata => '{"a": null, "b": 1}') \g /dev/null
SELECT metadata FROM messages WHERE idempotency_key = 'k4';
SELECT rag_delete_messages(:'alice', 4) \g /dev/null
-- The key is the session's own.
SELECT rag_put_message(:'nobody', 'k3', 'user', 'other');
SELECT session_id = :'nobody' AS other, content FROM messages WHERE idempotency_key = 'k3' ORDER BY id;
-- Keys differ in their case, and what was added otherwise is found.
SELECT rag_put_message(:'nobody', 'K3', 'user', 'large');
SELECT rag_add_message(:'nobody', 'user', 'added', idempotency_key => 'added');
SELECT rag_put_message(:'nobody', 'added', 'user', 'put'), rag_put_message(:'nobody', repeat('k', 255), 'user', 'long key');
SELECT id, content FROM messages WHERE session_id = :'nobody' ORDER BY id;
SELECT count(*) AS ids_drawn FROM generate_series(1, pg_temp.ids_drawn('messages_id_seq'));

--
-- Errors, with nothing written
--
CREATE TEMP TABLE before AS SELECT * FROM messages;
SELECT pg_temp.forget_touches();
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', 'k2', 'user', 'other role'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, NULL, %L, %L)', :'alice', 'user', 'no key'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', '', 'user', 'empty key'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', repeat('k', 256), 'user', 'long key'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(NULL, %L, %L, %L)', 'k', 'user', 'no session'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, NULL, %L)', :'alice', 'k', 'no role'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, NULL)', :'alice', 'k2', 'assistant'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', 'k2', 'bot', 'role'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L, user_id => %L)', :'alice', 'k2', 'assistant', 'whose', 'bob'));
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'none', 'k2', 'assistant', 'where'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_put_message(%L, %L, %L, %L, latency_ms => %L)', :'alice', 'k2', 'assistant', 'x', 'NaN'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_put_message(%L, %L, %L, %L, top_k => -1)', :'alice', 'k2', 'assistant', 'x'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_put_message(%L, %L, %L, %L, metadata => %L)', :'alice', 'k2', 'assistant', 'x', '[]'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_put_message(%L, %L, %L, %L, sources => %L)', :'alice', 'k2', 'assistant', 'x', '"[1]"'));
SELECT count(*) AS changed FROM (SELECT * FROM messages EXCEPT SELECT * FROM before) AS c;
SELECT pg_temp.touched();
-- What is stored cannot be merged.
UPDATE messages SET metadata = '[1]' WHERE id = 2;
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L, metadata => %L)', :'alice', 'k2', 'assistant', 'x', '{"a": 1}'));
-- A trigger that discards the change.
CREATE FUNCTION pg_temp.discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.discard();
SELECT * FROM pg_temp.error(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', 'k1', 'user', 'x'));
DROP TRIGGER discard ON messages;

-- Row security hides a message: its key is not found, and taken.
CREATE ROLE regress_rag_put;
GRANT SELECT, INSERT, UPDATE ON sessions, messages TO regress_rag_put;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_put;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON messages USING (content <> 'one') WITH CHECK (true);
SET ROLE regress_rag_put;
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT rag_put_message(%L, %L, %L, %L)', :'alice', 'k1', 'user', 'x'));
SELECT rag_put_message(:'alice', 'k3', 'assistant', 'seen');
RESET ROLE;
SELECT content FROM messages WHERE session_id = :'alice' ORDER BY id;

DROP EXTENSION rag_events;
DROP OWNED BY regress_rag_put;
DROP ROLE regress_rag_put;
