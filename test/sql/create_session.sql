--
-- rag_create_session(): ids given and generated, what is stored, if_not_exists,
-- and every error.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

\set s1 00000000-0000-4000-8000-000000000001
\set s2 00000000-0000-4000-8000-000000000002
\set s3 00000000-0000-4000-8000-000000000003
\set s4 00000000-0000-4000-8000-000000000004
\set s5 00000000-0000-4000-8000-000000000005
\set s6 00000000-0000-4000-8000-000000000006

-- Parameters are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel
FROM pg_proc WHERE proname = 'rag_create_session';

--
-- Nothing given: a session of nobody, with a generated id
--
BEGIN;
SELECT rag_create_session() AS id \gset
SELECT id = :'id' AS id_is_returned, user_id, metadata,
       created_at = CURRENT_TIMESTAMP::timestamp AS created_now,
       updated_at = created_at AS updated_then
FROM sessions;
ROLLBACK;

-- Each call gives a new one.
SELECT count(DISTINCT id) FROM (SELECT rag_create_session() FROM generate_series(1, 3)) AS g (id);
DELETE FROM sessions;

--
-- Everything given: by position, by name, and mixed
--
SELECT rag_create_session('alice', '{"title": "By position", "tags": [1, 2.50, null]}', :'s1', false);
SELECT rag_create_session(session_id => :'s2', metadata => '{"title": "By name"}', user_id => 'bob');
SELECT rag_create_session('carol', session_id => :'s3');
SELECT rag_create_session(user_id => NULL, metadata => NULL, session_id => :'s4', if_not_exists => NULL);
-- An empty user_id is a user_id; JSON null is a value and not NULL.
SELECT rag_create_session('', 'null', :'s5');
-- Of any length, in any script: nothing is trimmed, folded or cut.
SELECT rag_create_session('  Zoë 👩🏽‍💻 ' || repeat('x', 1000), '{"a": "string"}', :'s6');
SELECT id, left(user_id, 5) AS user_id, length(user_id), metadata, jsonb_typeof(metadata) FROM sessions ORDER BY id;
SELECT user_id = '  Zoë 👩🏽‍💻 ' || repeat('x', 1000) AS same FROM sessions WHERE id = :'s6';

-- A generated id and all else given
SELECT rag_create_session('dave', '{}') AS id \gset
SELECT user_id, metadata FROM sessions WHERE id = :'id';
DELETE FROM sessions WHERE id = :'id';

--
-- The id exists: 23505, whoever owns it, and it is the primary key's error
--
SELECT * FROM pg_temp.error(format('SELECT rag_create_session(%L, session_id => %L)', 'alice', :'s1'));
SELECT DISTINCT d.*::text = i.*::text AS same_as_insert
FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, session_id => %L)', 'alice', :'s1')) d,
     pg_temp.diagnose(format('INSERT INTO sessions (id) VALUES (%L)', :'s1')) i;
-- A flag of NULL is no flag.
SELECT code FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, session_id => %L, if_not_exists => NULL)', 'alice', :'s1'));

--
-- if_not_exists: the same owner gets the session, as it is
--
UPDATE sessions SET created_at = '2001-01-01', updated_at = '2001-01-01';
SELECT rag_create_session('alice', '{"title": "Another"}', :'s1', true);
SELECT rag_create_session(session_id => :'s4', if_not_exists => true);
SELECT rag_create_session('', session_id => :'s5', if_not_exists => true);
SELECT id, left(user_id, 5) AS user_id, metadata, created_at = '2001-01-01' AND updated_at = '2001-01-01' AS untouched
FROM sessions ORDER BY id;
-- Or a new one.
DELETE FROM sessions WHERE id = :'s6';
SELECT rag_create_session('frank', '{"title": "New"}', :'s6', true);
SELECT user_id, metadata FROM sessions WHERE id = :'s6';
-- Without an id there is nothing that could exist.
SELECT rag_create_session('alice', if_not_exists => true) <> rag_create_session('alice', if_not_exists => true) AS two_sessions;
-- Twice in one transaction, and twice in one statement.
DELETE FROM sessions WHERE id = :'s6';
BEGIN;
SELECT rag_create_session('frank', '{"n": 1}', :'s6', true);
SELECT rag_create_session('frank', '{"n": 2}', :'s6', true);
ROLLBACK;
SELECT rag_create_session('frank', jsonb_build_object('n', n), :'s6', true) FROM generate_series(1, 2) AS n;
SELECT user_id, metadata FROM sessions WHERE id = :'s6';

-- Another owner gets the error of an id that exists. Nobody is an owner too: a
-- session of nobody is not everybody's, nor is a user's session nobody's.
SELECT * FROM pg_temp.error(format('SELECT rag_create_session(%L, NULL, %L, true)', 'mallory', :'s1'));
SELECT owner, asking, d.code, d.message
FROM (VALUES (1, 'alice', :'s1'::uuid, 'alice'),
             (2, 'alice', :'s1', 'bob'),
             (3, 'alice', :'s1', 'Alice'),
             (4, 'alice', :'s1', 'alice '),
             (5, 'alice', :'s1', ''),
             (6, 'alice', :'s1', NULL),
             (7, NULL,    :'s4', NULL),
             (8, NULL,    :'s4', 'alice'),
             (9, NULL,    :'s4', ''),
             (10, '',     :'s5', ''),
             (11, '',     :'s5', NULL)) AS t (n, owner, id, asking),
     pg_temp.diagnose(format('SELECT rag_create_session(%L, NULL, %L, true)', asking, id)) d
ORDER BY n;
SELECT DISTINCT d.*::text = i.*::text AS same_as_insert
FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, NULL, %L, true)', 'mallory', :'s1')) d,
     pg_temp.diagnose(format('INSERT INTO sessions (id) VALUES (%L)', :'s1')) i;

-- Badly typed arguments do not reach the function.
SELECT * FROM pg_temp.error($$SELECT rag_create_session(session_id => 'not-a-uuid')$$);
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session(metadata => '{"title": }')$$);
-- What no update could merge with, and what a driver has encoded once more.
SELECT metadata, d.* FROM (VALUES ('"text"'), ('5'), ('[1]'), ('true'), (to_jsonb('{"a": 1}'::text)::text)) AS t (metadata),
  LATERAL (SELECT code, message, hint, "table", "column" FROM pg_temp.diagnose(format('SELECT rag_create_session(metadata => %L)', metadata))) AS d;
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session(owner => 'alice')$$);

DROP EXTENSION rag_events;
