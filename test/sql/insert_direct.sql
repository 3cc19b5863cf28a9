--
-- Messages go straight into the table where that makes no difference, and by an
-- INSERT everywhere else: the same rows, the same errors. Which way was taken is a
-- message of level DEBUG1; each reason for an INSERT is shown here.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_writer;
CREATE EXTENSION rag_events;
CREATE ROLE regress_rag_writer;
\pset null '(null)'
\set s1 00000000-0000-4000-8000-000000000001
\set s2 00000000-0000-4000-8000-000000000002
SELECT rag_create_session('alice', session_id => :'s1');
-- (At this level it tells of compiling, too.)
SET jit = off;
SET DateStyle = ISO;

-- Adds a message of few words by either function, and tells which way it went.
CREATE FUNCTION pg_temp.add(session uuid DEFAULT '00000000-0000-4000-8000-000000000001',
                            more jsonb DEFAULT '{}') RETURNS int
LANGUAGE sql SET client_min_messages = debug1
AS $$ SELECT cardinality(rag_add_messages(session, jsonb_build_array('{"role": "user", "content": "Hello"}'::jsonb || more))) $$;
CREATE FUNCTION pg_temp.add_one() RETURNS boolean LANGUAGE sql SET client_min_messages = debug1
AS $$ SELECT rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'Hello') > 0 $$;
CREATE FUNCTION pg_temp.pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

-- A trigger that does nothing forces an INSERT.
SELECT pg_temp.add();
SELECT pg_temp.add_one();
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
SELECT pg_temp.add_one();
DROP TRIGGER pass ON messages;

--
-- The same rows
--

-- 2345 messages with whatever a message can have: more than are stored at once, some
-- of them large enough to be compressed, some to be stored out of line.
CREATE FUNCTION pg_temp.conversation() RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'role', CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
    'content', CASE n % 100 WHEN 0 THEN '' WHEN 1 THEN repeat('long ', 20000)
               WHEN 2 THEN (SELECT string_agg(md5(n || ' ' || i), '') FROM generate_series(1, 500) i)
               ELSE 'Message ' || n || ' 😀 é' END,
    'sources', CASE n % 5 WHEN 0 THEN (SELECT jsonb_agg(jsonb_build_object('rank', i, 'text', repeat(md5(n::text), i))) FROM generate_series(1, n % 30) i)
               WHEN 1 THEN '[]' WHEN 2 THEN '"x"' END,
    'latency_ms', CASE n % 3 WHEN 0 THEN n / 7.0 END,
    'top_k', CASE n % 4 WHEN 0 THEN n END,
    'query_type', CASE n % 6 WHEN 0 THEN 'type ' || n END,
    'token_count', CASE n % 7 WHEN 0 THEN n END,
    'metadata', CASE n % 8 WHEN 0 THEN jsonb_build_object('model', 'm', 'n', n) END,
    'idempotency_key', CASE n % 9 WHEN 0 THEN 'key ' || n END,
    'created_at', CASE n % 10 WHEN 0 THEN to_jsonb('2001-01-01'::timestamp + n * '1 day'::interval) END)) ORDER BY n)
  FROM generate_series(1, 2345) n
$$;
-- What is stored: the rows, and how values were compressed.
CREATE TEMPORARY TABLE stored (way text, row messages, sizes int[], compression text[]);
CREATE FUNCTION pg_temp.store(way text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stored
  SELECT way, m,
         ARRAY[pg_column_size(content), pg_column_size(sources), pg_column_size(metadata)],
         ARRAY[pg_column_compression(content), pg_column_compression(sources), pg_column_compression(metadata)]
  FROM messages m
$$;
CREATE FUNCTION pg_temp.compare() RETURNS TABLE (rows bigint, ways bigint, different bigint) LANGUAGE sql AS $$
  SELECT count(*), count(DISTINCT way), count(*) FILTER (WHERE n <> 2)
  FROM (SELECT way, count(*) OVER (PARTITION BY row::text, sizes, compression) AS n FROM stored) AS s
$$;

TRUNCATE messages;
BEGIN;
ALTER SEQUENCE messages_id_seq RESTART;
SELECT pg_stat_get_xact_tuples_inserted('messages'::regclass) AS before \gset
SELECT cardinality(rag_add_messages(:'s1', pg_temp.conversation()));
SELECT pg_stat_get_xact_tuples_inserted('messages'::regclass) - :before AS counted;
SELECT pg_temp.store('direct');
DELETE FROM messages;
ALTER SEQUENCE messages_id_seq RESTART;
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT cardinality(rag_add_messages(:'s1', pg_temp.conversation()));
SELECT pg_temp.store('INSERT');
SELECT * FROM pg_temp.compare();
SELECT count(*) FILTER (WHERE (row).created_at = CURRENT_TIMESTAMP::timestamp) AS now,
       count(*) FILTER (WHERE (row).created_at < '2010-01-01') AS as_given,
       count(*) FILTER (WHERE sizes[1] > 2000) AS large,
       count(*) FILTER (WHERE compression[1] IS NOT NULL) > 0 AS compressed
FROM stored WHERE way = 'direct';
ROLLBACK;

-- Without created_at in any of them: its default.
TRUNCATE stored;
BEGIN;
ALTER SEQUENCE messages_id_seq RESTART;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "one"}, {"role": "assistant", "content": "two", "top_k": 2}]'));
SELECT pg_temp.store('direct');
DELETE FROM messages;
ALTER SEQUENCE messages_id_seq RESTART;
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "one"}, {"role": "assistant", "content": "two", "top_k": 2}]'));
SELECT pg_temp.store('INSERT');
SELECT * FROM pg_temp.compare();
SELECT bool_and((row).created_at = CURRENT_TIMESTAMP::timestamp) AS now FROM stored;
ROLLBACK;

-- The other function.
TRUNCATE stored;
BEGIN;
ALTER SEQUENCE messages_id_seq RESTART;
SELECT rag_add_message(:'s1', 'assistant', repeat('long ', 20000), to_jsonb(repeat('source ', 20000)), 1.5, 3, 'q', NULL, 7, '{"a": 1}', 'key') > 0 AS stored;
SELECT rag_add_message(:'s1', 'user', '') > 0 AS stored;
SELECT pg_temp.store('direct');
DELETE FROM messages;
ALTER SEQUENCE messages_id_seq RESTART;
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT rag_add_message(:'s1', 'assistant', repeat('long ', 20000), to_jsonb(repeat('source ', 20000)), 1.5, 3, 'q', NULL, 7, '{"a": 1}', 'key') > 0 AS stored;
SELECT rag_add_message(:'s1', 'user', '') > 0 AS stored;
SELECT pg_temp.store('INSERT');
SELECT * FROM pg_temp.compare();
ROLLBACK;
DROP TABLE stored;

-- Every index finds every row: those of the extension, and any that the user adds, be
-- they plain (without expressions, and with no other predicate than that there is a
-- value), or not.
CREATE FUNCTION pg_temp.by(query text, OUT index text, OUT rows bigint) LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) SELECT FROM messages WHERE ' || query INTO plan;
  index := trim('"' FROM jsonb_path_query_first(plan, '$.**."Index Name"')::text);
  EXECUTE 'SELECT count(*) FROM messages WHERE ' || query INTO rows;
END $$;
CREATE FUNCTION pg_temp.add_words(session uuid) RETURNS integer LANGUAGE sql AS $$
SELECT cardinality(rag_add_messages(session, (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
  'role', CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, 'content', 'word' || n, 'top_k', n, 'sources', jsonb_build_array(n),
  'token_count', CASE n % 3 WHEN 0 THEN n END))) FROM generate_series(1, 2000) n)))
$$;
CREATE INDEX u_hash ON messages USING hash (content);
CREATE INDEX u_gin ON messages USING gin (sources jsonb_path_ops);
CREATE INDEX u_brin ON messages USING brin (created_at);
CREATE UNIQUE INDEX u_unique ON messages (top_k, id);
CREATE INDEX u_tokens ON messages (token_count) WHERE token_count IS NOT NULL;
CREATE INDEX u_own ON messages (metadata) WHERE metadata IS NOT NULL;
SELECT pg_temp.add(more => '{"content": "Hello"}');
SELECT pg_temp.add_words(:'s1');
SET enable_seqscan = off;
SELECT b.*
FROM (VALUES (1, 'content = ''word1777'''), (2, 'sources @> ''[1777]'''), (3, 'top_k = 1777 AND id > 0'),
             (4, 'token_count = 1776'), (5, 'token_count IS NOT NULL'), (6, 'metadata IS NOT NULL')) AS q (n, query),
     pg_temp.by(query) b ORDER BY n;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT count(*) FROM messages WHERE created_at > '2020-01-01';
RESET enable_indexscan;
RESET enable_indexonlyscan;
DELETE FROM messages WHERE content LIKE 'word%';
DROP INDEX u_unique;
CREATE INDEX u_expression ON messages (length(content), upper(role));
CREATE INDEX u_partial ON messages (top_k) INCLUDE (query_type) WHERE role = 'user';
CREATE INDEX u_search ON messages USING gin (to_tsvector('simple', content));
CREATE INDEX u_any_type ON messages (id) WHERE query_type IS NOT NULL;
SELECT pg_temp.add(more => '{"content": "Hello"}');
SELECT pg_temp.add_words(:'s1');
SELECT b.*
FROM (VALUES (1, 'content = ''word1777'''), (2, 'sources @> ''[1777]'''), (3, 'length(content) = 8 AND upper(role) = ''USER'''),
             (4, 'top_k = 1778 AND role = ''user'''), (5, 'to_tsvector(''simple'', content) @@ ''word1777'''),
             (6, 'token_count = 1776'), (7, 'query_type IS NOT NULL')) AS q (n, query),
     pg_temp.by(query) b ORDER BY n;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT count(*) FROM messages WHERE created_at > '2020-01-01';
RESET enable_seqscan;
RESET enable_indexscan;
RESET enable_indexonlyscan;
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "x", "idempotency_key": "k"}]')
     = rag_add_messages(:'s1', '[{"role": "user", "content": "x", "idempotency_key": "k"}]') AS found_by_key;
DROP INDEX u_hash, u_gin, u_brin, u_tokens, u_own, u_expression, u_partial, u_search, u_any_type;

-- Dropped columns, columns in another order, a wider id, other types for text: it is
-- still direct.
BEGIN;
ALTER TABLE messages ADD COLUMN gone1 text;
ALTER TABLE messages DROP COLUMN gone1;
ALTER TABLE messages DROP COLUMN query_type;
ALTER TABLE messages ADD COLUMN own text, ADD COLUMN query_type text;
ALTER TABLE messages ALTER COLUMN id TYPE bigint, ALTER COLUMN role TYPE text, ALTER COLUMN idempotency_key TYPE varchar;
ALTER SEQUENCE messages_id_seq RESTART 6;
DELETE FROM messages;
SELECT pg_temp.add(more => '{"query_type": "q", "idempotency_key": "k", "token_count": 3}');
SELECT id, role, content, own, query_type, idempotency_key, token_count, created_at = CURRENT_TIMESTAMP::timestamp AS now FROM messages;
ROLLBACK;
-- So it is in a table that is not logged, and without a foreign key.
BEGIN;
ALTER TABLE messages SET UNLOGGED;
SELECT pg_temp.add();
ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey;
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L)', :'s2', '[{"role": "user", "content": "x"}]'));
-- Not checked yet for the rows that are there; new ones are checked.
ALTER TABLE messages ADD CONSTRAINT own_fkey FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE NOT VALID;
SELECT pg_temp.add();
ROLLBACK;
-- Triggers on anything but an INSERT.
BEGIN;
CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
CREATE TRIGGER pass_all AFTER TRUNCATE ON messages EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
ROLLBACK;

--
-- Reasons for an INSERT
--

-- Is created_at what its default is, if it has this type and this default?
CREATE FUNCTION pg_temp.default_of(type text, value text, OUT one boolean, OUT many boolean, OUT given boolean) LANGUAGE plpgsql AS $$
DECLARE
  s CONSTANT uuid := '00000000-0000-4000-8000-000000000001';
  expected text;
BEGIN
  EXECUTE format('ALTER TABLE messages ALTER COLUMN created_at DROP DEFAULT, ALTER COLUMN created_at TYPE %s USING %s, ALTER COLUMN created_at SET DEFAULT %2$s', type, value);
  EXECUTE format('CREATE TEMPORARY TABLE d (value %s DEFAULT %s)', type, value);
  INSERT INTO d DEFAULT VALUES;
  SELECT d.value::text INTO expected FROM d;
  DROP TABLE d;
  PERFORM rag_add_message(s, 'user', 'one');
  PERFORM rag_add_messages(s, '[{"role": "user", "content": "many"}, {"role": "user", "content": "many"}]');
  PERFORM rag_add_messages(s, '[{"role": "user", "content": "given", "created_at": "2001-02-03"}]');
  one := (SELECT bool_and(created_at::text = expected) FROM messages WHERE content = 'one');
  many := (SELECT bool_and(created_at::text = expected) FROM messages WHERE content = 'many');
  given := (SELECT bool_and(created_at::text LIKE '2001-02-03%') FROM messages WHERE content = 'given');
  DELETE FROM messages WHERE content IN ('one', 'many', 'given');
END $$;


-- Triggers, of each kind, even while they are disabled
BEGIN;
CREATE TRIGGER pass AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
ALTER TABLE messages DISABLE TRIGGER pass;
SELECT pg_temp.add();
ROLLBACK;
BEGIN;
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
ROLLBACK;
BEGIN;
CREATE TRIGGER pass AFTER INSERT ON messages REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
SELECT pg_temp.add_one();
ROLLBACK;
BEGIN;
CREATE CONSTRAINT TRIGGER pass AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
ROLLBACK;
-- What a trigger makes of the rows is stored, whatever their number.
BEGIN;
CREATE FUNCTION pg_temp.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.content := upper(NEW.content); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.shout();
DELETE FROM messages;
SELECT cardinality(rag_add_messages(:'s1', (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 2001))));
SELECT content, count(*) FROM messages GROUP BY 1;
ROLLBACK;
-- One that discards a single one of many: an error, there would be no id for it.
BEGIN;
CREATE TRIGGER swallow BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.top_k = 1500) EXECUTE FUNCTION pg_temp.swallow();
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, (SELECT jsonb_agg(jsonb_build_object(%L, %L, %L, %L, %L, n)) FROM generate_series(1, 2000) n))',
                                   :'s1', 'role', 'user', 'content', 'x', 'top_k'));
ROLLBACK;

-- Triggers, rules and children of sessions
BEGIN;
CREATE TRIGGER pass AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SELECT pg_temp.add();
ROLLBACK;
-- One that swallows the touch: the session is there all the same, or is not.
BEGIN;
CREATE TRIGGER swallow BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose(format('SELECT pg_temp.add(%L)', :'s2'));
ROLLBACK;
-- One that deletes the session when it is touched: no message is left without it.
BEGIN;
CREATE FUNCTION pg_temp.away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM sessions WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER away AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.away();
SELECT code, message, "constraint" FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
BEGIN;
CREATE RULE swallow AS ON UPDATE TO sessions DO INSTEAD NOTHING;
SELECT pg_temp.add();
ROLLBACK;
-- A session of a table that inherits from sessions is none for the foreign key.
BEGIN;
CREATE TABLE old_sessions () INHERITS (sessions);
INSERT INTO old_sessions (id) VALUES (:'s2');
SELECT pg_temp.add();
SELECT code, "constraint" FROM pg_temp.diagnose(format('SELECT pg_temp.add(%L)', :'s2'));
SELECT code, "constraint" FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
ROLLBACK;

-- Rules
BEGIN;
CREATE TEMPORARY TABLE log (content text);
CREATE RULE log AS ON INSERT TO messages DO ALSO INSERT INTO log VALUES (NEW.content);
SELECT pg_temp.add();
SELECT * FROM log;
ROLLBACK;

-- Generated columns
BEGIN;
ALTER TABLE messages ADD COLUMN words int GENERATED ALWAYS AS (cardinality(string_to_array(content, ' '))) STORED;
SELECT pg_temp.add(more => '{"content": "a b c"}');
SELECT content, words FROM messages ORDER BY id DESC LIMIT 1;
ROLLBACK;

-- The user's own columns: one that would simply be null is no reason, any value is
BEGIN;
ALTER TABLE messages ADD COLUMN own text;
SELECT pg_temp.add();
ALTER TABLE messages ALTER COLUMN own SET DEFAULT 'mine';
SELECT pg_temp.add();
SELECT content, own FROM messages ORDER BY id DESC LIMIT 2;
ROLLBACK;
BEGIN;
TRUNCATE messages;
ALTER TABLE messages ADD COLUMN own int GENERATED BY DEFAULT AS IDENTITY (START 1000);
SELECT pg_temp.add();
SELECT own FROM messages;
ROLLBACK;
BEGIN;
CREATE DOMAIN not_nothing AS text CHECK (VALUE IS NOT NULL);
TRUNCATE messages;
ALTER TABLE messages ADD COLUMN own not_nothing;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
BEGIN;
TRUNCATE messages;
CREATE DOMAIN something AS text DEFAULT 'something';
ALTER TABLE messages ADD COLUMN own something;
SELECT pg_temp.add();
SELECT own FROM messages ORDER BY id DESC LIMIT 1;
ROLLBACK;
-- A type that has a default itself.
BEGIN;
CREATE TYPE mood;
CREATE FUNCTION mood_in(cstring) RETURNS mood LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION mood_out(mood) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE mood (INPUT = mood_in, OUTPUT = mood_out, LIKE = text, DEFAULT = 'calm');
ALTER TABLE messages ADD COLUMN mood mood;
SELECT pg_temp.add();
SELECT mood FROM messages ORDER BY id DESC LIMIT 1;
ROLLBACK;

-- Other types for the columns: values are cast, and may not fit
BEGIN;
ALTER TABLE messages ALTER COLUMN query_type TYPE varchar(5);
SELECT pg_temp.add(more => '{"query_type": "brief"}');
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"query_type": "longer"}')$$);
ROLLBACK;
BEGIN;
ALTER TABLE messages ALTER COLUMN top_k TYPE bigint;
SELECT pg_temp.add(more => '{"top_k": 7}');
SELECT top_k FROM messages ORDER BY id DESC LIMIT 1;
ROLLBACK;
BEGIN;
CREATE DOMAIN brief AS text CHECK (length(VALUE) < 6);
TRUNCATE messages;
ALTER TABLE messages ALTER COLUMN content TYPE brief;
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "longer"}')$$);
ROLLBACK;
BEGIN;
ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT clock_timestamp();
SELECT pg_temp.add();
SELECT created_at > CURRENT_TIMESTAMP::timestamp AS later FROM messages ORDER BY id DESC LIMIT 1;
ALTER TABLE messages ALTER COLUMN created_at DROP DEFAULT;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
-- Given for all of them, no default is needed.
SELECT pg_temp.add(more => '{"created_at": "2001-01-01"}');
ROLLBACK;
BEGIN;
ALTER TABLE messages RENAME COLUMN query_type TO kind;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;

-- Whatever the default of created_at is, and of whatever type
BEGIN;
ALTER TABLE messages ALTER COLUMN created_at DROP DEFAULT, ALTER COLUMN created_at TYPE text, ALTER COLUMN created_at SET DEFAULT 'at ' || CURRENT_DATE - CURRENT_DATE;
TRUNCATE messages;
SELECT rag_add_message(:'s1', 'user', 'x') > 0 AS added;
SELECT cardinality(rag_add_messages(:'s1', (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 3000))));
SELECT created_at, count(*) FROM messages GROUP BY 1;
ROLLBACK;
SET TimeZone = 'Asia/Kolkata';
BEGIN;
SELECT type, default_value, d.*
FROM (VALUES (1, 'timestamptz', 'CURRENT_TIMESTAMP'), (2, 'timestamp', 'CURRENT_TIMESTAMP'), (3, 'timestamp', 'LOCALTIMESTAMP'),
             (4, 'timestamp(0)', 'CURRENT_TIMESTAMP'), (5, 'timestamp', 'CURRENT_TIMESTAMP(0)'), (6, 'date', 'CURRENT_TIMESTAMP'),
             (7, 'timestamp', '(now() AT TIME ZONE ''utc'')'), (8, 'timestamp', '''2001-01-01''')) AS v (n, type, default_value),
     pg_temp.default_of(type, default_value) d
ORDER BY n;
ROLLBACK;
-- Messages with a time among others that have none, which get the default
BEGIN;
ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'utc');
TRUNCATE messages;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "a"}, {"role": "user", "content": "b", "created_at": "2001-02-03"},
  {"role": "user", "content": "c", "created_at": "2001-02-03"}, {"role": "user", "content": "d"}]'));
SELECT content, created_at = now() AT TIME ZONE 'utc' AS is_default, created_at = '2001-02-03' AS as_given FROM messages ORDER BY id;
ROLLBACK;
RESET TimeZone;

-- An id that only PostgreSQL may give
BEGIN;
ALTER TABLE messages ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add_one()');
ROLLBACK;

-- Foreign keys and deferrable constraints of the user, and our own key changed
BEGIN;
CREATE TABLE kinds (kind varchar PRIMARY KEY);
INSERT INTO kinds VALUES ('known');
ALTER TABLE messages ADD FOREIGN KEY (query_type) REFERENCES kinds NOT VALID;
SELECT pg_temp.add(more => '{"query_type": "known"}');
SELECT code, "constraint" FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"query_type": "unknown"}')$$);
ROLLBACK;
BEGIN;
CREATE TABLE tenants (id uuid PRIMARY KEY);
ALTER TABLE messages ADD FOREIGN KEY (session_id) REFERENCES tenants NOT VALID;
SELECT code, "constraint" FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
BEGIN;
TRUNCATE messages;
ALTER TABLE messages ADD UNIQUE (session_id, top_k) DEFERRABLE INITIALLY DEFERRED;
SELECT pg_temp.add(more => '{"top_k": 1}'), pg_temp.add(more => '{"top_k": 1}');
SELECT code, message FROM pg_temp.diagnose('SET CONSTRAINTS ALL IMMEDIATE');
ROLLBACK;
BEGIN;
ALTER TABLE messages ALTER CONSTRAINT messages_session_id_fkey DEFERRABLE;
SELECT pg_temp.add();
ROLLBACK;
BEGIN;
ALTER TABLE messages DISABLE TRIGGER ALL;
SELECT pg_temp.add();
DO $$ BEGIN EXECUTE (SELECT string_agg(format('ALTER TABLE messages ENABLE ALWAYS TRIGGER %I;', tgname), '') FROM pg_trigger WHERE tgrelid = 'messages'::regclass); END $$;
SELECT pg_temp.add();
ROLLBACK;

-- Replication's own role: triggers and keys do not fire in it
BEGIN;
SET LOCAL session_replication_role = replica;
SELECT pg_temp.add();
SET LOCAL session_replication_role = local;
SELECT pg_temp.add();
ROLLBACK;

-- Inheritance and partitions
BEGIN;
CREATE TABLE old_messages () INHERITS (messages);
SELECT pg_temp.add();
SELECT count(*) FROM old_messages;
ROLLBACK;
BEGIN;
TRUNCATE messages;
CREATE TABLE all_messages (LIKE messages) PARTITION BY LIST (role);
ALTER TABLE all_messages ATTACH PARTITION messages FOR VALUES IN ('user');
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"role": "assistant"}')$$);
ROLLBACK;
BEGIN;
ALTER TABLE messages RENAME TO old_messages;
CREATE TABLE messages (LIKE old_messages INCLUDING DEFAULTS) PARTITION BY LIST (role);
CREATE TABLE questions PARTITION OF messages FOR VALUES IN ('user');
SELECT pg_temp.add();
SELECT pg_temp.add_one();
SELECT count(*) FROM questions;
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"role": "assistant"}')$$);
ROLLBACK;
BEGIN;
ALTER TABLE messages RENAME TO old_messages;
CREATE VIEW messages AS SELECT * FROM old_messages WHERE role = 'user' WITH CHECK OPTION;
ALTER VIEW messages ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP;
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"role": "assistant"}')$$);
ROLLBACK;


-- Rights: on the table they are enough, on columns the INSERT looks at each
GRANT SELECT, UPDATE ON sessions TO regress_rag_writer;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_writer;
BEGIN;
GRANT INSERT ON messages TO regress_rag_writer;
SET LOCAL ROLE regress_rag_writer;
SELECT pg_temp.add();
ROLLBACK;
BEGIN;
GRANT INSERT (id, session_id, role, content, sources, latency_ms, top_k, query_type) ON messages TO regress_rag_writer;
SET LOCAL ROLE regress_rag_writer;
SELECT pg_temp.add();
SELECT pg_temp.add_one();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"token_count": 1}')$$);
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"created_at": 0}')$$);
ROLLBACK;
BEGIN;
SET LOCAL ROLE regress_rag_writer;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add_one()');
ROLLBACK;
-- The sequence's and the session's are asked for all the same.
BEGIN;
GRANT INSERT ON messages TO regress_rag_writer;
REVOKE USAGE ON SEQUENCE messages_id_seq FROM regress_rag_writer;
SET LOCAL ROLE regress_rag_writer;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
BEGIN;
GRANT INSERT ON messages TO regress_rag_writer;
REVOKE UPDATE ON sessions FROM regress_rag_writer;
SET LOCAL ROLE regress_rag_writer;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;

-- Row security, for whom it is
BEGIN;
GRANT INSERT ON messages TO regress_rag_writer;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
SELECT pg_temp.add();
SET LOCAL ROLE regress_rag_writer;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add_one()');
RESET ROLE;
CREATE POLICY polite ON messages FOR INSERT WITH CHECK (content <> 'rude');
SET LOCAL ROLE regress_rag_writer;
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "rude"}')$$);
SET LOCAL row_security = off;
SELECT code, message FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
-- The owner, where it is forced upon him.
BEGIN;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY polite ON messages FOR INSERT WITH CHECK (content <> 'rude');
ALTER TABLE messages OWNER TO regress_rag_writer;
SET LOCAL ROLE regress_rag_writer;
SELECT pg_temp.add();
ALTER TABLE messages FORCE ROW LEVEL SECURITY;
SELECT pg_temp.add();
SELECT code, message FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "rude"}')$$);
ROLLBACK;

--
-- The same errors
--

-- Runs the call both ways, with the same ids; each field of the error that differs
-- would be seen in two rows of the result.
CREATE FUNCTION pg_temp.both_ways(messages jsonb)
RETURNS TABLE (ways text, code text, message text, detail text, hint text, "column" text, "constraint" text) LANGUAGE plpgsql AS $$
DECLARE
  statement CONSTANT text := format('SELECT rag_add_messages(%L, %L)', '00000000-0000-4000-8000-000000000001', messages);
BEGIN
  CREATE TEMPORARY TABLE answers (way text, LIKE pg_temp.answer);
  ALTER SEQUENCE messages_id_seq RESTART 100000;
  INSERT INTO answers SELECT 'direct', * FROM pg_temp.diagnose(statement);
  CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
  ALTER SEQUENCE messages_id_seq RESTART 100000;
  INSERT INTO answers SELECT 'INSERT', * FROM pg_temp.diagnose(statement);
  DROP TRIGGER pass ON messages;
  RETURN QUERY
    SELECT string_agg(a.way, ', ' ORDER BY a.way), a.code, a.message, a.detail, a.hint, a."column", a."constraint"
    FROM answers a GROUP BY 2, 3, 4, 5, 6, 7, a."schema", a."table";
  DROP TABLE answers;
END $$;
CREATE TEMPORARY VIEW answer AS SELECT * FROM pg_temp.diagnose('');
TRUNCATE messages;

-- NOT NULL and CHECK
BEGIN;
ALTER TABLE messages ALTER COLUMN top_k SET NOT NULL;
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "created_at": 0, "top_k": 1}, {"role": "user", "content": "x", "created_at": 0}]') \gx
ROLLBACK;
BEGIN;
ALTER TABLE messages ADD COLUMN own int NOT NULL;
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "created_at": 0}]') \gx
ROLLBACK;
BEGIN;
ALTER TABLE messages ADD CONSTRAINT polite CHECK (content <> 'rude');
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "created_at": 0}, {"role": "user", "content": "rude", "created_at": 0}]') \gx
ALTER TABLE messages DROP CONSTRAINT polite, ADD CONSTRAINT polite CHECK (content <> 'rude') NOT VALID;
SELECT code, "constraint" FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "rude"}')$$);
ROLLBACK;
-- Its own.
BEGIN;
ALTER TABLE messages DROP CONSTRAINT ck_messages_role, ADD CONSTRAINT ck_messages_role CHECK (role = 'assistant');
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "created_at": 0}]') \gx
ROLLBACK;

-- Unique, within the call and against what is there; exclusion; the primary key
BEGIN;
CREATE UNIQUE INDEX u ON messages (session_id, lower(query_type)) WHERE role = 'user';
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "query_type": "A"}, {"role": "assistant", "content": "x", "query_type": "a"},
                                  {"role": "user", "content": "x", "query_type": "a"}]') \gx
SELECT * FROM pg_temp.both_ways((SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'x', 'query_type', (n % 1999)::text)) FROM generate_series(1, 2000) n)) \gx
SELECT pg_temp.add(more => '{"query_type": "B"}');
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "query_type": "b"}]') \gx
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX u ON messages (session_id, token_count) WHERE token_count IS NOT NULL;
CREATE UNIQUE INDEX u_type ON messages (query_type);
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "token_count": 1}, {"role": "user", "content": "x"}, {"role": "user", "content": "x"},
                                  {"role": "user", "content": "x", "token_count": 1}]') \gx
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "query_type": "a", "token_count": 2}, {"role": "user", "content": "y", "query_type": "b", "token_count": 2},
                                  {"role": "user", "content": "z", "query_type": "a", "token_count": 3}]') \gx
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "query_type": "a"}, {"role": "user", "content": "x"}, {"role": "user", "content": "x", "query_type": "a"}]') \gx
ROLLBACK;
-- More indexes than are looked at.
BEGIN;
DO $$ BEGIN FOR i IN 1 .. 20 LOOP CREATE INDEX ON messages (top_k, id); END LOOP; END $$;
CREATE UNIQUE INDEX u ON messages (token_count);
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "token_count": 1}, {"role": "user", "content": "x", "token_count": 1}]') \gx
SELECT pg_temp.add(more => '{"token_count": 1}');
ROLLBACK;
BEGIN;
ALTER TABLE messages ADD CONSTRAINT one_each EXCLUDE (top_k WITH =, role WITH =) WHERE (top_k > 0);
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "top_k": 0}, {"role": "user", "content": "x", "top_k": 0},
                                  {"role": "user", "content": "x", "top_k": 1}, {"role": "user", "content": "x", "top_k": 1}]') \gx
ROLLBACK;
BEGIN;
INSERT INTO messages (id, session_id, role, content) VALUES (100001, :'s1', 'user', 'in the way');
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x"}, {"role": "user", "content": "x"}]') \gx
ROLLBACK;
-- An index that raises.
BEGIN;
CREATE INDEX u ON messages ((1 / top_k));
SELECT * FROM pg_temp.both_ways('[{"role": "user", "content": "x", "top_k": 1}, {"role": "user", "content": "x", "top_k": 0}]') \gx
ROLLBACK;
BEGIN;
CREATE INDEX u ON messages (content);
SELECT ways, code FROM pg_temp.both_ways((SELECT jsonb_build_array(jsonb_build_object('role', 'user', 'content', string_agg(md5(n::text), ''))) FROM generate_series(1, 1000) n));
ROLLBACK;
-- A default that raises, and ids that end.
BEGIN;
ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT ('never ' || current_setting('TimeZone'))::timestamp;
SELECT ways, code FROM pg_temp.both_ways('[{"role": "user", "content": "x"}]');
ROLLBACK;
BEGIN;
ALTER SEQUENCE messages_id_seq AS bigint RESTART 2147483647;
SELECT pg_temp.add();
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'s1', '[{"role": "user", "content": "x"}]'));
ROLLBACK;

-- A constraint's function sees what the transaction did, the touch and the session that
-- the call itself creates included.
BEGIN;
CREATE FUNCTION session_touched(uuid) RETURNS boolean LANGUAGE sql STABLE
AS 'SELECT updated_at = CURRENT_TIMESTAMP::timestamp FROM public.sessions WHERE id = $1';
UPDATE sessions SET updated_at = '2001-01-01';
ALTER TABLE messages ADD CONSTRAINT touched CHECK (COALESCE(session_touched(session_id), false));
SELECT pg_temp.add();
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.add_one();
SELECT cardinality(rag_add_messages(:'s2', '[{"role": "user", "content": "x"}]', 'bob', true));
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.add();
ROLLBACK;

-- A function of the user may do anything, such as to delete the session that was locked:
-- in a constraint or an index of either table. There is no message without its session.
-- (Those of indexes must be marked as immutable, and can lie.)
CREATE FUNCTION pg_temp.away_now(uuid) RETURNS boolean LANGUAGE plpgsql
AS $$ BEGIN DELETE FROM sessions WHERE id = $1; RETURN true; END $$;
CREATE FUNCTION pg_temp.away(uuid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
AS $$ BEGIN RETURN pg_temp.away_now($1); END $$;
CREATE FUNCTION pg_temp.orphans() RETURNS bigint LANGUAGE sql
AS $$ SELECT count(*) FROM messages AS m WHERE NOT EXISTS (SELECT FROM sessions AS s WHERE s.id = m.session_id) $$;
BEGIN;
DELETE FROM messages;
ALTER TABLE messages ADD CONSTRAINT present CHECK (pg_temp.away_now(session_id));
SELECT ways, code FROM pg_temp.both_ways('[{"role": "user", "content": "x"}]');
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add_one()');
SELECT pg_temp.orphans();
ROLLBACK;
BEGIN;
DELETE FROM messages;
CREATE INDEX away ON messages (pg_temp.away(session_id));
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT pg_temp.orphans();
ROLLBACK;
BEGIN;
DELETE FROM messages;
CREATE INDEX away ON messages (id) WHERE pg_temp.away(session_id);
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT pg_temp.orphans();
ROLLBACK;
BEGIN;
CREATE DOMAIN present AS uuid CHECK (pg_temp.away_now(VALUE));
ALTER TABLE messages ADD CONSTRAINT present CHECK (session_id::present IS NOT NULL) NOT VALID;
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add()');
ROLLBACK;
BEGIN;
DELETE FROM messages;
UPDATE sessions SET metadata = '{}';
CREATE INDEX away ON sessions (pg_temp.away(id)) WHERE metadata IS NULL;
UPDATE sessions SET metadata = NULL WHERE id = :'s2';
SELECT code FROM pg_temp.diagnose('SELECT pg_temp.add()');
SELECT pg_temp.orphans();
ROLLBACK;

-- PostgreSQL's own functions are no reason for an INSERT.
BEGIN;
ALTER TABLE messages ADD CONSTRAINT polite CHECK (length(content) < 1000 AND content !~ 'rude');
CREATE INDEX words ON messages USING gin (to_tsvector('simple', content));
CREATE INDEX short ON messages (lower(role)) WHERE length(content) < 10;
SELECT pg_temp.add();
SELECT ways, code FROM pg_temp.both_ways('[{"role": "user", "content": "rude"}]');
SELECT count(*) FROM messages WHERE to_tsvector('simple', content) @@ 'hello';
ROLLBACK;

-- What a message without a value gets does not depend on the others: the default.
BEGIN;
ALTER TABLE messages ALTER COLUMN metadata SET DEFAULT '{"v": 1}', ALTER COLUMN top_k SET DEFAULT 7;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "a"}, {"role": "user", "content": "b", "metadata": {"a": 1}},
  {"role": "user", "content": "c", "top_k": 1}, {"role": "user", "content": "d", "metadata": {"d": 1}, "top_k": 2, "created_at": "2001-01-01"}, {"role": "user", "content": "e", "query_type": "q"}]'));
SELECT content, metadata, top_k, query_type, created_at = now()::timestamp AS now FROM messages WHERE session_id = :'s1' AND content < 'f' ORDER BY id DESC LIMIT 5;
ROLLBACK;

-- Where only reading is allowed, because the caller's function is wrongly marked.
BEGIN;
SELECT current_setting('server_version_num')::int >= 160000 AS renamed \gset
\if :renamed
SET LOCAL debug_parallel_query = on;
\else
SET LOCAL force_parallel_mode = on;
\endif
CREATE FUNCTION mislabelled(call text) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
AS $$ BEGIN EXECUTE call; RETURN 'done'; END $$;
\set VERBOSITY terse
SAVEPOINT a;
SELECT mislabelled(format('SELECT rag_add_message(%L, $$user$$, $$x$$)', :'s1'));
ROLLBACK TO a;
SELECT mislabelled(format('SELECT rag_add_messages(%L, $$[]$$)', :'s1'));
ROLLBACK TO a;
SELECT mislabelled('SELECT rag_create_session()');
ROLLBACK TO a;
SELECT mislabelled(format('SELECT rag_delete_session(%L)', :'s1'));
ROLLBACK;
\set VERBOSITY default

-- Whoever may not read the table is shown what he wrote, and no more.
BEGIN;
ALTER TABLE messages ADD COLUMN secret text, ADD CONSTRAINT polite CHECK (content <> 'rude');
GRANT INSERT ON messages TO regress_rag_writer;
ALTER SEQUENCE messages_id_seq RESTART 10;
SET LOCAL ROLE regress_rag_writer;
SELECT detail FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "rude"}')$$);
RESET ROLE;
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
ALTER SEQUENCE messages_id_seq RESTART 10;
SET LOCAL ROLE regress_rag_writer;
SELECT detail FROM pg_temp.diagnose($$SELECT pg_temp.add(more => '{"content": "rude"}')$$);
ROLLBACK;

--
-- Savepoints, and an error in the middle: nothing stays, and it goes on
--
BEGIN;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "kept"}]'));
SAVEPOINT s;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "undone"}, {"role": "user", "content": "undone"}]'));
ROLLBACK TO s;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "kept, too"}]'));
COMMIT;
SELECT content FROM messages ORDER BY id;
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L), 1 / (SELECT 0)', :'s1', '[{"role": "user", "content": "undone"}]'));
SELECT content FROM messages ORDER BY id;

-- What one statement writes, its next call sees.
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "x", "idempotency_key": "again"}]') = rag_add_messages(:'s1', '[{"role": "user", "content": "x", "idempotency_key": "again"}]') AS same_id
FROM generate_series(1, 2);

-- Citus: its tables look ordinary, and are not. (Whether it is loaded is looked up once.)
ALTER DATABASE :"DBNAME" SET citus.shard_count = 32;
\c -
BEGIN;
SET LOCAL jit = off;
SET LOCAL client_min_messages = debug1;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
INSERT INTO pg_dist_partition VALUES ('sessions'), ('messages');
ALTER SEQUENCE messages_id_seq INCREMENT BY 1024;
SELECT cardinality(rag_add_messages(:'s1', '[{"role": "user", "content": "Hello"}]'));
SELECT rag_add_message(:'s1', 'user', 'Hello') > 0;
ROLLBACK;
ALTER DATABASE :"DBNAME" RESET citus.shard_count;
\c -
SET client_min_messages = warning;

DROP OWNED BY regress_rag_writer;
DROP EXTENSION rag_events;
DROP ROLE regress_rag_writer;
