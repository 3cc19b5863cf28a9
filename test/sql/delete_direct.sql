--
-- Sessions with their messages, and the last messages of a session, are deleted directly
-- where the tables are plain for the caller, and by DELETE where they are not. The result
-- is the same. Only a DELETE has a plan that the backend keeps, and that tells which way
-- was taken.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql
DROP ROLE IF EXISTS regress_rag_keeper;
CREATE ROLE regress_rag_keeper IN ROLE pg_read_all_stats;
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(OLD, NEW); END $$;
-- Three sessions of alice with 0, 1 and 2 messages (one of them large), and one of bob.
CREATE FUNCTION prepare() RETURNS void LANGUAGE sql AS $$
  DELETE FROM sessions;
  INSERT INTO sessions (id, user_id, created_at, updated_at) SELECT format('00000000-0000-4000-8000-00000000000%s', n)::uuid, CASE n WHEN 4 THEN 'bob' ELSE 'alice' END, '2020-01-01', '2020-01-02' FROM generate_series(1, 4) AS n;
  INSERT INTO messages (session_id, role, content) SELECT id, 'user', CASE i WHEN 2 THEN (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n) ELSE 'x' END
  FROM sessions, generate_series(1, right(id::text, 1)::int - 1) AS i;
$$;
-- Erases alice, and tells the way, the result, and what is left.
CREATE FUNCTION erase(OUT way text, OUT result text, OUT sessions_left bigint, OUT messages_left bigint) LANGUAGE plpgsql AS $$
BEGIN
  SELECT format('%s %s %s %s', e.sessions, e.messages, e.kept, e.more) INTO result FROM rag_erase_user('alice') AS e;
  SELECT CASE count(*) WHEN 0 THEN 'directly' ELSE 'by DELETE' END INTO way FROM pg_backend_memory_contexts WHERE ident LIKE 'DELETE FROM %.sessions WHERE id%';
  SELECT count(*) INTO sessions_left FROM sessions;
  SELECT count(*) INTO messages_left FROM messages;
END $$;
SELECT prepare();
\c
SELECT * FROM erase();
SELECT user_id FROM sessions;

-- Deletes from the second message of the session 4 on, and tells the same.
CREATE FUNCTION cut(OUT way text, OUT result bigint, OUT messages_left bigint) LANGUAGE plpgsql AS $$
BEGIN
  result := rag_delete_messages('00000000-0000-4000-8000-000000000004', (SELECT min(id) + 1 FROM messages WHERE session_id = '00000000-0000-4000-8000-000000000004'));
  SELECT CASE count(*) WHEN 0 THEN 'directly' ELSE 'by DELETE' END INTO way FROM pg_backend_memory_contexts WHERE ident LIKE 'DELETE FROM %.messages WHERE id%';
  SELECT count(*) INTO messages_left FROM messages;
END $$;
SELECT prepare();
\c
SELECT * FROM cut();
SELECT rag_delete_messages('00000000-0000-4000-8000-000000000004', NULL);
SELECT rag_delete_messages('00000000-0000-4000-8000-000000000004', 9223372036854775807), rag_delete_messages('00000000-0000-4000-8000-000000000003', -9223372036854775808);
SELECT right(session_id::text, 1) AS s, count(*) FROM messages GROUP BY 1 ORDER BY 1;

--
-- What is no reason for a DELETE
--
SELECT prepare();
\c
CREATE TRIGGER pass BEFORE INSERT OR UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION pass();
CREATE INDEX ON messages (md5(content));
ALTER TABLE messages ADD CHECK (content <> 'nothing'), ALTER id TYPE bigint, ADD own text DEFAULT 'own';
BEGIN; SELECT * FROM erase(); ROLLBACK;
BEGIN; SELECT * FROM cut(); ROLLBACK;
-- The foreign key is gone, or another one.
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey; SELECT * FROM erase(); ROLLBACK;
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey, ADD FOREIGN KEY (session_id) REFERENCES sessions DEFERRABLE INITIALLY DEFERRED; SELECT * FROM erase(); SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK;
DROP TRIGGER pass ON messages;

--
-- What is one
--
\c
BEGIN; CREATE TRIGGER pass BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pass(); SELECT * FROM erase(); SELECT * FROM cut(); ROLLBACK;
\c
BEGIN; CREATE TRIGGER pass AFTER DELETE ON sessions FOR EACH STATEMENT EXECUTE FUNCTION pass(); SELECT * FROM erase(); SELECT * FROM cut(); ROLLBACK;
\c
BEGIN; CREATE RULE log AS ON DELETE TO messages WHERE false DO ALSO NOTHING; SELECT * FROM erase(); ROLLBACK;
\c
BEGIN; CREATE TABLE child () INHERITS (messages); SELECT * FROM erase(); ROLLBACK;
\c
BEGIN; CREATE TABLE note (message_id bigint REFERENCES messages ON DELETE CASCADE); INSERT INTO note SELECT id FROM messages; SELECT * FROM erase(); SELECT count(*) FROM note; ROLLBACK;
\c
BEGIN; CREATE TABLE note (session_id uuid REFERENCES sessions ON DELETE CASCADE); INSERT INTO note SELECT id FROM sessions; SELECT * FROM erase(); SELECT count(*) FROM note; ROLLBACK;
\c
BEGIN; ALTER TABLE messages ADD parent uuid REFERENCES sessions ON DELETE SET NULL; UPDATE messages SET parent = '00000000-0000-4000-8000-000000000001'; SELECT * FROM erase(); SELECT parent FROM messages; ROLLBACK;
\c
BEGIN; DROP INDEX ix_messages_session_id; DROP INDEX ix_messages_session_created; DROP INDEX uq_messages_idempotency_key; SELECT * FROM erase(); SELECT * FROM cut(); ROLLBACK;
\c
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM erase(); SELECT * FROM cut(); ROLLBACK;
\c
GRANT SELECT, UPDATE, DELETE ON sessions TO regress_rag_keeper;
GRANT SELECT (session_id), DELETE ON messages TO regress_rag_keeper;
-- erase() counts all, which that role may do as well.
GRANT SELECT ON messages TO regress_rag_keeper;
BEGIN; SET ROLE regress_rag_keeper; SELECT * FROM erase(); SELECT * FROM cut(); ROLLBACK;
\c
REVOKE DELETE ON messages FROM regress_rag_keeper;
BEGIN; SET ROLE regress_rag_keeper; SELECT * FROM erase(); ROLLBACK;
\c
GRANT DELETE ON messages TO regress_rag_keeper;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON messages USING (content = 'x');
BEGIN; SET ROLE regress_rag_keeper; SELECT * FROM erase(); SELECT * FROM cut(); RESET ROLE; SELECT count(*) FROM messages; ROLLBACK;
-- A publication wants an identity of what is deleted.
\c
ALTER TABLE messages DISABLE ROW LEVEL SECURITY, REPLICA IDENTITY NOTHING;
SET client_min_messages = error;
CREATE PUBLICATION regress_rag_publication FOR TABLE messages;
BEGIN; SELECT rag_erase_user('alice'); ROLLBACK;
DROP PUBLICATION regress_rag_publication;

ALTER TABLE messages REPLICA IDENTITY DEFAULT;

--
-- Feedback: a DELETE, where there is any in the session
--
-- Deletes the last message of the session 4, and tells that way, and what feedback is left.
CREATE FUNCTION take_back(OUT way text, OUT deleted bigint, OUT feedback_left bigint) LANGUAGE plpgsql AS $$
BEGIN
  deleted := rag_delete_messages('00000000-0000-4000-8000-000000000004', (SELECT max(id) FROM messages WHERE session_id = '00000000-0000-4000-8000-000000000004'));
  SELECT CASE count(*) WHEN 0 THEN 'no DELETE' ELSE 'DELETE' END INTO way FROM pg_backend_memory_contexts WHERE ident ~ '^[^S]*DELETE FROM [^ ]*rag_feedback';
  SELECT count(*) INTO feedback_left FROM rag_feedback;
END $$;
-- A vote on the first and one on the last message of a session.
CREATE FUNCTION vote(n int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO rag_feedback (session_id, message_id, name, score)
  SELECT session_id, unnest(ARRAY[min(id), max(id)]), 'user', 1 FROM messages WHERE right(session_id::text, 1) = n::text GROUP BY session_id
$$;
SELECT prepare();
\c
BEGIN; SELECT * FROM take_back(); ROLLBACK;
BEGIN; SELECT vote(3); SELECT * FROM take_back(); ROLLBACK;
BEGIN; SELECT vote(3); SELECT rag_delete_session('00000000-0000-4000-8000-000000000004'); SELECT rag_delete_session('00000000-0000-4000-8000-000000000003'); SELECT count(*) FROM rag_feedback; ROLLBACK;
BEGIN; SELECT vote(4); SELECT * FROM take_back(); ROLLBACK;
-- In one transaction, the one that has just come.
\c
BEGIN; SELECT * FROM take_back(); SELECT vote(4); SELECT * FROM take_back(); ROLLBACK;
-- Whatever sees a DELETE of nothing.
\c
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE INFO '% of %', TG_OP, TG_TABLE_NAME; RETURN NULL; END $$;
BEGIN; CREATE TRIGGER tell AFTER DELETE ON rag_feedback FOR EACH STATEMENT EXECUTE FUNCTION tell(); SELECT * FROM take_back(); SELECT rag_delete_session('00000000-0000-4000-8000-000000000004'); ROLLBACK;
\c
BEGIN; CREATE RULE log AS ON DELETE TO rag_feedback WHERE false DO ALSO NOTHING; SELECT * FROM take_back(); ROLLBACK;
-- The table is no longer the extension's, or another one has its name, since sessions were last deleted: what was said of a session goes with it.
\c
BEGIN; SELECT vote(4); SELECT rag_delete_session('00000000-0000-4000-8000-000000000001'); ALTER EXTENSION rag_events DROP TABLE rag_feedback; SELECT rag_delete_session('00000000-0000-4000-8000-000000000004'); SELECT count(*) FROM rag_feedback; ROLLBACK;
BEGIN; SELECT vote(4); SELECT rag_delete_session('00000000-0000-4000-8000-000000000001'); ALTER TABLE rag_feedback RENAME TO judged; CREATE TABLE rag_feedback (session_id uuid PRIMARY KEY); SELECT rag_delete_session('00000000-0000-4000-8000-000000000004'); SELECT count(*) FROM judged; ROLLBACK;
BEGIN; SELECT vote(4); SELECT rag_delete_session('00000000-0000-4000-8000-000000000001'); ALTER TABLE rag_feedback RENAME TO judged; SELECT rag_delete_session('00000000-0000-4000-8000-000000000004'); SELECT count(*) FROM judged; ROLLBACK;
-- A table, a view or a sequence of somebody's own.
\c
ALTER EXTENSION rag_events DROP TABLE rag_feedback;
ALTER TABLE rag_feedback RENAME TO judged;
BEGIN; ALTER TABLE judged RENAME TO rag_feedback; SELECT vote(4); SELECT * FROM take_back(); ROLLBACK;
BEGIN; CREATE VIEW rag_feedback AS TABLE judged; SELECT vote(4); SELECT * FROM take_back(); ROLLBACK;
BEGIN; CREATE SEQUENCE rag_feedback; SELECT rag_delete_messages('00000000-0000-4000-8000-000000000004', 0); ROLLBACK;

DROP TABLE judged;
DROP EXTENSION rag_events;
DROP FUNCTION prepare, erase, cut, pass, tell, take_back, vote;
DROP OWNED BY regress_rag_keeper;
DROP ROLE regress_rag_keeper;
