--
-- rag_export_session() and rag_import_session(): each undoes the other, whatever the
-- settings, and the conversations of other programs are converted by rules.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_importer;
CREATE EXTENSION rag_events;
\pset null '(null)'
SET DateStyle = 'ISO, MDY';

\set alice  00000000-0000-4000-8000-00000000000a
\set none   00000000-0000-4000-8000-00000000ffff

-- Parameters are API: their names, order and defaults.
SELECT proname, regexp_split_to_table(pg_get_function_arguments(oid), ', ') AS argument
FROM pg_proc WHERE proname IN ('rag_export_session', 'rag_import_session') ORDER BY 1;
SELECT proname, pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel, proconfig
FROM pg_proc WHERE proname IN ('rag_export_session', 'rag_import_session') ORDER BY 1;

-- Both tables and the sequence as one value, for "nothing was written".
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s),
                    (SELECT array_agg(m ORDER BY id) FROM messages m),
                    pg_temp.ids_drawn('messages_id_seq')))
$$;
-- Imports a JSON text; the error in short.
CREATE FUNCTION pg_temp.try(conversation text, OUT code text, OUT message text)
LANGUAGE sql AS $$
  SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_import_session(%L)', conversation))
$$;
-- A document without what an import renews: ids, and where a summary ends.
CREATE FUNCTION pg_temp.anonymous(document jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT document - 'session_id'
    || CASE jsonb_typeof(document->'metadata') WHEN 'object' THEN jsonb_build_object('metadata', (document->'metadata') - 'summary_upto_id') ELSE '{}' END
    || jsonb_build_object('messages', coalesce(jsonb_agg(m - 'id' || jsonb_build_object('summarized', (m->'id') <= (document#>'{metadata,summary_upto_id}')) ORDER BY n), '[]'))
  FROM jsonb_array_elements(document->'messages') WITH ORDINALITY AS e (m, n)
$$;
-- What an import makes of it: the session, and its messages.
CREATE PROCEDURE pg_temp.import(conversation jsonb) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE sessions, messages, rag_feedback;
  PERFORM rag_import_session(conversation);
END $$;

--
-- The document
--
SELECT rag_create_session('alice', '{"title": "Cars"}', :'alice');
SELECT rag_add_messages(:'alice', '[
  {"role": "user", "content": "How to pay with cash when car shopping?", "created_at": "2024-02-29 12:34:56.000001", "idempotency_key": "turn-1"},
  {"role": "assistant", "content": "By cashier''s check.", "sources": [{"id": "doc-1", "score": 0.87}], "created_at": "2024-02-29 12:35:00",
   "latency_ms": 812.5, "top_k": 5, "query_type": "semantic", "token_count": 7, "metadata": {"model": "m-1", "stop": null}}]');
UPDATE sessions SET created_at = '2024-02-29 12:34:50.5', updated_at = '2024-02-29 12:35:00';
SELECT jsonb_pretty(rag_export_session(:'alice'));
SELECT rag_export_session(session_id => :'alice', user_id => 'alice') = rag_export_session(:'alice') AS same;
-- Whatever is null is left out, and a JSON null (SQLAlchemy stores it) is not.
BEGIN;
UPDATE sessions SET user_id = NULL, metadata = NULL;
UPDATE messages SET sources = 'null', metadata = 'null' WHERE role = 'user';
SELECT jsonb_pretty(rag_export_session(:'alice') #- '{messages,1}');
UPDATE sessions SET metadata = 'null';
SELECT rag_export_session(:'alice') - 'messages' AS session;
ROLLBACK;
SELECT rag_create_session() AS empty \gset
SELECT rag_export_session(:'empty') - '{session_id,created_at,updated_at}'::text[] AS empty;

-- Whatever the settings, times and numbers are exact.
BEGIN;
UPDATE messages SET latency_ms = 0.1::float8 + 0.2::float8;
SELECT md5(rag_export_session(:'alice')::text) AS document \gset
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL extra_float_digits = -15;
SELECT md5(rag_export_session(:'alice')::text) = :'document' AS same, jsonb_path_query_array(rag_export_session(:'alice'), '$.messages[*].latency_ms') AS exact;
SELECT rag_import_session(rag_export_session(:'alice')) AS id \gset
SELECT pg_temp.anonymous(rag_export_session(:'id')) = pg_temp.anonymous(rag_export_session(:'alice')) AS same_after_import;
ROLLBACK;

-- Errors: as of every reader.
SELECT * FROM pg_temp.error('SELECT rag_export_session(NULL)');
SELECT * FROM pg_temp.error(format('SELECT rag_export_session(%L)', :'none'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_export_session(%L, %L)', :'alice', 'bob'));
-- It reads in a read-only transaction, and no more than its session.
BEGIN READ ONLY;
SELECT rag_export_session(:'alice')->>'user_id' AS user_id;
ROLLBACK;
BEGIN;
SELECT cardinality(rag_add_messages(rag_create_session(), (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 5000))));
SELECT seq_tup_read AS seq_before, idx_tup_fetch AS index_before FROM pg_stat_xact_user_tables WHERE relid = 'messages'::regclass \gset
SELECT jsonb_array_length(rag_export_session(:'alice')->'messages');
SELECT seq_tup_read - :seq_before AS seq, idx_tup_fetch - :index_before AS index FROM pg_stat_xact_user_tables WHERE relid = 'messages'::regclass;
-- What does not fit into a jsonb is not even collected.
SELECT rag_create_session() AS large \gset
SELECT count(rag_add_message(:'large', 'user', repeat('x', 140000000))) FROM generate_series(1, 2);
SELECT * FROM pg_temp.error(format('SELECT rag_export_session(%L)', :'large'));
ROLLBACK;

--
-- The way back
--
BEGIN;
SELECT rag_export_session(:'alice') AS document \gset
SELECT rag_import_session(:'document') AS id \gset
SELECT :'id' <> :'alice' AS new_id, substr(:'id', 15, 1) AS version;
SELECT user_id, created_at, updated_at, metadata FROM sessions WHERE id = :'id';
SELECT role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
FROM messages WHERE session_id = :'id' ORDER BY id;
-- For somebody else; and what has no owner stays so.
SELECT rag_import_session(:'document', 'bob') AS bobs, rag_import_session(:'document'::jsonb - 'user_id') AS nobodys,
       rag_import_session(:'document'::jsonb || '{"user_id": null}', user_id => '') AS empty \gset
SELECT user_id FROM sessions WHERE id IN (:'bobs', :'nobodys', :'empty') ORDER BY id;
-- With its id: not where it is there, and not where it has none.
SELECT * FROM pg_temp.error(format('SELECT rag_import_session(%L, keep_id => true)', :'document'));
SELECT rag_delete_session(:'alice');
SELECT rag_import_session(:'document', keep_id => true);
SELECT pg_temp.anonymous(rag_export_session(:'alice')) = pg_temp.anonymous(:'document') AS same;
SELECT * FROM pg_temp.error(format('SELECT rag_import_session(%L, keep_id => true)', :'document'::jsonb - 'session_id'));
SELECT count(rag_import_session(:'document', keep_id => NULL));
-- Without times: those of the columns' defaults. A time alone is kept.
SELECT rag_import_session('{"messages": [{"role": "user", "content": "now"}, {"role": "user", "content": "then", "created_at": 0}]}') AS now,
       rag_import_session('{"messages": [], "created_at": "2001-01-01 00:00:00"}') AS created,
       rag_import_session('{"messages": [], "updated_at": "2001-01-01T00:00:00"}') AS updated \gset
SELECT CASE WHEN id = :'now' THEN 'now' WHEN id = :'created' THEN 'created' ELSE 'updated' END AS session,
       created_at = CURRENT_TIMESTAMP::timestamp AS created_now, updated_at = CURRENT_TIMESTAMP::timestamp AS updated_now
FROM sessions WHERE id IN (:'now', :'created', :'updated') ORDER BY id;
SELECT content, created_at = CURRENT_TIMESTAMP::timestamp AS created_now FROM messages WHERE session_id = :'now' ORDER BY id;
ROLLBACK;

-- Extremes of what the tables hold.
BEGIN;
UPDATE messages SET created_at = '0044-03-15 12:00 BC', latency_ms = 5e-324, top_k = 2147483647, query_type = '' WHERE role = 'user';
UPDATE messages SET created_at = '294276-12-31 23:59:59.999999', latency_ms = 1.7976931348623157e308, token_count = 0, sources = '"\\u0000 \ud83d\ude00"', content = '' WHERE role = 'assistant';
UPDATE sessions SET created_at = '4713-01-01 00:00:00 BC', updated_at = '10000-01-01', user_id = '', metadata = '[null, {"": 1e400}]';
SELECT rag_export_session(:'alice') AS document \gset
SELECT rag_import_session(:'document') AS id \gset
SELECT pg_temp.anonymous(rag_export_session(:'id')) = pg_temp.anonymous(:'document') AS same;
WITH a AS MATERIALIZED (SELECT * FROM messages WHERE session_id = :'alice' AND role = 'user'), b AS MATERIALIZED (SELECT * FROM messages WHERE session_id = :'id')
SELECT count(*) FROM a JOIN b USING (role, content, created_at, latency_ms, top_k);
SELECT s.created_at, s.updated_at, m.created_at, latency_ms FROM sessions s JOIN messages m ON m.session_id = s.id WHERE s.id = :'id' ORDER BY m.id;
ROLLBACK;
-- Plain SQL can store what the functions refuse, and it is exported; they still refuse it.
BEGIN;
UPDATE messages SET latency_ms = 'NaN' WHERE role = 'user';
SELECT code, message FROM pg_temp.try(rag_export_session(:'alice')::text);
UPDATE messages SET latency_ms = -1 WHERE role = 'user';
SELECT code, message FROM pg_temp.try(rag_export_session(:'alice')::text);
UPDATE messages SET latency_ms = NULL, created_at = 'infinity' WHERE role = 'user';
SELECT code, message FROM pg_temp.try(rag_export_session(:'alice')::text);
UPDATE messages SET created_at = '2001-01-01', metadata = '[]' WHERE role = 'user';
SELECT code, message FROM pg_temp.try(rag_export_session(:'alice')::text);
ROLLBACK;

-- Where the summary ends: at the same message, and at none if that is not there.
CREATE FUNCTION pg_temp.summarized(upto text, OUT summarized text, OUT metadata jsonb) LANGUAGE plpgsql AS $$
DECLARE
  imported uuid := rag_import_session(format('{"metadata": {"summary": "…", "summary_upto_id": %s}, "messages": [
    {"id": 11, "role": "user", "content": "one"}, {"id": 12, "role": "assistant", "content": "two"}, {"role": "user", "content": "without"},
    {"id": 30, "role": "user", "content": "three"}]}', upto)::jsonb);
BEGIN
  SELECT string_agg(content, ' ' ORDER BY m.id) FILTER (WHERE to_jsonb(m.id) <= s.metadata->'summary_upto_id'),
         CASE WHEN to_jsonb(min(m.id)) <= s.metadata->'summary_upto_id' THEN s.metadata - 'summary_upto_id' ELSE s.metadata END
  INTO summarized, metadata FROM sessions s JOIN messages m ON m.session_id = s.id WHERE s.id = imported GROUP BY s.metadata;
END $$;
SELECT upto, s.* FROM unnest('{11,12,12.0,15,30,99,10,-1,"\"12\"",1.5,"null"}'::text[]) WITH ORDINALITY AS v (upto, n), pg_temp.summarized(upto) s ORDER BY n;

--
-- Any conversation: imported, exported, imported and exported again it is the same,
-- by both ways into the table. (A trigger of the user makes it an ordinary INSERT.)
--
CREATE TEMPORARY TABLE line (n integer GENERATED ALWAYS AS IDENTITY, conversation jsonb);
\set conversations :test_dir /data/conversations.jsonl
\set edges :test_dir /data/edges.jsonl
COPY line (conversation) FROM :'conversations' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
COPY line (conversation) FROM :'edges' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
CREATE FUNCTION pg_temp.there_and_back(OUT conversations bigint, OUT messages bigint, OUT as_given bigint, OUT same bigint) LANGUAGE plpgsql AS $$
DECLARE
  given jsonb;
  id uuid;
  first jsonb;
  second jsonb;
BEGIN
  conversations := 0; messages := 0; as_given := 0; same := 0;
  FOR given IN SELECT conversation FROM line ORDER BY n LOOP
    id := rag_import_session(given);
    first := rag_export_session(id);
    id := rag_import_session(first);
    second := rag_export_session(id);
    conversations := conversations + 1;
    messages := messages + jsonb_array_length(first->'messages');
    as_given := as_given + (pg_temp.anonymous(CASE given->'user_id' WHEN 'null' THEN given - 'user_id' ELSE given END) = (
      SELECT pg_temp.anonymous(first - 'created_at' - 'updated_at' || jsonb_build_object('messages', jsonb_agg(m - 'created_at' ORDER BY n)))
      FROM jsonb_array_elements(first->'messages') WITH ORDINALITY AS e (m, n)))::integer;
    same := same + (pg_temp.anonymous(first) = pg_temp.anonymous(second) AND first->'session_id' <> second->'session_id')::integer;
  END LOOP;
END $$;
CREATE FUNCTION own_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SELECT * FROM pg_temp.there_and_back();
CREATE TRIGGER own BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION own_trigger();
SELECT * FROM pg_temp.there_and_back();
DROP TRIGGER own ON messages;
DROP FUNCTION own_trigger();

--
-- OpenAI's chat messages: an array, alone or as "messages". Instructions go into the
-- session's metadata; calls of tools and their results into the metadata of the
-- assistant's message.
--
CALL pg_temp.import('[
  {"role": "system", "content": "Be brief."},
  {"role": "developer", "content": [{"type": "text", "text": "Cite "}, {"type": "text", "text": "sources."}], "name": "ops"},
  {"role": "user", "content": "What is the weather in Oslo, and here?", "name": "maya"},
  {"role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}},
    {"id": "call_2", "type": "function", "function": {"name": "here", "arguments": "{}"}}]},
  {"role": "tool", "tool_call_id": "call_1", "content": "snow"},
  {"role": "assistant", "content": "Let me see.", "tool_calls": [{"id": "call_3", "type": "custom", "custom": {"name": "gps", "input": ""}}]},
  {"role": "tool", "tool_call_id": "call_3", "content": [{"type": "text", "text": "59.9"}, {"type": "text", "text": ", 10.7"}]},
  {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
  {"role": "assistant", "content": [{"type": "text", "text": "Snow there, "}, {"type": "text", "text": "rain here."}],
   "annotations": [{"type": "url_citation", "url_citation": {"url": "http://example.com", "title": "", "start_index": 0, "end_index": 4}}]}
]');
SELECT user_id, metadata FROM sessions;
SELECT role, content, jsonb_pretty(metadata) AS metadata FROM messages ORDER BY id;
-- Functions, as before there were tools; a refusal; images and sounds.
CALL pg_temp.import('{"user_id": "maya", "metadata": {"title": "Old"}, "messages": [
  {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "http://example.com/a.png", "detail": "low"}}, "\n"]},
  {"role": "assistant", "content": null, "function_call": {"name": "look", "arguments": "{}"}},
  {"role": "function", "name": "look", "content": null},
  {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
  {"role": "assistant", "refusal": "I cannot say."},
  {"role": "assistant", "content": null, "audio": {"id": "audio_1"}},
  {"role": "assistant", "content": [{"type": "text", "text": "With a note", "annotations": [1]}, {"type": "refusal", "refusal": "No."}], "id": "chatcmpl-1"},
  {"role": "system", "content": "Be kind."},
  {"role": "user", "content": [], "created_at": 1719828000}]}');
SELECT user_id, metadata FROM sessions;
SELECT role, content, metadata, created_at < '2025-01-01' AS dated FROM messages ORDER BY id;
-- Our fields beside theirs; a number as id is one of ours, and renewed.
CALL pg_temp.import('[{"id": 77, "role": "assistant", "content": "both", "metadata": {"model": "m-1"}, "tool_calls": [{"id": "c"}], "latency_ms": 1.5, "token_count": 3},
                      {"role": "tool", "tool_call_id": "c", "content": "result", "created_at": "any text", "id": 5}]');
SELECT content, latency_ms, token_count, metadata FROM messages WHERE id <> 77;
-- A result without the id of a call is that of the last message; so is one of a call
-- that nobody knows.
CALL pg_temp.import('[{"role": "assistant", "content": "one", "tool_calls": [{"id": "a"}, {"name": "without id"}, 1]}, {"role": "assistant", "content": "two", "tool_calls": "none"},
                      {"role": "tool", "content": "r1"}, {"role": "user", "content": "?"}, {"role": "tool", "tool_call_id": "b", "content": "r2"},
                      {"role": "tool", "tool_call_id": "a", "content": "r3"}, {"role": "tool", "tool_call_id": 7, "content": "r4"}]');
SELECT content, metadata->'tool_results' AS results FROM messages ORDER BY id;

--
-- LangChain's stored messages, as mapChatMessagesToStoredMessages() gives them in
-- JavaScript
--
\set stored_messages '[{"type": "system", "data": {"content": "Be brief.", "additional_kwargs": {}, "response_metadata": {}}}, {"type": "human", "data": {"content": [{"type": "text", "text": "what"}, {"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}], "name": "maya", "id": "h1", "additional_kwargs": {}, "response_metadata": {}}}, {"type": "ai", "data": {"content": "", "tool_calls": [{"name": "f", "args": {"a": 1}, "id": "c1", "type": "tool_call"}], "id": "run-1", "usage_metadata": {"input_tokens": 3, "output_tokens": 7, "total_tokens": 10}, "response_metadata": {"model": "m-1"}, "invalid_tool_calls": [], "additional_kwargs": {}}}, {"type": "tool", "data": {"content": "42", "tool_call_id": "c1", "name": "f", "artifact": {"x": 1}, "status": "success", "additional_kwargs": {}, "response_metadata": {}}}, {"type": "ai", "data": {"content": "done", "tool_calls": [], "invalid_tool_calls": [], "additional_kwargs": {}, "response_metadata": {}}}, {"type": "ai", "data": {"content": "x", "additional_kwargs": {"function_call": {"name": "f", "arguments": "{}"}}, "tool_calls": [], "invalid_tool_calls": [], "response_metadata": {}}}, {"type": "function", "data": {"content": "r", "name": "f", "additional_kwargs": {}, "response_metadata": {}}}]'
CALL pg_temp.import(:'stored_messages');
SELECT metadata FROM sessions;
SELECT role, content, token_count, jsonb_pretty(metadata) AS metadata FROM messages ORDER BY id;
SELECT md5(string_agg(concat_ws(E'\x01', role, content, token_count, metadata), E'\x01' ORDER BY id)) AS stored FROM messages \gset
-- The same with both levels in one, as PostgresChatMessageHistory stores them.
SELECT jsonb_agg(m->'data' || jsonb_build_object('type', m->'type') ORDER BY n) AS flat FROM jsonb_array_elements(:'stored_messages') WITH ORDINALITY AS e (m, n) \gset
CALL pg_temp.import(:'flat');
SELECT md5(string_agg(concat_ws(E'\x01', role, content, token_count, metadata), E'\x01' ORDER BY id)) = :'stored' AS same FROM messages;
-- As messages_to_dict() gives them in Python: all fields, with nulls; pieces of a
-- stream that were put together; a time of the message.
CALL pg_temp.import('{"messages": [
  {"type": "human", "data": {"content": "hi", "additional_kwargs": {}, "response_metadata": {}, "type": "human", "name": null, "id": null, "example": false}, "created_at": "2024-07-01 12:00:00"},
  {"type": "ai", "data": {"content": "hello", "additional_kwargs": {"refusal": null}, "response_metadata": {"token_usage": {"completion_tokens": 2}}, "type": "ai", "name": null, "id": "run-1",
    "example": false, "tool_calls": [], "invalid_tool_calls": [], "usage_metadata": null}},
  {"type": "AIMessageChunk", "data": {"content": [], "additional_kwargs": {}, "response_metadata": {}, "type": "AIMessageChunk", "name": null, "id": "run-2", "tool_calls": [{"name": "f", "args": {}, "id": "c1", "type": "tool_call"}],
    "invalid_tool_calls": [], "usage_metadata": {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}, "tool_call_chunks": [], "chunk_position": "last"}},
  {"type": "tool", "data": {"content": "bad", "additional_kwargs": {}, "response_metadata": {}, "type": "tool", "name": "f", "id": null, "tool_call_id": "c1", "artifact": null, "status": "error"}}]}');
SELECT role, content, token_count, metadata, created_at < '2025-01-01' AS dated FROM messages ORDER BY id;

--
-- What is no conversation: 22023, with the place
--
TRUNCATE sessions, messages, rag_feedback;
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error('SELECT rag_import_session(NULL)');
SELECT * FROM pg_temp.error($$SELECT rag_import_session('{"user_id": "u", "conversation_id": "1", "messages": []}')$$);
SELECT * FROM pg_temp.error($$SELECT rag_import_session('[{"role": "user", "content": "x"}, {"role": "user", "content": "x", "top_k": 1, "mood": "good"}]')$$);
SELECT * FROM pg_temp.error($$SELECT rag_import_session('[{"role": "bot", "content": "x"}]')$$);
SELECT * FROM pg_temp.error($$SELECT rag_import_session('[{"type": "generic", "data": {"content": "x"}}]')$$);
SELECT * FROM pg_temp.error($$SELECT rag_import_session('[{"role": "user", "content": ["x", 1]}]')$$);
SELECT * FROM pg_temp.error($$SELECT rag_import_session('"x"')$$);
SELECT conversation, d.*
FROM (VALUES (1, 'null'), (2, '1'), (3, '{}'), (4, '{"messages": null}'), (5, '{"messages": {}}'), (6, '{"messages": "x"}'), (7, '{"messages": [], "created_at": null, "id": "x"}'),
             (8, '{"messages": [], "session_id": "x"}'), (9, '{"messages": [], "session_id": 1}'), (10, '{"messages": [], "session_id": "00000000-0000-4000-8000-00000000000g"}'),
             (11, '{"messages": [], "session_id": "{0000000-0000-4000-8000-00000000000}"}'),
             (12, '{"messages": [], "user_id": 1}'), (13, '{"messages": [], "created_at": "x"}'), (14, '{"messages": [], "updated_at": true}'),
             (15, '{"messages": [{"role": "system", "content": "x"}], "metadata": {"system_prompt": null}}'),
             (16, '{"messages": [{"role": "system", "content": "x"}], "metadata": []}')) AS v (n, conversation),
     pg_temp.try(conversation) d ORDER BY n;
-- In a message, the second of each.
SELECT element, d.*
FROM (VALUES (1, '1'), (2, 'null'), (3, '[]'), (4, '{}'), (5, '{"content": "x"}'), (6, '{"role": null, "content": "x"}'), (7, '{"role": 1, "content": "x"}'), (8, '{"role": "User", "content": "x"}'),
             (9, '{"role": "user"}'), (10, '{"role": "user", "content": null}'), (11, '{"role": "user", "content": 1}'), (12, '{"role": "user", "content": {}}'),
             (13, '{"role": "assistant", "content": null, "tool_calls": []}'), (14, '{"role": "system"}'),
             (15, '{"role": "system", "content": [{"type": "image_url"}]}'), (16, '{"role": "system", "content": "x", "sources": []}'),
             (17, '{"role": "user", "content": [{}]}'), (18, '{"role": "user", "content": [{"type": "text"}]}'), (19, '{"role": "user", "content": [{"type": "text", "text": null}]}'),
             (20, '{"role": "user", "content": [{"type": 1}]}'), (21, '{"role": "user", "content": [[]]}'), (22, '{"role": "user", "content": "x", "top_k": 1, "tool_calls": [1]}'),
             (23, '{"role": "assistant", "content": "x", "top_k": 1, "tool_call_id": "c"}'), (24, '{"role": "tool", "tool_call_id": "c", "content": "x", "top_k": 1}'),
             (25, '{"role": "user", "content": "x", "top_k": 1, "type": "human"}'), (26, '{"role": "user", "content": "x", "top_k": 1, "data": {}}'), (27, '{"role": "user", "content": "x", "id": 1.5}'), (28, '{"role": "user", "content": "x", "id": true}'),
             (29, '{"role": "user", "content": "x", "metadata": []}'), (30, '{"role": "user", "content": "x", "metadata": {"name": 1}, "name": "maya"}'),
             (31, '{"role": "user", "content": "x", "top_k": -1}'), (32, '{"role": "user", "content": "x", "latency_ms": "1"}'), (33, '{"role": "user", "content": "x", "idempotency_key": ""}'),
             (34, '{"role": "user", "content": "x", "created_at": "soon"}'),
             (40, '{"type": "human"}'), (41, '{"type": "human", "data": null}'), (42, '{"type": "human", "data": {"content": "x"}, "id": 1}'), (45, '{"type": "human", "text": "x"}'), (46, '{"type": 1, "content": "x"}'), (47, '{"type": "chat", "role": null, "content": "x"}'),
             (48, '{"type": "ai", "content": "x", "usage_metadata": {"output_tokens": "many"}}'), (49, '{"type": "ai", "content": "x", "usage_metadata": {"output_tokens": -1}}')) AS v (n, element),
     pg_temp.try(format('[{"role": "user", "content": "first"}, %s]', element)) d ORDER BY n;
-- The result of a tool comes after a message of the assistant.
SELECT d.* FROM pg_temp.try('[{"role": "system", "content": "x"}, {"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "x"}]') d;
SELECT d.* FROM pg_temp.try('[{"type": "tool", "content": "x", "tool_call_id": "c"}, {"type": "ai", "content": "x"}]') d;
-- tool_results cannot be in the message's own metadata and come from it.
SELECT d.* FROM pg_temp.try('[{"role": "assistant", "content": "x", "metadata": {"tool_results": []}}, {"role": "tool", "content": "x"}]') d;
-- The same key twice.
SELECT d.* FROM pg_temp.try('[{"role": "user", "content": "x", "idempotency_key": "k"}, {"role": "user", "content": "x", "idempotency_key": "k"}]') d;
BEGIN READ ONLY;
SELECT d.* FROM pg_temp.try('[]') d;
ROLLBACK;
SELECT count(*) AS sessions FROM sessions;

--
-- Large: many messages, and many results of tools
--
SELECT rag_import_session((SELECT jsonb_agg(jsonb_build_object('role', CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'content', i::text) ORDER BY i) FROM generate_series(1, 5001) i)) AS id \gset
SELECT count(*), bool_and(content = n::text) AS in_order FROM (SELECT content, row_number() OVER (ORDER BY id) AS n FROM messages WHERE session_id = :'id') AS m;
SELECT rag_import_session(jsonb_build_array(jsonb_build_object('role', 'assistant', 'tool_calls', jsonb_agg(jsonb_build_object('id', 'c' || i)))) ||
                          jsonb_agg(jsonb_build_object('role', 'tool', 'tool_call_id', 'c' || i, 'content', i::text) ORDER BY i)) AS id FROM generate_series(1, 5000) i \gset
SELECT jsonb_array_length(metadata->'tool_calls') AS calls, jsonb_array_length(metadata->'tool_results') AS results, metadata#>>'{tool_results,4999,content}' AS last FROM messages WHERE session_id = :'id';

--
-- The least rights: a summary that ends at a message needs no more
--
CREATE ROLE regress_rag_importer;
GRANT INSERT (id, user_id, metadata) ON sessions TO regress_rag_importer;
GRANT INSERT (id, session_id, role, content, sources, latency_ms, top_k, query_type) ON messages TO regress_rag_importer;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_importer;
-- Ids as JavaScript has them, and those at the ends of 64 bits.
CREATE TEMPORARY TABLE made AS
SELECT u AS given, rag_import_session(jsonb_build_object('metadata', jsonb_build_object('summary', 'x', 'summary_upto_id', u),
    'messages', jsonb_build_array(jsonb_build_object('id', u, 'role', 'user', 'content', 'one'), '{"role": "user", "content": "two"}'::jsonb))) AS id
FROM (VALUES ('"9007199254740993"'::jsonb), ('9223372036854775807'), ('-9223372036854775808'), ('"-1"'), ('"12x"')) AS t (u);
SELECT given, s.metadata -> 'summary_upto_id' = to_jsonb(m.id) AS renewed, m.metadata FROM made JOIN sessions AS s USING (id),
  LATERAL rag_get_messages(s.id) AS m WHERE m.content = 'one' ORDER BY given::text COLLATE "C";
DROP TABLE made;
\set summary '{"metadata": {"summary_upto_id": 1}, "messages": [{"id": 1, "role": "user", "content": "x"}]}'
SET ROLE regress_rag_importer;
SELECT d.* FROM pg_temp.try('[{"role": "user", "content": "x"}]') d;
SELECT d.* FROM pg_temp.try('{"messages": [], "created_at": 0}') d;
SELECT d.* FROM pg_temp.try(:'summary') d;
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_export_session(%L)', :'id'));
RESET ROLE;
GRANT SELECT (id), UPDATE (metadata) ON sessions TO regress_rag_importer;
SET ROLE regress_rag_importer;
SELECT d.* FROM pg_temp.try(:'summary') d;
RESET ROLE;

DROP EXTENSION rag_events;
DROP ROLE regress_rag_importer;
