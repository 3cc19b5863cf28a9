--
-- Who may do what. The functions run with the caller's rights: everybody may call
-- them, and nobody gains anything by it. The least rights that suffice are listed
-- here, each of them needed.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP SCHEMA IF EXISTS chat CASCADE;
DROP ROLE IF EXISTS regress_rag_nobody, regress_rag_writer, regress_rag_reader;
CREATE ROLE regress_rag_nobody;
CREATE ROLE regress_rag_writer;
CREATE ROLE regress_rag_reader;
CREATE SCHEMA chat;
CREATE EXTENSION rag_events SCHEMA chat;
\set s1 00000000-0000-4000-8000-000000000001
\set s2 00000000-0000-4000-8000-000000000002
SELECT chat.rag_create_session('alice', session_id => :'s1');

--
-- Every function of the extension: no ACL of its own (EXECUTE for everybody, so
-- that a dump keeps whatever the user grants or revokes), and the caller's rights.
--
SELECT p.oid::regprocedure AS function, p.proacl AS acl,
       has_function_privilege('regress_rag_nobody', p.oid, 'EXECUTE') AS everybody,
       p.prosecdef AS security_definer
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
  AND d.deptype = 'e' AND e.extname = 'rag_events'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- The tables and sequences: nothing for anybody but their owners, except that
-- everybody reads the log.
SELECT c.oid::regclass AS relation, a.grantee::regrole AS grantee, a.privilege_type
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid,
     aclexplode(c.relacl) a
WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_class'::regclass
  AND d.deptype = 'e' AND e.extname = 'rag_events' AND a.grantee <> c.relowner
ORDER BY 1, 2, 3;

--
-- A role without rights can do nothing
--
SET ROLE regress_rag_nobody;
SELECT code, message FROM pg_temp.diagnose('SELECT chat.rag_version()');
RESET ROLE;
GRANT USAGE ON SCHEMA chat TO regress_rag_nobody;
SET ROLE regress_rag_nobody;
SELECT chat.rag_version() <> '' AS version_is_no_secret;
SELECT n, d.code, d.message
FROM (VALUES (1, 'SELECT chat.rag_create_session()'),
             (2, 'SELECT chat.rag_create_session(session_id => $1, if_not_exists => true)'),
             (3, 'SELECT chat.rag_create_session(session_id => $2, if_not_exists => true)'),
             (4, 'SELECT chat.rag_add_message($1, ''user'', ''Hello'')'),
             (5, 'SELECT chat.rag_add_message($1, ''user'', ''Hello'', user_id => ''alice'')'),
             (6, 'SELECT chat.rag_add_message($1, ''user'', ''Hello'', user_id => ''bob'')'),
             (7, 'SELECT chat.rag_add_message($2, ''user'', ''Hello'')'),
             (8, 'SELECT FROM chat.sessions'),
             (9, 'SELECT FROM chat.messages'),
             (10, 'SELECT nextval(''chat.messages_id_seq'')'),
             (11, 'INSERT INTO chat.rag_migration_log (version) VALUES (''9'')')) AS t (n, statement),
     pg_temp.diagnose(replace(replace(statement, '$1', quote_literal(:'s1')), '$2', quote_literal(:'s2'))) d
ORDER BY n;
RESET ROLE;
SELECT count(*) AS sessions, (SELECT count(*) FROM chat.messages) AS messages, pg_temp.ids_drawn('chat.messages_id_seq') AS ids_drawn
FROM chat.sessions;

--
-- The least rights of a writer, by what it calls:
--
--	everything						USAGE ON SCHEMA
--	rag_create_session()			INSERT (id, user_id, metadata) ON sessions
--		if_not_exists => true		SELECT (id, user_id) ON sessions
--	rag_add_message()				SELECT (id), UPDATE (updated_at) ON sessions;
--									INSERT (id, session_id, role, content, sources,
--									latency_ms, top_k, query_type) ON messages;
--									USAGE ON SEQUENCE messages_id_seq
--		user_id => …				SELECT (user_id) ON sessions
--
-- No right to read messages is among them.
--
CREATE TEMPORARY TABLE rights (n int, object text, privilege text);
INSERT INTO rights VALUES
  (1, 'SCHEMA chat', 'USAGE'),
  (2, 'chat.sessions', 'INSERT (id)'), (3, 'chat.sessions', 'INSERT (user_id)'), (4, 'chat.sessions', 'INSERT (metadata)'),
  (5, 'chat.sessions', 'SELECT (id)'), (6, 'chat.sessions', 'SELECT (user_id)'), (7, 'chat.sessions', 'UPDATE (updated_at)'),
  (8, 'chat.messages', 'INSERT (id)'), (9, 'chat.messages', 'INSERT (session_id)'), (10, 'chat.messages', 'INSERT (role)'),
  (11, 'chat.messages', 'INSERT (content)'), (12, 'chat.messages', 'INSERT (sources)'), (13, 'chat.messages', 'INSERT (latency_ms)'),
  (14, 'chat.messages', 'INSERT (top_k)'), (15, 'chat.messages', 'INSERT (query_type)'),
  (16, 'SEQUENCE chat.messages_id_seq', 'USAGE');
CREATE FUNCTION pg_temp.grant_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM pg_temp.rights ORDER BY n LOOP
    EXECUTE format('GRANT %s ON %s TO regress_rag_writer', r.privilege, r.object);
  END LOOP;
END $$;

-- With all of them, each function works in each of its forms.
SELECT pg_temp.grant_all();
SET ROLE regress_rag_writer;
SELECT chat.rag_create_session('bob', '{}', :'s2');
SELECT chat.rag_create_session('bob', '{}', :'s2', true);
SELECT chat.rag_create_session('bob') IS NOT NULL AS created;
SELECT chat.rag_add_message(:'s2', 'user', 'Hello');
SELECT chat.rag_add_message(:'s2', 'assistant', 'Hello', '[]', 1.5, 5, 'semantic', 'bob');
SELECT n, d.code, d.message
FROM (VALUES (1, 'SELECT content FROM chat.messages'),
             (2, 'SELECT metadata FROM chat.sessions'),
             (3, 'UPDATE chat.sessions SET user_id = ''mallory'''),
             (4, 'DELETE FROM chat.messages'),
             (5, 'DELETE FROM chat.sessions'),
             (6, 'INSERT INTO chat.sessions (id, created_at) VALUES (''00000000-0000-4000-8000-000000000003'', ''1970-01-01'')'),
             (7, 'SELECT setval(''chat.messages_id_seq'', 1)')) AS t (n, beyond),
     pg_temp.diagnose(beyond) d
ORDER BY n;
-- Errors are those of any other writer.
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT chat.rag_add_message(%L, %L, %L, user_id => %L)', :'s1', 'user', 'x', 'bob'));
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT chat.rag_create_session(%L, session_id => %L)', 'bob', :'s1'));
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT chat.rag_create_session(%L, session_id => %L, if_not_exists => true)', 'bob', :'s1'));
RESET ROLE;

-- Each of them is needed, and by which call: without it, that is 42501 and
-- nothing is changed.
CREATE FUNCTION pg_temp.without(n int, OUT create_session text, OUT if_not_exists text, OUT add_message text, OUT with_user_id text)
LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  SELECT * INTO STRICT r FROM pg_temp.rights WHERE rights.n = without.n;
  EXECUTE format('REVOKE %s ON %s FROM regress_rag_writer', r.privilege, r.object);
  SET LOCAL ROLE regress_rag_writer;
  create_session := code FROM pg_temp.diagnose($q$SELECT chat.rag_create_session('bob')$q$);
  if_not_exists := code FROM pg_temp.diagnose($q$SELECT chat.rag_create_session('bob', session_id => '00000000-0000-4000-8000-000000000002', if_not_exists => true)$q$);
  add_message := code FROM pg_temp.diagnose($q$SELECT chat.rag_add_message('00000000-0000-4000-8000-000000000002', 'user', 'Hello')$q$);
  with_user_id := code FROM pg_temp.diagnose($q$SELECT chat.rag_add_message('00000000-0000-4000-8000-000000000002', 'user', 'Hello', user_id => 'bob')$q$);
  RESET ROLE;
  EXECUTE format('GRANT %s ON %s TO regress_rag_writer', r.privilege, r.object);
END $$;
SELECT r.object, r.privilege AS without, w.* FROM rights r, pg_temp.without(r.n) w ORDER BY r.n;

-- The same by table instead of by column, which is what most will grant.
DROP OWNED BY regress_rag_writer;
GRANT USAGE ON SCHEMA chat TO regress_rag_writer;
GRANT INSERT ON chat.sessions, chat.messages TO regress_rag_writer;
GRANT SELECT (id, user_id), UPDATE (updated_at) ON chat.sessions TO regress_rag_writer;
GRANT USAGE ON SEQUENCE chat.messages_id_seq TO regress_rag_writer;
SET ROLE regress_rag_writer;
SELECT chat.rag_create_session('bob', '{}', :'s2', true);
SELECT chat.rag_add_message(:'s2', 'user', 'Hello', user_id => 'bob') > 0 AS stored;
RESET ROLE;
-- UPDATE on the sequence does instead of USAGE, as for nextval().
REVOKE USAGE ON SEQUENCE chat.messages_id_seq FROM regress_rag_writer;
GRANT UPDATE ON SEQUENCE chat.messages_id_seq TO regress_rag_writer;
SET ROLE regress_rag_writer;
SELECT chat.rag_add_message(:'s2', 'user', 'Hello') > 0 AS stored;
RESET ROLE;

--
-- A reader: SELECT on the tables
--
GRANT USAGE ON SCHEMA chat TO regress_rag_reader;
GRANT SELECT ON chat.sessions, chat.messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT count(*) > 0 AS reads_messages FROM chat.messages;
SELECT count(*) > 0 AS reads_log FROM chat.rag_migration_log;
SELECT code, message FROM pg_temp.diagnose('SELECT chat.rag_create_session()');
SELECT code, message FROM pg_temp.diagnose(format('SELECT chat.rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
RESET ROLE;

--
-- EXECUTE can be taken away, and given to some
--
REVOKE EXECUTE ON FUNCTION chat.rag_create_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chat.rag_create_session TO regress_rag_writer;
SET ROLE regress_rag_nobody;
SELECT code, message FROM pg_temp.diagnose('SELECT chat.rag_create_session()');
SET ROLE regress_rag_writer;
SELECT chat.rag_create_session('bob') IS NOT NULL AS created;
RESET ROLE;

--
-- A SECURITY DEFINER function of the owner lends out exactly what it does: its
-- callers need no right on the tables.
--
CREATE FUNCTION chat.ask(question text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = ''
AS $$ SELECT chat.rag_add_message('00000000-0000-4000-8000-000000000002', 'user', question, user_id => 'bob') $$;
SET ROLE regress_rag_nobody;
SELECT chat.ask('Hello') > 0 AS stored;
SELECT code FROM pg_temp.diagnose(format('SELECT chat.rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
SELECT chat.ask('Hello again') > 0 AS stored;
RESET ROLE;

DROP SCHEMA chat CASCADE;
DROP ROLE regress_rag_nobody, regress_rag_writer, regress_rag_reader;

-- Rights on the tables are none without USAGE on their schema, whichever way is taken.
\set VERBOSITY sqlstate
\set s '\'00000000-0000-4000-8000-000000000001\''
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
