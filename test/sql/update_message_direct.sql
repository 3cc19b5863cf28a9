--
-- A message is changed directly where the table is plain for the caller, and by an UPDATE
-- where it is not. The result is the same. Only an UPDATE has a plan that the backend
-- keeps, and that tells which way was taken.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql
DROP ROLE IF EXISTS regress_rag_editor;
CREATE ROLE regress_rag_editor IN ROLE pg_read_all_stats;
\set s 00000000-0000-4000-8000-000000000001
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
-- Changes a message and tells the way, and whether it is there and the session touched.
CREATE FUNCTION change(OUT way text, OUT changed boolean, OUT touched boolean) LANGUAGE plpgsql AS $$
DECLARE
  new CONSTANT text := md5(random()::text);
BEGIN
  PERFORM rag_update_message('00000000-0000-4000-8000-000000000001', 1, content => new, token_count => 3);
  SELECT CASE count(*) WHEN 0 THEN 'directly' ELSE 'by UPDATE' END FROM pg_backend_memory_contexts
  WHERE ident LIKE 'UPDATE %.messages SET %' INTO way;
  SELECT content = new AND token_count = 3 FROM messages WHERE id = 1 INTO changed;
  SELECT updated_at = now()::timestamp FROM sessions WHERE id = '00000000-0000-4000-8000-000000000001' INTO touched;
END $$;
SELECT rag_add_messages(:'s', '[{"role": "user", "content": "first"}, {"role": "assistant", "content": "second", "sources": [1], "latency_ms": 1, "metadata": {"a": 1}}]', 'alice', true);
SELECT * FROM change();

--
-- The same result: a session for each way, and all kinds of changes
--
CREATE FUNCTION changes(session uuid, first bigint) RETURNS TABLE (n int, code text, message text, content text, sources jsonb, latency_ms float8, token_count int, metadata jsonb)
LANGUAGE plpgsql AS $$
DECLARE
  change text;
BEGIN
  n := 0;
  FOREACH change IN ARRAY ARRAY[
      'content => ''''', 'content => repeat(''long '', 50000)', 'sources => ''[{"a": 1}]''', 'sources => ''null''', 'sources => to_jsonb(repeat(''x'', 100000))',
      'latency_ms => 1.5', 'latency_ms => ''NaN''', 'latency_ms => -1', 'token_count => 5', 'token_count => -5', 'metadata => ''{"a": null, "b": 2}''', 'metadata => ''[]''',
      'content => ''x'', sources => ''[]'', latency_ms => 0, token_count => 0, metadata => ''{"c": 3}''', 'content => NULL', 'user_id => ''bob''', 'content => ''y'', user_id => ''alice''',
      'content => ''z'', user_id => ''bob''', 'sources => ''{}''', 'sources => ''"[]"'''] LOOP
    n := n + 1;
    BEGIN
      code := '00000';
      message := '';
      EXECUTE format('SELECT rag_update_message(%L, %s, %s)', session, first + n % 2, change);
    EXCEPTION WHEN OTHERS THEN
      code := SQLSTATE;
      message := replace(SQLERRM, session::text, 'SESSION');
    END;
    SELECT m.content, m.sources, m.latency_ms, m.token_count, m.metadata FROM messages AS m WHERE m.id = first + changes.n % 2
    INTO content, sources, latency_ms, token_count, metadata;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT rag_copy_session(:'s') AS one, rag_copy_session(:'s') AS two \gset
SELECT min(id) AS first_of_one FROM messages WHERE session_id = :'one' \gset
SELECT min(id) AS first_of_two FROM messages WHERE session_id = :'two' \gset
CREATE TEMPORARY TABLE directly AS SELECT * FROM changes(:'one', :first_of_one);
CREATE TRIGGER pass BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION pass();
CREATE TEMPORARY TABLE by_update AS SELECT * FROM changes(:'two', :first_of_two);
DROP TRIGGER pass ON messages;
SELECT count(*), count(*) FILTER (WHERE code = '00000') AS succeeded FROM directly;
TABLE directly EXCEPT TABLE by_update;
TABLE by_update EXCEPT TABLE directly;
-- Another session's message, and one that is not there.
SELECT d.code, d.message FROM (VALUES (:first_of_one), (0), (9223372036854775807)) AS v (id), LATERAL pg_temp.diagnose(format('SELECT rag_update_message(%L, %s, %L)', :'two', id, 'x')) AS d;

--
-- What is no reason for an UPDATE
--
\c
ALTER TABLE messages ALTER COLUMN id TYPE bigint, ADD COLUMN own text DEFAULT 'own';
CREATE TABLE rating (message_id bigint REFERENCES messages, n int);
CREATE INDEX ON messages (query_type) WHERE top_k > 0;
CREATE TRIGGER pass BEFORE INSERT OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pass();
SELECT * FROM change();
DROP TABLE rating;
DROP TRIGGER pass ON messages;
-- The primary key of a cluster's shards; and another session's message.
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (session_id, id); SELECT * FROM change();
SELECT rag_update_message(:'s', :first_of_one, 'x');
ROLLBACK;

--
-- What is one
--
BEGIN; CREATE TRIGGER pass AFTER UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION pass(); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages ADD CHECK (content <> 'nothing'); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; CREATE INDEX ON messages (md5(content)); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; CREATE INDEX ON messages (id) WHERE token_count > 0; SELECT * FROM change(); ROLLBACK;
\c
BEGIN; CREATE INDEX ON messages (id) INCLUDE (token_count); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages ADD COLUMN length int GENERATED ALWAYS AS (length(content)) STORED; SELECT * FROM change(); SELECT length FROM messages WHERE id = 1; ROLLBACK;
\c
BEGIN; CREATE TABLE child () INHERITS (messages); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; CREATE RULE log AS ON UPDATE TO messages DO ALSO NOTHING; SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages ALTER content TYPE varchar(50); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_pkey; SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (id, session_id); SELECT * FROM change(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey, ADD FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE DEFERRABLE; SELECT * FROM change(); ROLLBACK;
-- A row that the transaction has stored: the check of its foreign keys may be to come.
\c
BEGIN; UPDATE messages SET top_k = 1 WHERE id = 1; SELECT * FROM change(); ROLLBACK;
\c
BEGIN;
CREATE TABLE model (name text PRIMARY KEY);
ALTER TABLE messages ADD COLUMN model text REFERENCES model;
CREATE FUNCTION finish() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM rag_update_message(NEW.session_id, NEW.id, content => 'changed at once'); RETURN NULL; END $$;
CREATE TRIGGER "A first" AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION finish();
INSERT INTO messages (session_id, role, content, model) VALUES (:'s', 'user', 'x', 'none');
ROLLBACK;
\c
GRANT SELECT, UPDATE ON sessions TO regress_rag_editor;
GRANT SELECT, UPDATE (content, token_count) ON messages TO regress_rag_editor;
SET ROLE regress_rag_editor;
SELECT * FROM change();
RESET ROLE;
\c
GRANT UPDATE ON messages TO regress_rag_editor;
SET ROLE regress_rag_editor;
SELECT * FROM change();
RESET ROLE;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON messages USING (true) WITH CHECK (content <> '');
SET ROLE regress_rag_editor;
SELECT * FROM change();
RESET ROLE;

DROP EXTENSION rag_events;
DROP FUNCTION change, changes, pass;
DROP ROLE regress_rag_editor;
