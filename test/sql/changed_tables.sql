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
DROP EXTENSION rag_events;
