--
-- The message with a key is found directly where the table is plain for the caller, and by
-- a SELECT where it is not. The result is the same. Only a SELECT has a plan that the
-- backend keeps, and that tells which way was taken.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql
DROP ROLE IF EXISTS regress_rag_putter;
CREATE ROLE regress_rag_putter IN ROLE pg_read_all_stats;
\set s 00000000-0000-4000-8000-000000000001
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
SELECT rag_create_session('alice', session_id => :'s'), rag_create_session('alice', session_id => :'alice');
SELECT rag_add_messages(:'s', '[{"role": "user", "content": "first", "idempotency_key": "k"}, {"role": "assistant", "content": "second"}]');
SELECT rag_add_message(:'alice', 'user', 'of another session', idempotency_key => 'other');
-- Puts the message 1 and tells the way, and whether it is that one.
CREATE FUNCTION put(OUT way text, OUT same boolean, OUT changed boolean) LANGUAGE plpgsql AS $$
DECLARE
  new CONSTANT text := md5(random()::text);
BEGIN
  same := rag_put_message('00000000-0000-4000-8000-000000000001', 'k', 'user', new) = 1;
  SELECT CASE count(*) WHEN 0 THEN 'directly' ELSE 'by SELECT' END FROM pg_backend_memory_contexts WHERE ident LIKE 'SELECT m.* FROM pg_catalog.unnest(%' INTO way;
  SELECT content = new FROM messages WHERE id = 1 INTO changed;
END $$;
\c
SELECT * FROM put();

--
-- The same result: a session for each way, and all kinds of keys
--
CREATE FUNCTION puts(session uuid) RETURNS TABLE (n int, code text, message text, place bigint, total bigint) LANGUAGE plpgsql AS $$
DECLARE
  key text;
  put bigint;
BEGIN
  n := 0;
  FOREACH key IN ARRAY ARRAY['a', 'a', 'A', ' a', 'é', 'é', U&'e\0301', repeat('k', 255), repeat('k', 255), repeat('k', 256), '', 'other', 'a', NULL] LOOP
    n := n + 1;
    BEGIN
      code := '00000';
      message := '';
      put := rag_put_message(session, key, CASE n WHEN 13 THEN 'assistant' ELSE 'user' END, n::text);
      SELECT count(*) INTO place FROM messages WHERE session_id = session AND id <= put;
    EXCEPTION WHEN OTHERS THEN
      code := SQLSTATE;
      message := SQLERRM;
    END;
    SELECT count(*) INTO total FROM messages WHERE session_id = session;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT rag_create_session() AS one, rag_create_session() AS two \gset
CREATE TEMPORARY TABLE directly AS SELECT * FROM puts(:'one');
CREATE RULE nothing AS ON DELETE TO messages WHERE false DO INSTEAD NOTHING;
CREATE TEMPORARY TABLE by_select AS SELECT * FROM puts(:'two');
DROP RULE nothing ON messages;
SELECT n, code, total FROM directly;
TABLE directly EXCEPT TABLE by_select;
TABLE by_select EXCEPT TABLE directly;

--
-- What is no reason for a SELECT
--
\c
ALTER TABLE messages ALTER COLUMN id TYPE bigint, ADD COLUMN own text DEFAULT 'own';
CREATE TRIGGER pass BEFORE INSERT OR UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pass();
CREATE INDEX ON messages (query_type) WHERE top_k > 0;
SELECT * FROM put();
DROP TRIGGER pass ON messages;
REINDEX TABLE messages;
SELECT * FROM put();
-- Another index that has all keys.
BEGIN; CREATE UNIQUE INDEX ON messages (session_id, idempotency_key); DROP INDEX uq_messages_idempotency_key; SELECT * FROM put(); ROLLBACK;

--
-- What is one
--
\c
BEGIN; CREATE TABLE child () INHERITS (messages); SELECT * FROM put(); ROLLBACK;
\c
BEGIN; CREATE RULE log AS ON UPDATE TO messages WHERE false DO ALSO NOTHING; SELECT * FROM put(); ROLLBACK;
\c
BEGIN; DROP INDEX uq_messages_idempotency_key; SELECT * FROM put(); ROLLBACK;
\c
BEGIN; DROP INDEX uq_messages_idempotency_key; CREATE UNIQUE INDEX ON messages (session_id, idempotency_key) WHERE role = 'user'; SELECT * FROM put(); ROLLBACK;
\c
BEGIN; DROP INDEX uq_messages_idempotency_key; CREATE UNIQUE INDEX ON messages (idempotency_key, session_id); SELECT * FROM put(); ROLLBACK;
\c
BEGIN; DROP INDEX uq_messages_idempotency_key; CREATE INDEX ON messages (session_id, idempotency_key); SELECT * FROM put(); ROLLBACK;
\c
BEGIN; ALTER TABLE messages ALTER idempotency_key TYPE varchar(300); SELECT * FROM put(); ROLLBACK;
\c
GRANT SELECT, UPDATE ON sessions TO regress_rag_putter;
GRANT SELECT (id, session_id, role, content, idempotency_key), UPDATE ON messages TO regress_rag_putter;
SET ROLE regress_rag_putter;
SELECT * FROM put();
RESET ROLE;
\c
GRANT SELECT ON messages TO regress_rag_putter;
SET ROLE regress_rag_putter;
SELECT * FROM put();
RESET ROLE;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON messages USING (true);
SET ROLE regress_rag_putter;
SELECT * FROM put();
RESET ROLE;
\c
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
-- A key in a collation in which two strings may be equal that are not the same. (A
-- server without ICU has none.)
SELECT 'by SELECT' AS way, count(*) > 0 AS icu FROM pg_collation WHERE collprovider = 'i' \gset
BEGIN;
\if :icu
\set way failed
DELETE FROM messages WHERE id > 2;
CREATE COLLATION regress_rag_loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
DROP INDEX uq_messages_idempotency_key;
ALTER TABLE messages ALTER idempotency_key TYPE varchar COLLATE regress_rag_loose;
CREATE UNIQUE INDEX ON messages (session_id, idempotency_key);
SELECT * FROM put() \gset
\endif
ROLLBACK;
SELECT :'way' AS way;

DROP EXTENSION rag_events;
DROP FUNCTION put, puts, pass;
DROP ROLE regress_rag_putter;
