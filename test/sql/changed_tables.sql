--
-- The tables are their owner's, who may change them. The functions work on, or say why
-- not; and no value is taken for one of another type.
--
CREATE EXTENSION rag_events;
\set VERBOSITY sqlstate
\set s '\'00000000-0000-4000-8000-000000000001\''
-- json for jsonb
ALTER TABLE sessions ALTER metadata TYPE json USING metadata::json;
ALTER TABLE messages ALTER metadata TYPE json USING metadata::json;
SELECT rag_create_session('maya', '{"title": "x", "summary": "y", "summary_upto_id": 1}', :s);
INSERT INTO messages (session_id, role, content, metadata) VALUES (:s, 'user', 'Hello', E'\t\t\t\t {"a": 1}');
UPDATE sessions SET metadata = E'\t\t\t\t {"title": "x", "summary": "y", "summary_upto_id": 1}';
SELECT rag_update_session(:s, '{"b": 2, "title": null}');
SELECT rag_update_message(:s, 1, metadata => '{"b": 2}');
SELECT metadata FROM messages;
SELECT rag_copy_session(:s) AS copy \gset
SELECT metadata FROM sessions WHERE id = :'copy';
SELECT rag_get_messages(:s);
SELECT rag_export_session(:s) -> 'metadata';
-- other numbers
ALTER TABLE messages ALTER token_count TYPE numeric;
UPDATE messages SET token_count = 5;
SELECT * FROM rag_get_context(:s, 10);
UPDATE messages SET token_count = 4294967301;
SELECT * FROM rag_get_context(:s, 10);
UPDATE messages SET token_count = NULL;
-- no content, no role
ALTER TABLE messages ALTER content DROP NOT NULL, ALTER role DROP NOT NULL;
SELECT rag_add_message(:s, 'user', 'Again', idempotency_key => 'k');
UPDATE messages SET content = NULL WHERE idempotency_key = 'k';
SELECT * FROM rag_get_context(:s, 10);
SELECT rag_add_message(:s, 'user', 'Again', idempotency_key => 'k');
UPDATE messages SET content = 'Again', role = NULL WHERE idempotency_key = 'k';
SELECT * FROM rag_get_context(:s, 10);
SELECT rag_add_message(:s, 'user', 'Again', idempotency_key => 'k');
-- content of another type
ALTER TABLE messages ALTER content TYPE int USING 7;
SELECT rag_add_message(:s, 'user', '7', idempotency_key => 'k');
DROP EXTENSION rag_events;

-- What is dropped under an open cursor
CREATE EXTENSION rag_events;
BEGIN;
DECLARE lists CURSOR FOR SELECT * FROM rag_list_sessions('maya');
DECLARE creates CURSOR FOR SELECT rag_create_session('maya');
DROP EXTENSION rag_events;
SELECT count(*) FROM pg_class WHERE relname = 'messages';
SAVEPOINT s;
FETCH lists;
ROLLBACK TO s;
FETCH creates;
ROLLBACK;

-- A number that rounds to the smallest one is none; many keys are removed at once.
SELECT rag_create_session('maya', '{"summary": "y", "summary_upto_id": -9223372036854775809}', :s);
SELECT rag_copy_session(:s) AS copy, rag_import_session(rag_export_session(:s)) AS import \gset
SELECT metadata FROM sessions WHERE id IN (:'copy', :'import');
SELECT rag_update_session(:s, jsonb_object_agg('key ' || i, nullif(i % 2, 0))) = jsonb_object_agg('key ' || i, 1) FILTER (WHERE i % 2 = 1) || '{"summary": "y", "summary_upto_id": -9223372036854775809}'
FROM generate_series(1, 20000) AS i;
SELECT count(*) FROM jsonb_object_keys(rag_update_session(:s, (SELECT jsonb_object_agg('key ' || i, NULL) || '{"n": {"kept": null}}' FROM generate_series(1, 20000) AS i)));
SELECT metadata FROM sessions WHERE id = :s;
DROP EXTENSION rag_events;

-- Rights on the tables are none without USAGE on their schema, whichever way is taken.
CREATE ROLE regress_rag_view;
CREATE SCHEMA private;
CREATE EXTENSION rag_events SCHEMA private;
SELECT private.rag_add_message(private.rag_create_session('maya', NULL, :s), 'user', 'Hello');
CREATE VIEW few AS SELECT m.content FROM private.sessions AS s, private.rag_get_messages(s.id) AS m;
CREATE VIEW every AS SELECT m.content FROM private.sessions AS s, private.rag_get_messages(s.id, NULL) AS m;
GRANT SELECT ON few, every, private.sessions, private.messages TO regress_rag_view;
SET ROLE regress_rag_view;
SELECT * FROM few;
SELECT * FROM every;
RESET ROLE;
GRANT USAGE ON SCHEMA private TO regress_rag_view;
SET ROLE regress_rag_view;
SELECT * FROM few;
SELECT * FROM every;
RESET ROLE;
DROP VIEW few, every;
DROP EXTENSION rag_events;
DROP SCHEMA private;
DROP ROLE regress_rag_view;
