--
-- Retention and erasure: rag_expire_sessions() and rag_erase_user().
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname IN ('rag_expire_sessions', 'rag_erase_user') ORDER BY 1;

-- Sessions 1 to 9, the last activity of n 100 - n days ago, created 10 days before, each
-- with n messages. Even ones are alice's; 3 is pinned, 4 and 5 are held.
CREATE FUNCTION pg_temp.start() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sessions;
  INSERT INTO sessions (id, user_id, created_at, updated_at, metadata)
  SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, CASE n % 2 WHEN 0 THEN 'alice' ELSE 'bob' END,
         LOCALTIMESTAMP - (110 - n) * interval '1 day', LOCALTIMESTAMP - (100 - n) * interval '1 day',
         CASE n WHEN 3 THEN '{"pinned": true, "title": "x"}' WHEN 4 THEN '{"hold": "case 7"}' WHEN 5 THEN '{"hold": "case 8"}' WHEN 6 THEN '[1]' END::jsonb
  FROM generate_series(1, 9) AS n;
  INSERT INTO messages (session_id, role, content) SELECT id, 'user', 'x' FROM sessions, generate_series(1, right(id::text, 1)::int);
END $$;
CREATE FUNCTION pg_temp.left_over() RETURNS text LANGUAGE sql AS $$
  SELECT concat((SELECT string_agg(right(id::text, 1), ' ' ORDER BY id) FROM sessions), ' / ', (SELECT count(*) FROM messages))
$$;
CREATE FUNCTION pg_temp.expire(older_than interval, max int DEFAULT 1000, keep jsonb DEFAULT NULL, dry_run bool DEFAULT false)
RETURNS TABLE (sessions bigint, messages bigint, oldest_days int, more bool) LANGUAGE sql AS $$
  SELECT sessions, messages, extract(day FROM LOCALTIMESTAMP - oldest)::int, more FROM rag_expire_sessions(older_than, max, keep, dry_run)
$$;

--
-- Expiring
--
SELECT pg_temp.start();
SELECT * FROM pg_temp.expire('94 days', dry_run => true);
SELECT pg_temp.left_over();
SELECT * FROM pg_temp.expire('94 days', 2);
SELECT pg_temp.left_over();
SELECT * FROM pg_temp.expire('94 days', 2);
SELECT * FROM pg_temp.expire('94 days', 2);
SELECT * FROM pg_temp.expire('94 days', 2);
SELECT pg_temp.left_over();
-- What is kept
SELECT pg_temp.start();
SELECT * FROM pg_temp.expire('1 day', keep => '{"pinned": true}', dry_run => true);
SELECT * FROM pg_temp.expire('1 day', keep => '[{"pinned": true}, {"hold": "case 7"}]', dry_run => true);
SELECT * FROM pg_temp.expire('1 day', keep => '[]', dry_run => true);
SELECT * FROM pg_temp.expire('1 day', keep => '[{"pinned": true}, {"hold": "case 7"}, {"hold": "case 8"}]');
SELECT pg_temp.left_over();
-- The last activity counts, and not when a session was created.
SELECT pg_temp.start();
SELECT rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'awake');
SELECT * FROM pg_temp.expire('97 days');
SELECT pg_temp.left_over();
-- One that is said to have been created after it was active last stays until both are long ago.
SELECT rag_import_session('{"created_at": "2016-01-01", "updated_at": "2010-01-01", "messages": []}') AS odd \gset
SELECT sessions, oldest FROM rag_expire_sessions(LOCALTIMESTAMP - timestamp '2015-01-01', dry_run => true);
SELECT oldest FROM rag_expire_sessions('1 us', dry_run => true);
SELECT rag_delete_session(:'odd');
-- All at once; none; and nothing left.
SELECT * FROM pg_temp.expire('1 day', NULL);
SELECT * FROM pg_temp.expire('1 day', 0);
SELECT pg_temp.left_over();
SELECT pg_temp.start();
SELECT * FROM pg_temp.expire('1 day', 0);
SELECT * FROM pg_temp.expire('1000 years');
SELECT * FROM pg_temp.expire('1 hour');
SELECT pg_temp.left_over();

--
-- Erasing
--
SELECT pg_temp.start();
SELECT * FROM rag_erase_user('alice', dry_run => true);
SELECT * FROM rag_erase_user('alice', '{"hold": "case 7"}', 2);
SELECT pg_temp.left_over();
SELECT * FROM rag_erase_user('alice', '{"hold": "case 7"}', 2);
SELECT * FROM rag_erase_user('alice', keep => '[{"hold": "case 7"}, {"hold": "case 8"}]');
SELECT * FROM rag_erase_user('alice');
SELECT pg_temp.left_over();
SELECT * FROM rag_erase_user('alice');
SELECT * FROM rag_erase_user('');
SELECT * FROM rag_erase_user('bob', max_sessions => 0);
-- Nothing names the user any more. These are the columns that can hold a user's id: one
-- that is new must be erased, too, and be named here.
SELECT c.relname, a.attname FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relkind IN ('r', 'p', 'm')
  AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'name'::regtype, 'jsonb'::regtype)
ORDER BY 1, 2;

--
-- Errors
--
SELECT pg_temp.start();
SELECT * FROM pg_temp.error('SELECT rag_expire_sessions(NULL)');
SELECT * FROM pg_temp.error('SELECT rag_expire_sessions(''0'')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_expire_sessions(''-1 day'')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_expire_sessions(''1 month -31 days'')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_expire_sessions(''2 months -59 days -12:00'')') WHERE LOCALTIMESTAMP - interval '2 months -59 days -12:00' >= LOCALTIMESTAMP AND code <> '22023';
SELECT code, message FROM pg_temp.diagnose('SELECT rag_expire_sessions(''178000000 years'')');
SELECT * FROM pg_temp.error('SELECT rag_expire_sessions(''1 day'', -1)');
SELECT * FROM pg_temp.error('SELECT rag_expire_sessions(''1 day'', keep => ''{}'')');
SELECT code FROM unnest(ARRAY['null', '1', '"x"', '[1]', '[{}]', '[[{"a": 1}]]', '"{\"a\": 1}"']) AS k, pg_temp.diagnose(format('SELECT rag_expire_sessions(''1 day'', keep => %L)', k));
SELECT * FROM pg_temp.error('SELECT rag_erase_user(''alice'', ''"{\"a\": 1}"'')');
SELECT * FROM pg_temp.error('SELECT rag_erase_user(NULL)');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_erase_user(''alice'', max_sessions => -1)');
SELECT pg_temp.left_over();

--
-- What the user attached to the tables applies
--
-- A trigger that keeps a session: nothing is deleted, and its messages neither.
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF right(OLD.id::text, 1) = ''2'' THEN RETURN NULL; END IF; RETURN OLD; END';
CREATE FUNCTION pg_temp.keep_all() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.keep();
SELECT * FROM pg_temp.error('SELECT rag_expire_sessions(''1 day'')');
SELECT * FROM pg_temp.error('SELECT rag_erase_user(''alice'')');
SELECT pg_temp.left_over();
SELECT * FROM rag_erase_user('bob');
DROP TRIGGER keep ON sessions;
-- One that archives: the messages are there when it runs.
CREATE TEMP TABLE archive (id uuid, messages bigint);
CREATE FUNCTION pg_temp.archive() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO archive SELECT OLD.id, count(*) FROM messages WHERE session_id = OLD.id; RETURN OLD; END';
CREATE TRIGGER archive BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.archive();
SELECT * FROM rag_erase_user('alice');
SELECT right(id::text, 1) AS s, messages FROM archive ORDER BY 1;
SELECT pg_temp.left_over();
DROP TRIGGER archive ON sessions;
-- A trigger that keeps a message: it would outlive its session.
SELECT pg_temp.start();
CREATE TRIGGER keep BEFORE DELETE ON messages FOR EACH ROW WHEN (OLD.session_id = '00000000-0000-4000-8000-000000000008') EXECUTE FUNCTION pg_temp.keep_all();
SELECT * FROM pg_temp.error('SELECT rag_erase_user(''alice'')');
SELECT code FROM pg_temp.diagnose('SELECT rag_expire_sessions(''1 day'')');
SELECT pg_temp.left_over();
DROP TRIGGER keep ON messages;
-- Messages of a foreign key that is gone are deleted as well.
SELECT pg_temp.start();
ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey;
SELECT * FROM rag_erase_user('alice');
SELECT pg_temp.left_over();
ALTER TABLE messages ADD CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;

--
-- Row security: what a policy hides is neither expired nor erased, nor counted as kept
--
SELECT pg_temp.start();
CREATE ROLE regress_rag_keeper;
GRANT SELECT, UPDATE, DELETE ON sessions TO regress_rag_keeper;
GRANT SELECT ON messages TO regress_rag_keeper;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON sessions USING (right(id::text, 1) NOT IN ('2', '4'));
SET ROLE regress_rag_keeper;
SELECT * FROM rag_erase_user('alice', '{"hold": "case 7"}');
SELECT * FROM pg_temp.expire('1 day', keep => '{"pinned": true}');
RESET ROLE;
SELECT pg_temp.left_over();
-- A policy for DELETE alone.
DROP POLICY p ON sessions;
CREATE POLICY p ON sessions USING (true);
CREATE POLICY d ON sessions AS RESTRICTIVE FOR DELETE USING (right(id::text, 1) <> '2');
SET ROLE regress_rag_keeper;
SELECT code, message FROM pg_temp.diagnose('SELECT rag_erase_user(''alice'')');
RESET ROLE;
SELECT pg_temp.left_over();

-- A policy for UPDATE, which applies to locks: what is seen is not erased, and not silently.
DROP POLICY d ON sessions;
DROP POLICY p ON sessions;
CREATE POLICY p ON sessions FOR SELECT USING (true);
CREATE POLICY d ON sessions FOR DELETE USING (true);
SET ROLE regress_rag_keeper;
SELECT sessions FROM rag_erase_user('alice', dry_run => true);
SELECT code, message FROM pg_temp.diagnose('SELECT rag_erase_user(''alice'')');
RESET ROLE;
ALTER TABLE sessions DISABLE ROW LEVEL SECURITY;

-- A document without a time of creation: the session was there by its last activity.
SELECT rag_import_session('{"updated_at": "2020-01-01", "messages": [{"role": "user", "content": "x", "created_at": "2020-01-01"}]}', 'old') IS NOT NULL AS imported;
SELECT sessions, messages, oldest FROM rag_expire_sessions('3 years', dry_run => true);

DROP EXTENSION rag_events;
DROP OWNED BY regress_rag_keeper;
DROP ROLE regress_rag_keeper;
