--
-- The view rag_message_sources: each passage that an answer rests on is a row, whatever
-- its form.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'rag_message_sources'::regclass AND attnum > 0 ORDER BY attnum;
SELECT reloptions FROM pg_class WHERE oid = 'rag_message_sources'::regclass;

CREATE TABLE form (n int, sources jsonb);
INSERT INTO form VALUES
  (1, NULL), (2, 'null'), (3, '[]'), (4, '{}'),
  (5, '[{"document_id": "d1", "score": 0.5, "text": "passage"}, {"doc_id": "d2"}, {"file_id": "f1", "id": "chunk"}, {"id": 7}, {"url": "http://example.com"}, {"source": "a.pdf"}]'),
  (6, '[{"metadata": {"source": "b.pdf"}, "page_content": "…"}, {"metadata": {"document_id": "d3"}, "id": null}, {"metadata": 1}, {"document_id": {"a": 1}}]'),
  (7, '{"document_id": "d4", "score": 1}'), (8, '"d5"'), (9, '8'), (10, 'true'),
  (11, '[null, "d6", 9, false, ["d7"], [], {"document_id": "d8"}, null]'),
  (12, '[{"id": "a", "score": "0.5"}, {"id": "b", "score": null}, {"id": "c", "score": [1]}, {"id": "d", "score": 1e400}, {"id": "e", "score": -1e400}, {"id": "f", "score": 1e-400}, {"id": "g", "score": -3}]'),
  (13, '[[[[]]]]'), (14, '[{"document_id": ""}]');
SELECT rag_create_session('alice', NULL, :'alice') IS NOT NULL AS created;
INSERT INTO messages (id, session_id, role, content, sources, created_at) SELECT n, :'alice', 'assistant', 'x', sources, '2026-01-01' FROM form;
SELECT message_id, source_no, document_id, score, left(source::text, 60) AS source FROM rag_message_sources ORDER BY message_id, source_no;
SELECT DISTINCT session_id = :'alice' AS session, created_at FROM rag_message_sources;
-- The function shows the same, and the place is the one that rag_set_feedback() takes.
SELECT count(*) FROM (TABLE rag_message_sources EXCEPT ALL SELECT * FROM rag_message_sources()) AS d;
SELECT count(*), count(rag_set_feedback(session_id, message_id, 1, source_no => source_no)) FROM rag_message_sources;

-- PostgreSQL puts the query in the place of the view: of one session, only its messages
-- are read. And the columns of messages may get other types.
SET enable_seqscan = off;
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT bool_or(line ~ 'Index Cond: \(session_id = ') AS by_session, bool_or(line ~ 'Function Scan on rag_message_sources') AS as_a_function
FROM (SELECT pg_temp.plan('SELECT * FROM rag_message_sources WHERE session_id = ''00000000-0000-4000-8000-00000000000a''')) AS p (line);
RESET enable_seqscan;
ALTER TABLE messages ALTER COLUMN id TYPE bigint, ALTER COLUMN sources TYPE json, ALTER COLUMN created_at TYPE timestamptz;
SELECT count(*) FROM rag_message_sources;
SELECT object, kind, actual FROM rag_check_schema() WHERE kind <> 'not_dumped';

-- It shows what the caller may read, and nothing by somebody's search_path.
CREATE ROLE regress_rag_reader;
GRANT SELECT ON rag_message_sources TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT * FROM pg_temp.error('SELECT count(*) FROM rag_message_sources');
RESET ROLE;
GRANT SELECT (id, session_id, created_at, sources) ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT count(*) FROM rag_message_sources;
RESET ROLE;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON messages USING (id < 7);
SET ROLE regress_rag_reader;
SELECT count(*) FROM rag_message_sources;
RESET ROLE;
DROP OWNED BY regress_rag_reader;
DROP ROLE regress_rag_reader;

-- What a schema is called is written in the function: after a rename, the check tells.
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON messages;
DROP TABLE form;
CREATE SCHEMA chat;
DROP EXTENSION rag_events;
CREATE EXTENSION rag_events SCHEMA chat;
ALTER SCHEMA chat RENAME TO talk;
SELECT * FROM pg_temp.error('SELECT count(*) FROM talk.rag_message_sources');
SELECT object, kind, ddl ~ 'FROM talk.messages' AS mends FROM talk.rag_check_schema();
SELECT ddl FROM talk.rag_check_schema() \gexec
SELECT count(*) FROM talk.rag_message_sources;
SELECT count(*) FROM talk.rag_check_schema();
DROP SCHEMA talk CASCADE;
