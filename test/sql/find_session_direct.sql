-- Every message touches its session, whatever keeps the touch from being made
-- directly: the result is the same.
CREATE EXTENSION rag_events;
CREATE TABLE seen (kind text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen VALUES (TG_WHEN || ' ' || TG_OP);
  RETURN NEW;
END $$;
\set id '00000000-0000-4000-8000-000000000001'
SELECT rag_create_session(session_id => :'id', user_id => 'u', metadata => '{"title": "t"}');

-- Writes a message in a session that was last touched long ago, and says whether the
-- touch was made, left all else alone, and is found through every index.
CREATE FUNCTION touches(user_id text DEFAULT NULL) RETURNS TABLE (touched bool, kept bool, found bigint) LANGUAGE plpgsql AS $$
BEGIN
  ALTER TABLE sessions DISABLE TRIGGER USER;
  UPDATE sessions SET updated_at = '2001-01-01';
  ALTER TABLE sessions ENABLE TRIGGER USER;
  PERFORM rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'hi', user_id => touches.user_id);
  SET LOCAL enable_seqscan = off;
  RETURN QUERY SELECT bool_and(updated_at = LOCALTIMESTAMP), bool_and(s.user_id = 'u' AND metadata = '{"title": "t"}'), count(*)
    FROM sessions AS s WHERE id = '00000000-0000-4000-8000-000000000001';
END $$;
SELECT * FROM touches();
SELECT * FROM touches('u');
SELECT * FROM touches('somebody else');

-- Twice in a transaction, twice in a statement, and given up.
BEGIN;
SELECT count(rag_add_message(:'id', 'user', 'hi')) FROM generate_series(1, 3);
SAVEPOINT s;
SELECT * FROM touches();
ROLLBACK TO s;
SELECT * FROM touches();
COMMIT;

-- No more room on the page: the new version is on another, and in every index.
BEGIN;
INSERT INTO sessions (id, metadata) SELECT rag_uuidv7(), to_jsonb(repeat('x', 100)) FROM generate_series(1, 500);
SELECT count(rag_add_message(:'id', 'user', 'hi')) FROM generate_series(1, 300);
SET LOCAL enable_seqscan = off;
SELECT count(*) FROM sessions WHERE id = :'id';
SELECT count(*) FROM sessions WHERE user_id = 'u';
SELECT n_tup_hot_upd < n_tup_upd AS some_not_hot FROM pg_stat_xact_user_tables WHERE relname = 'sessions';
ROLLBACK;

-- What only an UPDATE knows.
CREATE INDEX by_time ON sessions (updated_at);
SELECT * FROM touches();
SELECT count(*) FROM sessions WHERE updated_at > LOCALTIMESTAMP - interval '1 minute';
DROP INDEX by_time;
CREATE INDEX by_day ON sessions (date_trunc('day', updated_at));
SELECT * FROM touches();
SET enable_seqscan = off;
SELECT count(*) FROM sessions WHERE date_trunc('day', updated_at) = date_trunc('day', LOCALTIMESTAMP);
RESET enable_seqscan;
DROP INDEX by_day;
CREATE TRIGGER note AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION note();
SELECT * FROM touches();
SELECT * FROM seen;
DROP TRIGGER note ON sessions;
TRUNCATE seen;
ALTER TABLE sessions ADD CONSTRAINT early CHECK (updated_at < '2010-01-01') NOT VALID;
\set VERBOSITY terse
SELECT * FROM touches();
\set VERBOSITY default
ALTER TABLE sessions DROP CONSTRAINT early;
CREATE RULE note AS ON UPDATE TO sessions DO ALSO INSERT INTO seen VALUES ('rule');
SELECT rag_add_message(:'id', 'user', 'hi') > 0 AS written;
SELECT * FROM seen;
DROP RULE note ON sessions;
ALTER TABLE sessions ADD day date GENERATED ALWAYS AS (updated_at::date) STORED;
SELECT * FROM touches();
SELECT count(*) FROM sessions WHERE day = updated_at::date;
ALTER TABLE sessions DROP COLUMN day;
SELECT * FROM touches();

-- Rights on a column are enough, none are not; and row security hides a session.
CREATE ROLE regress_touch;
GRANT INSERT ON messages TO regress_touch;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_touch;
GRANT SELECT (id), UPDATE (updated_at) ON sessions TO regress_touch;
SET ROLE regress_touch;
SELECT rag_add_message(:'id', 'user', 'hi') > 0 AS written;
RESET ROLE;
REVOKE UPDATE (updated_at) ON sessions FROM regress_touch;
SET ROLE regress_touch;
SELECT rag_add_message(:'id', 'user', 'hi') > 0 AS written;
RESET ROLE;
GRANT SELECT, UPDATE ON sessions TO regress_touch;
SET ROLE regress_touch;
SELECT rag_add_message(:'id', 'user', 'hi') > 0 AS written;
RESET ROLE;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
SET ROLE regress_touch;
SELECT rag_add_message(:'id', 'user', 'hi') > 0 AS written;
RESET ROLE;
DROP OWNED BY regress_touch;
DROP ROLE regress_touch;
