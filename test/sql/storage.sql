--
-- How 1.1 stores: compression, room for the touch of a session, the index that reads
-- a conversation's end, time-ordered session ids; and the way there and back.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP SCHEMA IF EXISTS "Mixed Case" CASCADE;
CREATE EXTENSION rag_events VERSION '1.0';
\pset null '(null)'
\set s1 00000000-0000-4000-8000-000000000001

-- Not every server has lz4. What is right with it and without it reads the same here.
CREATE FUNCTION pg_temp.fast_compression() RETURNS text LANGUAGE sql
AS $$ SELECT CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'pglz' END FROM pg_settings WHERE name = 'default_toast_compression' $$;
CREATE FUNCTION pg_temp.compressed_by() RETURNS TABLE ("column" name, default_compression boolean, fast boolean) LANGUAGE sql AS $$
  SELECT attname, attcompression = '', attcompression = CASE pg_temp.fast_compression() WHEN 'lz4' THEN 'l' ELSE '' END
  FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attnum > 0 AND NOT attisdropped AND attname IN ('content', 'sources', 'metadata')
  ORDER BY attnum
$$;
-- The files of both tables: the same number, and nothing was rewritten.
CREATE FUNCTION pg_temp.files() RETURNS text LANGUAGE sql
AS $$ SELECT concat(pg_relation_filenode('sessions'), ' ', pg_relation_filenode('messages')) $$;

--
-- Up, with rows from before
--
SET default_toast_compression = pglz;
SELECT rag_create_session('alice', session_id => :'s1');
SELECT rag_add_message(:'s1', 'user', repeat('before ', 5000), to_jsonb(repeat('source ', 5000)));
SELECT pg_temp.files() AS files \gset
ALTER EXTENSION rag_events UPDATE TO '1.1';
SELECT pg_temp.files() = :'files' AS not_rewritten;
SELECT "column", fast FROM pg_temp.compressed_by();
SELECT rag_add_message(:'s1', 'user', repeat('after ', 5000), to_jsonb(repeat('source ', 5000)), metadata => jsonb_build_object('m', repeat('meta ', 5000)));
SELECT rag_add_messages(:'s1', jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('after ', 5000), 'sources', repeat('source ', 5000),
                                                                    'metadata', jsonb_build_object('m', repeat('meta ', 5000)))));
SELECT left(content, 6) AS written,
       pg_column_compression(content) = CASE left(content, 5) WHEN 'after' THEN pg_temp.fast_compression() ELSE 'pglz' END AS content,
       pg_column_compression(sources) = CASE left(content, 5) WHEN 'after' THEN pg_temp.fast_compression() ELSE 'pglz' END AS sources,
       pg_column_compression(metadata) = pg_temp.fast_compression() AS metadata
FROM messages ORDER BY id;
-- Down: the columns are as before; what lz4 compressed stays readable. And up again.
SET rag_events.allow_data_loss = on;
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT * FROM pg_temp.compressed_by() WHERE NOT default_compression;
SELECT content = repeat('after ', 5000) AS content, sources = to_jsonb(repeat('source ', 5000)) AS sources FROM messages WHERE content LIKE 'after%';
ALTER EXTENSION rag_events UPDATE TO '1.1';
SELECT pg_temp.files() = :'files' AS not_rewritten;
RESET default_toast_compression;
TRUNCATE sessions, messages;

--
-- A touch finds room on the session's page, and changes no index
--
SELECT reloptions FROM pg_class WHERE oid = 'sessions'::regclass;
SELECT indexrelid::regclass AS index_on_updated_at
FROM pg_index WHERE indrelid = 'sessions'::regclass AND (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'updated_at') = ANY (indkey);
BEGIN;
INSERT INTO sessions (user_id, metadata) SELECT 'user ' || n % 100, jsonb_build_object('title', 'Conversation ' || n) FROM generate_series(1, 3000) n;
CREATE TEMPORARY TABLE touched AS SELECT id FROM (SELECT id, row_number() OVER (ORDER BY ctid) AS n FROM sessions) AS s WHERE n % 10 = 0;
SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass) AS updated, pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) AS hot \gset
SELECT count(rag_add_message(id, 'user', 'x')) FROM touched;
SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass) - :updated AS updated,
       pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) - :hot AS without_index;
SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass) AS updated, pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) AS hot \gset
SELECT sum(cardinality(rag_add_messages(id, '[{"role": "user", "content": "x"}, {"role": "user", "content": "x"}]'))) FROM touched;
SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass) - :updated AS updated,
       pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) - :hot AS without_index;
ROLLBACK;

--
-- The end of a conversation is read from one index, in order
--
SELECT pg_get_indexdef('ix_messages_session_id'::regclass), obj_description('ix_messages_session_id'::regclass);
SELECT rag_create_session('alice', session_id => :'s1') IS NOT NULL AS created;
SELECT cardinality(rag_add_messages(:'s1', (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 2000))));
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM messages WHERE session_id = :'s1' ORDER BY id DESC LIMIT 10;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;

--
-- Ids of sessions are time-ordered by default: for ORMs and plain INSERTs too
--
SELECT pg_get_expr(adbin, adrelid) AS default FROM pg_attrdef WHERE adrelid = 'sessions'::regclass AND adnum = 1;
TRUNCATE sessions, messages;
CREATE TEMPORARY TABLE inserted (n int GENERATED ALWAYS AS IDENTITY, id uuid);
WITH i AS (INSERT INTO sessions (user_id) SELECT 'orm' FROM generate_series(1, 1000) RETURNING id) INSERT INTO inserted (id) SELECT id FROM i;
INSERT INTO sessions DEFAULT VALUES;
INSERT INTO sessions (id, user_id) VALUES (DEFAULT, 'orm');
INSERT INTO sessions (id, user_id) VALUES (:'s1', 'given');
SELECT substr(id::text, 15, 1) AS version, substr(id::text, 20, 1) IN ('8', '9', 'a', 'b') AS variant, count(*) FROM sessions GROUP BY 1, 2 ORDER BY 1 DESC;
SELECT bool_and(id > previous) AS ascending FROM (SELECT id, lag(id) OVER (ORDER BY n) AS previous FROM inserted) AS i;
-- 48 bits are milliseconds.
SELECT bool_and(abs(extract(epoch FROM created_at AT TIME ZONE current_setting('TimeZone')) * 1000 - ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint) < 3600000) AS of_this_hour
FROM sessions WHERE id <> :'s1';
DROP TABLE inserted;

-- Leaving the extension with the tables: the default goes down with the version …
BEGIN;
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT count(*) AS defaults FROM pg_attrdef WHERE adrelid = 'sessions'::regclass AND adnum = 1;
SELECT reloptions FROM pg_class WHERE oid = 'sessions'::regclass;
SELECT pg_get_indexdef('ix_messages_session_id'::regclass), obj_description('ix_messages_session_id'::regclass);
ALTER EXTENSION rag_events DROP TABLE sessions;
ALTER EXTENSION rag_events DROP TABLE messages;
ALTER EXTENSION rag_events DROP SEQUENCE messages_id_seq;
DROP EXTENSION rag_events;
INSERT INTO sessions (id) VALUES (gen_random_uuid());
DROP TABLE messages, sessions;
ROLLBACK;
-- … or, where the tables stay as they are, is replaced before.
BEGIN;
ALTER EXTENSION rag_events DROP TABLE sessions;
ALTER EXTENSION rag_events DROP TABLE messages;
ALTER EXTENSION rag_events DROP SEQUENCE messages_id_seq;
SELECT code, message, detail FROM pg_temp.diagnose('DROP EXTENSION rag_events');
ALTER TABLE sessions ALTER COLUMN id SET DEFAULT gen_random_uuid();
DROP EXTENSION rag_events;
INSERT INTO sessions (user_id) VALUES ('left');
DROP TABLE messages, sessions;
ROLLBACK;

--
-- The index built beforehand, without a lock: the step takes it as it is
--
ALTER EXTENSION rag_events UPDATE TO '1.0';
CREATE INDEX CONCURRENTLY ix_messages_session_id_new ON messages (session_id, id);
SELECT pg_relation_filenode('ix_messages_session_id_new') AS built \gset
ALTER EXTENSION rag_events UPDATE TO '1.1';
SELECT pg_relation_filenode('ix_messages_session_id') = :built AS taken, to_regclass('ix_messages_session_id_new') AS new,
       pg_get_indexdef('ix_messages_session_id'::regclass), obj_description('ix_messages_session_id'::regclass);
-- The way down, too.
CREATE INDEX CONCURRENTLY ix_messages_session_id_new ON messages (session_id);
SELECT pg_relation_filenode('ix_messages_session_id_new') AS built \gset
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT pg_relation_filenode('ix_messages_session_id') = :built AS taken, pg_get_indexdef('ix_messages_session_id'::regclass);

-- Whatever else has the name is refused, and nothing is changed.
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT concat(rag_version(), (SELECT array_agg(ROW(relname, relkind, relfilenode, reloptions)::text ORDER BY relname COLLATE "C")
                                FROM pg_class WHERE relnamespace = 'public'::regnamespace))
$$;
CREATE FUNCTION pg_temp.try_with(ddl text, OUT code text, OUT message text, OUT detail text, OUT hint text, OUT unchanged boolean) LANGUAGE plpgsql AS $$
DECLARE
  before text;
BEGIN
  EXECUTE ddl;
  before := pg_temp.state();
  SELECT d.code, d.message, d.detail, d.hint INTO code, message, detail, hint
  FROM pg_temp.diagnose($x$ALTER EXTENSION rag_events UPDATE TO '1.1'$x$) d;
  unchanged := pg_temp.state() = before;
END $$;
BEGIN;
SELECT * FROM pg_temp.try_with('CREATE INDEX ix_messages_session_id_new ON messages (id, session_id)') \gx
ROLLBACK;
-- So is an index of another table under the name of the one to be replaced.
BEGIN;
SELECT * FROM pg_temp.try_with('DROP INDEX ix_messages_session_id; CREATE INDEX ix_messages_session_id ON sessions (user_id)') \gx
ROLLBACK;
CREATE FUNCTION pg_temp.refused(ddl text, OUT code text, OUT unchanged boolean) LANGUAGE plpgsql AS $$
BEGIN
  SELECT t.code, t.unchanged INTO code, unchanged FROM pg_temp.try_with(ddl) t;
  RAISE EXCEPTION 'undo' USING ERRCODE = 'P0099';
EXCEPTION WHEN SQLSTATE 'P0099' THEN
END $$;
SELECT ddl, r.*
FROM (VALUES
  (1, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id)'),
  (2, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id, top_k)'),
  (3, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id DESC)'),
  (4, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id NULLS FIRST)'),
  (5, 'CREATE UNIQUE INDEX ix_messages_session_id_new ON messages (session_id, id)'),
  (6, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id) WHERE role = ''user'''),
  (7, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id) INCLUDE (id)'),
  (8, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id) WITH (fillfactor = 50)'),
  (9, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, (id + 0))'),
  (10, 'CREATE INDEX ix_messages_session_id_new ON messages USING hash (session_id)'),
  (11, 'CREATE INDEX ix_messages_session_id_new ON sessions (id, created_at)'),
  (12, 'CREATE TABLE ix_messages_session_id_new (session_id uuid, id int)'),
  (13, 'CREATE VIEW ix_messages_session_id_new AS SELECT 1'),
  (14, 'CREATE SEQUENCE ix_messages_session_id_new'),
  (15, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id); '
       'UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''ix_messages_session_id_new''::regclass'),
  (16, 'CREATE INDEX ix_messages_session_id_new ON messages (session_id, id)')) AS v (n, ddl),
  pg_temp.refused(ddl) r
ORDER BY n;
SELECT rag_version();
-- Of the name in another schema is of no interest.
CREATE SCHEMA "Mixed Case";
CREATE TABLE "Mixed Case".ix_messages_session_id_new ();
ALTER EXTENSION rag_events UPDATE TO '1.1';
SELECT rag_version(), to_regclass('"Mixed Case".ix_messages_session_id_new');
DROP EXTENSION rag_events;
DROP TABLE "Mixed Case".ix_messages_session_id_new;

-- A schema that needs quotes, and settings that change how names are written.
SET quote_all_identifiers = on;
CREATE EXTENSION rag_events SCHEMA "Mixed Case" VERSION '1.0';
CREATE INDEX ix_messages_session_id_new ON "Mixed Case".messages (session_id, id);
SET search_path = "Mixed Case";
ALTER EXTENSION rag_events UPDATE TO '1.1';
RESET quote_all_identifiers;
SELECT pg_get_indexdef('ix_messages_session_id'::regclass);
SELECT pg_get_expr(adbin, adrelid) AS default FROM pg_attrdef WHERE adrelid = 'sessions'::regclass AND adnum = 1;
RESET search_path;
SELECT pg_get_expr(adbin, adrelid) AS default FROM pg_attrdef WHERE adrelid = '"Mixed Case".sessions'::regclass AND adnum = 1;
SELECT cardinality("Mixed Case".rag_add_messages(:'s1', '[{"role": "user", "content": "x"}]', 'alice', true));

DROP EXTENSION rag_events;
DROP SCHEMA "Mixed Case";
