--
-- rag_reassign_sessions(): a guest's sessions become a user's, and two accounts one.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname = 'rag_reassign_sessions';

INSERT INTO sessions (id, user_id, created_at, updated_at)
SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, u, '2026-01-01', '2026-01-02'
FROM (VALUES (1, 'guest'), (2, 'guest'), (3, 'guest'), (4, 'bob'), (5, NULL), (6, NULL)) AS v (n, u);
CREATE FUNCTION pg_temp.owners() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(format('%s:%s', right(id::text, 1), coalesce(user_id, '-')), ' ' ORDER BY id) FROM sessions
$$;
\set s1 00000000-0000-4000-8000-000000000001
\set s4 00000000-0000-4000-8000-000000000004
\set s5 00000000-0000-4000-8000-000000000005

-- One of them, and the others.
SELECT rag_reassign_sessions('guest', 'alice', :'s1'), pg_temp.owners();
SELECT rag_reassign_sessions('guest', 'alice');
SELECT pg_temp.owners();
-- There are none left, and it is no error to say it again.
SELECT rag_reassign_sessions('guest', 'alice'), rag_reassign_sessions('nobody knows', 'alice');
-- Two accounts become one; the same twice.
SELECT rag_reassign_sessions(user_id => 'bob', new_user_id => 'alice'), rag_reassign_sessions('alice', 'alice');
-- A session of nobody.
SELECT rag_reassign_sessions(NULL, 'carol', :'s5');
SELECT pg_temp.owners();
-- An empty name is a name.
SELECT rag_reassign_sessions('carol', '');
SELECT rag_reassign_sessions('', 'carol');
-- Neither time changes.
SELECT DISTINCT created_at, updated_at FROM sessions;

-- Errors
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(%L, %L, %L)', 'bob', 'carol', :'s4'));
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(NULL, %L, %L)', 'carol', :'s4'));
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(%L, %L, %L)', 'alice', 'carol', :'none'));
SELECT * FROM pg_temp.error('SELECT rag_reassign_sessions(NULL, ''alice'')');
SELECT * FROM pg_temp.error('SELECT rag_reassign_sessions(''alice'', NULL)');
SELECT * FROM pg_temp.error('SELECT rag_reassign_sessions(''alice'', repeat(''x'', 2001))');
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(repeat(''x'', 1000000), %L)', 'alice'));
CREATE FUNCTION pg_temp.discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.discard();
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(%L, %L, %L)', 'alice', 'carol', :'s1'));
SELECT rag_reassign_sessions('alice', 'carol');
DROP TRIGGER discard ON sessions;
SELECT pg_temp.owners();

-- Row security: what a policy hides stays whose it is.
CREATE ROLE regress_rag_reassign;
GRANT SELECT, UPDATE ON sessions TO regress_rag_reassign;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON sessions USING (right(id::text, 1) IN ('1', '2', '5'));
SET ROLE regress_rag_reassign;
SELECT rag_reassign_sessions('alice', 'dave');
SELECT * FROM pg_temp.error(format('SELECT rag_reassign_sessions(%L, %L, %L)', 'alice', 'dave', :'s4'));
RESET ROLE;
SELECT pg_temp.owners();

DROP EXTENSION rag_events;
DROP OWNED BY regress_rag_reassign;
DROP ROLE regress_rag_reassign;
