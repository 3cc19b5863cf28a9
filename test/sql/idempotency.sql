--
-- Idempotency keys, of both functions: a retry returns the first id and writes
-- nothing at all; a key used for something else is an error.
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
SELECT rag_create_session('alice', session_id => :'s1'), rag_create_session('bob', session_id => :'s2');

-- One message with a key, by either function; the id that comes back.
CREATE FUNCTION pg_temp.one(key text, content text DEFAULT 'x', role text DEFAULT 'user',
                            session uuid DEFAULT '00000000-0000-4000-8000-000000000001') RETURNS bigint LANGUAGE sql
AS $$ SELECT rag_add_message(session, role, content, idempotency_key => key) $$;
CREATE FUNCTION pg_temp.many(key text, content text DEFAULT 'x', role text DEFAULT 'user',
                             session uuid DEFAULT '00000000-0000-4000-8000-000000000001') RETURNS bigint LANGUAGE sql
AS $$ SELECT (rag_add_messages(session, jsonb_build_array(jsonb_build_object('role', role, 'content', content, 'idempotency_key', key))))[1] $$;
-- Both tables and the sequence.
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s),
                    (SELECT array_agg(m ORDER BY id) FROM messages m),
                    (SELECT array_agg(ROW(xmin, ctid)::text ORDER BY id) FROM sessions),
                    pg_temp.ids_drawn('messages_id_seq')))
$$;

--
-- A retry, by the same function or the other: the same id, and nothing is written
--
SELECT pg_temp.one('k1') AS first \gset
UPDATE sessions SET updated_at = '2001-01-01';
-- (A lock alone may mark the row; what counts is that there is no new version of it.)
SELECT pg_temp.state() AS before \gset
SELECT pg_temp.one('k1') = :first AS same_id;
SELECT pg_temp.many('k1') = :first AS same_id;
SELECT rag_add_message(:'s1', 'user', 'x', idempotency_key => 'k1', user_id => 'alice') = :first AS same_id;
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "x", "idempotency_key": "k1"}]', 'alice', true) = ARRAY[:first]::bigint[] AS same_id;
-- What else the retry says is not looked at, and not stored.
SELECT rag_add_message(:'s1', 'user', 'x', '[1]', 5, 5, 'q', NULL, 5, '{"a": 1}', 'k1') = :first AS same_id;
SELECT pg_temp.state() = :'before' AS nothing_written;
SELECT count(*) AS messages, max(updated_at) AS untouched, count(sources) AS sources FROM sessions s JOIN messages m ON m.session_id = s.id;

-- A new key is a new message, which touches the session; without a key each is new.
SELECT pg_temp.one('k2') > :first AS new_id, pg_temp.many('k3') > :first AS new_id;
SELECT updated_at > '2001-01-01' AS touched FROM sessions WHERE id = :'s1';
SELECT pg_temp.one(NULL) <> pg_temp.one(NULL) AS two;

--
-- Inside one array
--
TRUNCATE messages RESTART IDENTITY;
-- Twice the same is one message; the ids are those of the elements all the same.
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "a", "idempotency_key": "a"}, {"role": "user", "content": "b"},
                                 {"role": "user", "content": "a", "idempotency_key": "a"}, {"role": "user", "content": "c", "idempotency_key": "c"},
                                 {"role": "user", "content": "a", "idempotency_key": "a"}, {"role": "user", "content": "b"}]');
SELECT id, content, idempotency_key FROM messages ORDER BY id;
-- Some there, some not: those that are not are written.
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "d", "idempotency_key": "d"}, {"role": "user", "content": "c", "idempotency_key": "c"},
                                 {"role": "user", "content": "b"}, {"role": "user", "content": "a", "idempotency_key": "a"},
                                 {"role": "user", "content": "d", "idempotency_key": "d"}]');
SELECT id, content, idempotency_key FROM messages ORDER BY id;
-- All there: nothing is written.
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset
SELECT rag_add_messages(:'s1', '[{"role": "user", "content": "d", "idempotency_key": "d"}, {"role": "user", "content": "a", "idempotency_key": "a"},
                                 {"role": "user", "content": "a", "idempotency_key": "a"}]');
SELECT pg_temp.state() = :'before' AS nothing_written;
-- Many of them.
TRUNCATE messages RESTART IDENTITY;
CREATE FUNCTION pg_temp.numbered(a int, b int) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', n::text, 'idempotency_key', 'key ' || n) ORDER BY n) FROM generate_series(a, b) n $$;
SELECT rag_add_messages(:'s1', pg_temp.numbered(1, 3000)) = ARRAY(SELECT generate_series(1, 3000)::bigint) AS ids;
SELECT rag_add_messages(:'s1', pg_temp.numbered(1001, 5000)) = ARRAY(SELECT generate_series(1001, 5000)::bigint) AS ids;
SELECT count(*), count(DISTINCT idempotency_key), bool_and(content = 'x' OR idempotency_key = 'key ' || content) AS right_key FROM messages;
TRUNCATE messages RESTART IDENTITY;

--
-- A key that was used for another message: 23505
--
SELECT pg_temp.one('k', 'content', 'user') AS first \gset
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error($$SELECT pg_temp.one('k', 'other', 'user')$$);
SELECT * FROM pg_temp.error($$SELECT pg_temp.many('k', 'other', 'user')$$);
SELECT n, d.code, d.message
FROM (VALUES (1, $$pg_temp.one('k', 'content', 'assistant')$$), (2, $$pg_temp.many('k', 'content', 'assistant')$$),
             (3, $$pg_temp.one('k', 'content ', 'user')$$), (4, $$pg_temp.one('k', 'Content', 'user')$$), (5, $$pg_temp.one('k', '', 'user')$$),
             (6, $$pg_temp.many('k', '', 'user')$$)) AS v (n, call),
     pg_temp.diagnose('SELECT ' || call) d ORDER BY n;
-- In an array: against what is there, and against another element.
SELECT n, d.code, d.message
FROM (VALUES (1, '[{"role": "user", "content": "new", "idempotency_key": "n"}, {"role": "user", "content": "other", "idempotency_key": "k"}]'),
             (2, '[{"role": "user", "content": "new", "idempotency_key": "n"}, {"role": "user", "content": "newer", "idempotency_key": "n"}]'),
             (3, '[{"role": "user", "content": "new", "idempotency_key": "n"}, {"role": "assistant", "content": "new", "idempotency_key": "n"}]'),
             (4, '[{"role": "user", "content": "content", "idempotency_key": "k"}, {"role": "user", "content": "other", "idempotency_key": "k"}]')) AS v (n, messages),
     pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L)', :'s1', messages)) d ORDER BY n;
SELECT pg_temp.state() = :'before' AS nothing_written;

-- The constraint is the table's own: an INSERT gets its error.
SELECT * FROM pg_temp.error(format('INSERT INTO messages (session_id, role, content, idempotency_key) VALUES (%L, %L, %L, %L)', :'s1', 'user', 'x', 'k'));
-- And the functions find what an INSERT stored.
INSERT INTO messages (id, session_id, role, content, idempotency_key) VALUES (700, :'s1', 'user', 'by INSERT', 'i');
SELECT pg_temp.one('i', 'by INSERT'), pg_temp.many('i', 'by INSERT');

--
-- What a key is
--
TRUNCATE messages RESTART IDENTITY;
SELECT * FROM pg_temp.error($$SELECT pg_temp.one('')$$);
SELECT * FROM pg_temp.error($$SELECT pg_temp.one(repeat('k', 256))$$);
-- From 1 to 255 bytes, not characters; any of them, and exactly as they are.
CREATE TEMPORARY TABLE keys (n int, key text);
INSERT INTO keys VALUES
  (1, 'k'), (2, 'K'), (3, ' '), (4, 'k '), (5, ' k'), (6, E'k\n'), (7, '''"\'), (8, '%s'), (9, '{}'), (10, 'NULL'), (11, 'ключ'), (12, '鍵'),
  (13, 'é'), (14, U&'e\0301'), (15, '😀'), (16, 'ﬀ'), (17, 'ff'), (18, 'i'), (19, 'İ'), (20, E'\x01'),
  (21, repeat('k', 255)), (22, repeat('k', 254) || 'l'), (23, repeat('é', 127)), (24, repeat('é', 127) || 'k'), (25, repeat('😀', 63) || 'kkk');
SELECT count(*) AS keys, max(octet_length(key)) AS longest FROM keys;
CREATE TEMPORARY TABLE ids AS SELECT n, pg_temp.one(key, 'message ' || n) AS id FROM keys;
SELECT count(*), count(DISTINCT id) AS different FROM ids;
SELECT count(*) AS found FROM ids JOIN keys USING (n) WHERE pg_temp.one(key, 'message ' || n) = id AND pg_temp.many(key, 'message ' || n) = id;
SELECT count(*) AS stored_as_given FROM ids JOIN keys USING (n) JOIN messages USING (id) WHERE idempotency_key = key COLLATE "C" AND content = 'message ' || n;
SELECT n, octet_length(key) AS bytes, d.code, d.message
FROM (VALUES (1, repeat('é', 128)), (2, repeat('k', 254) || 'é'), (3, repeat('😀', 64)), (4, repeat('k', 100000))) AS v (n, key),
     pg_temp.diagnose(format('SELECT pg_temp.one(%L)', key)) d ORDER BY n;
-- All at once, twice.
SELECT rag_add_messages(:'s1', m || m) = ids || ids AS same_ids
FROM (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'message ' || n, 'idempotency_key', key) ORDER BY n) AS m, array_agg(id ORDER BY n) AS ids
      FROM keys JOIN ids USING (n)) AS all_of_them;
DROP TABLE ids, keys;

--
-- A key is of one session; and gone with its message
--
TRUNCATE messages RESTART IDENTITY;
SELECT pg_temp.one('k', 'in one'), pg_temp.one('k', 'in the other', 'assistant', :'s2'), pg_temp.many('k', 'in the other', 'assistant', :'s2');
DELETE FROM messages WHERE session_id = :'s1';
SELECT pg_temp.one('k', 'anew'), pg_temp.many('k', 'anew');
-- Rolled back, it was never used.
BEGIN;
SELECT pg_temp.many('r', 'rolled back') > 0 AS stored;
ROLLBACK;
SELECT pg_temp.many('r', 'another') > 0 AS stored;
-- Twice in one transaction.
BEGIN;
SELECT pg_temp.one('t') = pg_temp.many('t') AS same_id;
SAVEPOINT s;
SELECT pg_temp.one('u') = pg_temp.one('u') AS same_id;
ROLLBACK TO s;
SELECT pg_temp.one('u', 'another') = pg_temp.many('u', 'another') AS same_id;
COMMIT;
-- A message that is edited is another.
UPDATE messages SET content = 'edited' WHERE idempotency_key = 't';
SELECT code FROM pg_temp.diagnose($$SELECT pg_temp.one('t')$$);
-- Large contents are compared too, compressed as they are stored.
SELECT pg_temp.many('large', repeat('large ', 100000)) = pg_temp.one('large', repeat('large ', 100000)) AS same_id;
SELECT code FROM pg_temp.diagnose($$SELECT pg_temp.one('large', repeat('large ', 100000) || 'r')$$);

-- Errors in the message come first, then the session's, then the key's.
SELECT n, d.code, d.message
FROM (VALUES (1, $$rag_add_message('00000000-0000-4000-8000-000000000001', 'ai', 'x', idempotency_key => 'k')$$),
             (2, $$rag_add_message('00000000-0000-4000-8000-00000000ffff', 'user', 'x', idempotency_key => 'k')$$),
             (3, $$rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'x', idempotency_key => 'k', user_id => 'bob')$$),
             (4, $$rag_add_messages('00000000-0000-4000-8000-000000000001', '[{"role": "user", "content": "x", "idempotency_key": "k"}]', 'bob')$$)) AS v (n, call),
     pg_temp.diagnose('SELECT ' || call) d ORDER BY n;

--
-- The index costs nothing where no keys are used: it is as empty as it was. And it is
-- what finds them.
--
TRUNCATE messages RESTART IDENTITY;
SELECT pg_relation_size('uq_messages_idempotency_key') AS size \gset
SELECT cardinality(rag_add_messages(:'s1', (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 5000))));
SELECT pg_relation_size('uq_messages_idempotency_key') = :size AS as_empty_as_it_was;
SELECT pg_get_indexdef('uq_messages_idempotency_key'::regclass);
-- A key is looked up in it, however long the session is and whatever the planner
-- believes of the table: the rows that a call reads.
CREATE FUNCTION pg_temp.read_so_far() RETURNS bigint LANGUAGE sql AS $$
  SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint + pg_stat_get_xact_tuples_returned('messages'::regclass)
  FROM pg_index WHERE indrelid = 'messages'::regclass
$$;
CREATE FUNCTION pg_temp.rows_read(keys int, OUT new bigint, OUT again bigint, OUT many bigint, OUT many_again bigint) LANGUAGE plpgsql AS $$
DECLARE
  start bigint;
BEGIN
  PERFORM rag_add_messages('00000000-0000-4000-8000-000000000001', pg_temp.numbered(1, keys));
  start := pg_temp.read_so_far();
  PERFORM pg_temp.one('new');
  new := pg_temp.read_so_far() - start;
  start := pg_temp.read_so_far();
  PERFORM pg_temp.one('new');
  again := pg_temp.read_so_far() - start;
  start := pg_temp.read_so_far();
  PERFORM rag_add_messages('00000000-0000-4000-8000-000000000001', pg_temp.numbered(keys + 1, keys + 10));
  many := pg_temp.read_so_far() - start;
  start := pg_temp.read_so_far();
  PERFORM rag_add_messages('00000000-0000-4000-8000-000000000001', pg_temp.numbered(keys + 1, keys + 10));
  many_again := pg_temp.read_so_far() - start;
END $$;
TRUNCATE messages;
SELECT * FROM pg_temp.rows_read(2000);
TRUNCATE messages;
ANALYZE messages;
SELECT * FROM pg_temp.rows_read(2000);
ANALYZE messages;
SELECT * FROM pg_temp.rows_read(3000);
TRUNCATE messages;
BEGIN;
SELECT count(rag_add_messages(gen_random_uuid(), '[{"role": "user", "content": "x", "idempotency_key": "k"}]', create_session => true)) FROM generate_series(1, 2000);
ANALYZE messages;
SELECT * FROM pg_temp.rows_read(2000);
ROLLBACK;

--
-- The least rights: those of a writer without keys, and to read what was said
--
GRANT SELECT (id, user_id), UPDATE (updated_at) ON sessions TO regress_rag_writer;
GRANT INSERT (id, session_id, role, content, sources, latency_ms, top_k, query_type) ON messages TO regress_rag_writer;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_writer;
CREATE FUNCTION pg_temp.allowed(who text, OUT without_key text, OUT one text, OUT one_again text, OUT many text) LANGUAGE plpgsql AS $$
BEGIN
  without_key := (SELECT code FROM pg_temp.diagnose('SELECT pg_temp.one(NULL)'));
  one := (SELECT code FROM pg_temp.diagnose(format('SELECT pg_temp.one(%L)', who)));
  one_again := (SELECT code FROM pg_temp.diagnose(format('SELECT pg_temp.one(%L)', who)));
  many := (SELECT code FROM pg_temp.diagnose(format('SELECT pg_temp.many(%L)', who || ' many')));
END $$;
SET ROLE regress_rag_writer;
SELECT * FROM pg_temp.allowed('no right to read');
RESET ROLE;
GRANT SELECT (id, session_id, role, content, idempotency_key) ON messages TO regress_rag_writer;
SET ROLE regress_rag_writer;
SELECT * FROM pg_temp.allowed('no right to write the key');
RESET ROLE;
GRANT INSERT (idempotency_key) ON messages TO regress_rag_writer;
SET ROLE regress_rag_writer;
SELECT * FROM pg_temp.allowed('enough');
RESET ROLE;
-- Each of them is needed.
CREATE FUNCTION pg_temp.without("right" text, "column" text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('REVOKE %s (%s) ON messages FROM regress_rag_writer', "right", "column");
  SET LOCAL ROLE regress_rag_writer;
  result := (SELECT code FROM pg_temp.diagnose(format('SELECT pg_temp.one(%L)', "right" || "column")));
  RESET ROLE;
  EXECUTE format('GRANT %s (%s) ON messages TO regress_rag_writer', "right", "column");
  RETURN result;
END $$;
SELECT r, c, pg_temp.without(r, c)
FROM (VALUES (1, 'SELECT', 'id'), (2, 'SELECT', 'session_id'), (3, 'SELECT', 'role'), (4, 'SELECT', 'content'), (5, 'SELECT', 'idempotency_key'),
             (6, 'INSERT', 'idempotency_key')) AS v (n, r, c) ORDER BY n;

-- Row security: a message that is hidden is not found; its key is taken all the same.
GRANT SELECT, INSERT ON messages TO regress_rag_writer;
SELECT pg_temp.one('hidden', 'hidden') > 0 AS stored;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_hidden ON messages USING (content <> 'hidden');
SET ROLE regress_rag_writer;
SELECT pg_temp.one('seen', 'seen') = pg_temp.many('seen', 'seen') AS same_id;
SELECT * FROM pg_temp.error($$SELECT pg_temp.one('hidden', 'other')$$);
RESET ROLE;

DROP OWNED BY regress_rag_writer;
DROP EXTENSION rag_events;
DROP ROLE regress_rag_writer;
