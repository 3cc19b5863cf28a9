--
-- What a user puts onto the tables applies to the functions as to an INSERT of
-- his own: triggers, rules, row security, constraints and indexes.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_alice, regress_rag_bob;
CREATE EXTENSION rag_events;
\pset null '(null)'
\set s1 00000000-0000-4000-8000-000000000001
\set s2 00000000-0000-4000-8000-000000000002
\set s3 00000000-0000-4000-8000-000000000003
SELECT rag_create_session('alice', session_id => :'s1');
UPDATE sessions SET updated_at = '2001-01-01';

CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'P0042', MESSAGE = 'refused by ' || TG_NAME, DETAIL = 'The detail.', HINT = 'The hint.';
END $$;

--
-- A trigger that swallows the touch: the session is there all the same, and the
-- message is stored. Whose session it is still counts.
--
CREATE TRIGGER swallow BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT rag_add_message(:'s1', 'user', 'untouched');
SELECT rag_add_message(:'s1', 'user', 'untouched', user_id => 'alice');
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'s1', 'user', 'x', 'bob'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
SELECT updated_at = '2001-01-01' AS untouched FROM sessions;
DROP TRIGGER swallow ON sessions;

-- A rule that does the same.
CREATE RULE swallow AS ON UPDATE TO sessions DO INSTEAD NOTHING;
SELECT rag_add_message(:'s1', 'user', 'untouched', user_id => 'alice');
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'s1', 'user', 'x', 'bob'));
SELECT updated_at = '2001-01-01' AS untouched FROM sessions;
-- (A plan that a rule has emptied is not kept when the rule goes.)
BEGIN;
DROP RULE swallow ON sessions;
SELECT rag_add_message(:'s1', 'user', 'touched', user_id => 'alice');
SELECT updated_at > '2001-01-01' AS touched FROM sessions;
ROLLBACK;
-- if_not_exists is an INSERT … ON CONFLICT, and PostgreSQL has none beside rules.
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, NULL, %L, true)', 'alice', :'s1'));
DROP RULE swallow ON sessions;

-- A trigger that changes the touch.
CREATE FUNCTION pg_temp.redate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := '2002-02-02'; RETURN NEW; END $$;
CREATE TRIGGER redate BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.redate();
SELECT rag_add_message(:'s1', 'user', 'redated');
SELECT updated_at = '2002-02-02' AS redated FROM sessions;
DROP TRIGGER redate ON sessions;

--
-- A trigger that discards the row: there is no id to return, which is an error
--
CREATE TRIGGER swallow BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'x'));
DROP TRIGGER swallow ON messages;
CREATE TRIGGER swallow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT * FROM pg_temp.error($$SELECT rag_create_session('bob')$$);
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session('bob', if_not_exists => true)$$);
-- A session that is there already is returned.
SELECT rag_create_session('alice', session_id => :'s1', if_not_exists => true);
DROP TRIGGER swallow ON sessions;
CREATE RULE swallow AS ON INSERT TO messages DO INSTEAD NOTHING;
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'x'));
DROP RULE swallow ON messages;
BEGIN;
SELECT rag_add_message(:'s1', 'user', 'without the rule') > 0 AS stored;
ROLLBACK;

-- None of these changed anything.
SELECT count(*) AS sessions, (SELECT count(*) FROM messages) AS messages, max(updated_at) = '2002-02-02' AS untouched FROM sessions;

--
-- A trigger that raises: its error, in full
--
CREATE TRIGGER refuse AFTER INSERT ON messages FOR EACH ROW WHEN (NEW.content = 'rude') EXECUTE FUNCTION pg_temp.refuse();
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'rude'));
SELECT rag_add_message(:'s1', 'user', 'polite') > 0 AS stored;
DROP TRIGGER refuse ON messages;
CREATE TRIGGER refuse BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'x'));
DROP TRIGGER refuse ON sessions;
CREATE TRIGGER refuse BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session('bob')$$);
DROP TRIGGER refuse ON sessions;

-- One that changes the row, one that records it, one that calls the functions.
CREATE TEMPORARY TABLE audit (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION pg_temp.trim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.content := btrim(NEW.content); RETURN NEW; END $$;
CREATE FUNCTION pg_temp.audit() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN INSERT INTO pg_temp.audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
CREATE FUNCTION pg_temp.answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rag_add_message(NEW.session_id, 'assistant', 'Answer to: ' || NEW.content, user_id => 'alice');
  RETURN NULL;
END $$;
CREATE TRIGGER trim BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.trim();
CREATE TRIGGER audit AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.audit();
CREATE TRIGGER zz_answer AFTER INSERT ON messages FOR EACH ROW WHEN (NEW.role = 'user') EXECUTE FUNCTION pg_temp.answer();
TRUNCATE messages;
SELECT rag_add_message(:'s1', 'user', '  Question  ') > 0 AS stored;
SELECT role, content FROM messages ORDER BY id;
SELECT what FROM audit ORDER BY n;
DROP TRIGGER trim ON messages;
DROP TRIGGER audit ON messages;
DROP TRIGGER audit ON sessions;
DROP TRIGGER zz_answer ON messages;

-- One that calls the functions after every plan was invalidated, also that of the
-- statement that fires it.
CREATE FUNCTION pg_temp.invalidate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'CREATE SCHEMA regress_rag_' || NEW.id;
  EXECUTE 'DROP SCHEMA regress_rag_' || NEW.id;
  PERFORM rag_add_message(NEW.session_id, 'assistant', 'Answer to: ' || NEW.content);
  RETURN NULL;
END $$;
CREATE TRIGGER invalidate AFTER INSERT ON messages FOR EACH ROW WHEN (NEW.role = 'user') EXECUTE FUNCTION pg_temp.invalidate();
TRUNCATE messages;
SELECT count(rag_add_message(:'s1', 'user', 'Question ' || n)) AS stored FROM generate_series(1, 100) n;
SELECT role, count(*) FROM messages GROUP BY role ORDER BY role;
DROP TRIGGER invalidate ON messages;

--
-- Constraints and indexes of the user
--
DELETE FROM messages;
ALTER TABLE messages ADD CONSTRAINT short CHECK (length(content) <= 10);
SELECT rag_add_message(:'s1', 'user', '0123456789') > 0 AS stored;
SELECT code, message, "schema", "table", "constraint" FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'longer than that'));
ALTER TABLE messages DROP CONSTRAINT short;
CREATE UNIQUE INDEX once ON messages (session_id, content);
SELECT code, message, "schema", "table", "constraint" FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', '0123456789'));
DROP INDEX once;
ALTER TABLE sessions ADD CONSTRAINT known CHECK (user_id IN ('alice', 'bob'));
SELECT code, message, "constraint" FROM pg_temp.diagnose($$SELECT rag_create_session('mallory')$$);
SELECT code, message, "constraint" FROM pg_temp.diagnose($$SELECT rag_create_session('mallory', if_not_exists => true)$$);
ALTER TABLE sessions DROP CONSTRAINT known;
-- Another unique index does not make if_not_exists return somebody's session.
CREATE UNIQUE INDEX one_each ON sessions (user_id);
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, NULL, %L, true)', 'alice', :'s3'));
DROP INDEX one_each;
-- NOT NULL on what was nullable.
DELETE FROM messages;
ALTER TABLE messages ALTER COLUMN top_k SET NOT NULL;
SELECT code, message, "column" FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'x'));
ALTER TABLE messages ALTER COLUMN top_k DROP NOT NULL;
-- A deferred constraint trigger fires at commit.
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
BEGIN;
SELECT rag_add_message(:'s1', 'user', 'x') > 0 AS stored;
SELECT code, message FROM pg_temp.diagnose('SET CONSTRAINTS ALL IMMEDIATE');
ROLLBACK;
DROP TRIGGER refuse ON messages;
-- The foreign key's check deferred: the session must be there at the call all the same.
ALTER TABLE messages ALTER CONSTRAINT messages_session_id_fkey DEFERRABLE INITIALLY DEFERRED;
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
ALTER TABLE messages ALTER CONSTRAINT messages_session_id_fkey NOT DEFERRABLE;

--
-- Row security: what the caller may not see is not there, and no error shows a
-- key of it.
--
CREATE ROLE regress_rag_alice;
CREATE ROLE regress_rag_bob;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, messages TO regress_rag_alice, regress_rag_bob;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_alice, regress_rag_bob;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = replace(CURRENT_USER, 'regress_rag_', ''));
CREATE POLICY own ON messages USING (EXISTS (SELECT FROM sessions s WHERE s.id = session_id));
SELECT rag_create_session('bob', session_id => :'s2');
UPDATE sessions SET updated_at = '2001-01-01';

SET ROLE regress_rag_alice;
SELECT rag_add_message(:'s1', 'user', 'from alice') > 0 AS stored;
SELECT rag_add_message(:'s1', 'assistant', 'to alice', user_id => 'alice') > 0 AS stored;
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
SELECT count(DISTINCT (code, message, detail, hint, "schema", "table", "column", "constraint")) AS different_errors
FROM (VALUES (:'s2'::uuid, NULL), (:'s2', 'alice'), (:'s2', 'bob'), (:'s1', 'bob'), (:'s3', NULL), (:'s3', 'alice')) AS t (id, asking),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', id, 'user', 'x', asking)) d;
SELECT user_id, updated_at > '2001-01-01' AS touched FROM sessions;
SELECT count(*) FROM messages;
-- Sessions: only one's own; an id that is hidden exists, and no key is shown.
SELECT rag_create_session('alice', session_id => :'s3', if_not_exists => true);
SELECT rag_create_session('alice', session_id => :'s3', if_not_exists => true);
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session('bob')$$);
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_create_session()$$);
SELECT * FROM pg_temp.error(format('SELECT rag_create_session(%L, session_id => %L)', 'alice', :'s2'));
SELECT * FROM pg_temp.error(format('SELECT rag_create_session(%L, session_id => %L, if_not_exists => true)', 'alice', :'s2'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, session_id => %L, if_not_exists => true)', 'bob', :'s2'));
RESET ROLE;

-- A session that is seen and may not be changed takes no message.
CREATE POLICY all_seen ON sessions FOR SELECT USING (true);
SET ROLE regress_rag_alice;
SELECT count(*) AS seen FROM sessions;
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s2', 'user', 'x'));
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'s2', 'user', 'x', 'bob'));
SELECT * FROM pg_temp.error(format('SELECT rag_create_session(%L, session_id => %L, if_not_exists => true)', 'alice', :'s2'));
RESET ROLE;
DROP POLICY all_seen ON sessions;

-- A session that may be changed, and messages that may not be added.
DROP POLICY own ON messages;
CREATE POLICY read_only ON messages FOR SELECT USING (true);
SET ROLE regress_rag_alice;
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'x'));
RESET ROLE;

-- Who is not subject to row security sees keys again.
SELECT detail FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'s2', 'user', 'x', 'alice'));

DROP EXTENSION rag_events;
DROP ROLE regress_rag_alice, regress_rag_bob;
