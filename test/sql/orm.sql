--
-- The contract with an application whose ORM maps the tables: its plain INSERT,
-- UPDATE and DELETE work as they did before, beside the functions.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
CREATE EXTENSION rag_events;
\set s1 3f2b8c1e-6a4d-4c0e-9b7a-1d2e3f4a5b6c
\set s2 9c8b7a6d-5e4f-4a3b-8c2d-0e1f2a3b4c5d

--
-- A session: the client makes the id (a UUID of version 4) and may set any column
--
BEGIN;
INSERT INTO sessions (id, user_id, metadata) VALUES (:'s1', 'alice', '{"collection": "fiqa"}')
RETURNING id, user_id, created_at = CURRENT_TIMESTAMP::timestamp AS created_now, updated_at = created_at AS updated_then, metadata;
COMMIT;
INSERT INTO sessions (id, user_id, created_at, updated_at, metadata)
VALUES (:'s2', NULL, '2024-02-29 12:00:00', '2024-02-29 12:00:01', NULL)
RETURNING id, user_id, created_at, updated_at, metadata;
--
-- Messages: the id comes from the sequence, the times from defaults
--
BEGIN;
INSERT INTO messages (session_id, role, content) VALUES (:'s1', 'user', 'First, by INSERT')
RETURNING id, created_at = CURRENT_TIMESTAMP::timestamp AS created_now, sources, latency_ms, top_k, query_type;
UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = :'s1';
COMMIT;
SELECT rag_add_message(:'s1', 'assistant', 'Second, by function', '[{"id": "doc-1"}]', 12.5, 5, 'semantic', 'alice');
INSERT INTO messages (session_id, role, content, sources, latency_ms, top_k, query_type, created_at)
VALUES (:'s1', 'user', 'Third, by INSERT', '{"any": "json"}', -1, -1, 'anything goes', '2024-02-29'),
       (:'s1', 'assistant', 'Fourth, by INSERT', NULL, 'NaN', NULL, NULL, '2024-02-29')
RETURNING id, role;
SELECT rag_add_message(:'s1', 'user', 'Fifth, by function');
-- What some clients do: draw the id first.
SELECT nextval(pg_get_serial_sequence('messages', 'id')) AS id \gset
INSERT INTO messages (id, session_id, role, content) VALUES (:id, :'s1', 'assistant', 'Sixth, by INSERT') RETURNING id;
INSERT INTO messages VALUES (DEFAULT, :'s1', 'user', 'Seventh, by position') RETURNING id;
SELECT id, role, content, sources, latency_ms, top_k, query_type FROM messages ORDER BY id;

-- The same session, whoever made it.
SELECT rag_create_session('alice', session_id => :'s1', if_not_exists => true);
SELECT s.user_id, count(m.id) AS messages FROM sessions s LEFT JOIN messages m ON m.session_id = s.id GROUP BY s.id ORDER BY 2;

-- Upsert, as ORMs write it.
INSERT INTO sessions (id, user_id) VALUES (:'s1', 'mallory')
ON CONFLICT (id) DO UPDATE SET metadata = '{"collection": "scifact"}' RETURNING user_id, metadata;

-- COPY.
COPY messages (session_id, role, content) FROM stdin;
9c8b7a6d-5e4f-4a3b-8c2d-0e1f2a3b4c5d	user	Eighth, by COPY
\.
SELECT id, content FROM messages WHERE session_id = :'s2';

--
-- Errors are the table's own
--
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('INSERT INTO messages (session_id, role, content) VALUES (%L, %L, %L)', :'s1', 'system', 'x'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('INSERT INTO messages (session_id, role, content) VALUES (%L, %L, %L)', :'s1', 'User', 'x'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('UPDATE messages SET role = %L', 'ai'));
SELECT code, message, "column" FROM pg_temp.diagnose(format('INSERT INTO messages (session_id, role) VALUES (%L, %L)', :'s1', 'user'));
SELECT code, message, "column" FROM pg_temp.diagnose(format('INSERT INTO messages (session_id, content) VALUES (%L, %L)', :'s1', 'x'));
SELECT code, message, "constraint" FROM pg_temp.diagnose($$INSERT INTO messages (session_id, role, content) VALUES ('00000000-0000-4000-8000-00000000ffff', 'user', 'x')$$);
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('INSERT INTO sessions (id) VALUES (%L)', :'s1'));
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('INSERT INTO messages (id, session_id, role, content) VALUES (1, %L, %L, %L)', :'s1', 'user', 'x'));

--
-- UPDATE, and DELETE with its cascade
--
UPDATE messages SET content = 'First, edited', top_k = 3 WHERE id = 1 RETURNING content, top_k;
UPDATE sessions SET metadata = metadata || '{"title": "Edited"}' WHERE id = :'s1' RETURNING metadata;
DELETE FROM messages WHERE content LIKE 'Seventh%' RETURNING id IS NOT NULL AS deleted;
DELETE FROM sessions WHERE id = :'s1' RETURNING user_id;
SELECT session_id, content FROM messages;
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'gone'));

-- A session deleted may be created again, and does not get the old messages back.
SELECT rag_create_session('alice', session_id => :'s1');
SELECT count(*) FROM messages WHERE session_id = :'s1';

DROP EXTENSION rag_events;
