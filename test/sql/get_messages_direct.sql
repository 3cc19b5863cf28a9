--
-- A page of messages is read directly where the table is plain for the caller, and by a
-- SELECT where it is not. Both give the same, and whatever is done to the table.
--
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_reader;
CREATE ROLE regress_rag_reader;
CREATE EXTENSION rag_events;
\set VERBOSITY sqlstate
\set s 00000000-0000-4000-8000-000000000001
\set t 00000000-0000-4000-8000-000000000002
SELECT rag_create_session('alice', NULL, :'s') = :'s' AND rag_create_session('bob', NULL, :'t') = :'t' AS created;
-- Two sessions in turn, with everything that a message may have, out of line or not.
SELECT count(rag_add_message(CASE n % 3 WHEN 0 THEN :'t' ELSE :'s' END::uuid, CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
    CASE n % 7 WHEN 0 THEN long ELSE 'no ' || n END, CASE n % 4 WHEN 0 THEN to_jsonb(long) WHEN 1 THEN 'null' END,
    CASE n % 5 WHEN 0 THEN n / 7.0 END, CASE n % 2 WHEN 0 THEN n END, CASE n % 6 WHEN 0 THEN 'kind ' || n END, NULL,
    CASE n % 8 WHEN 0 THEN n END, CASE n % 9 WHEN 0 THEN jsonb_build_object('n', n) END, CASE n % 10 WHEN 0 THEN 'k' || n END))
FROM generate_series(1, 120) AS n, LATERAL (SELECT string_agg(md5(n || ' ' || i), '') AS long FROM generate_series(1, 100) AS i) AS l;

-- Pages of all kinds, as text.
CREATE FUNCTION pages() RETURNS TABLE (call text, result text) LANGUAGE plpgsql AS $$
BEGIN
  FOR call IN
    SELECT format(f, s, coalesce(quote_literal(id), 'NULL'), coalesce(n, 'NULL'), with_sources)
    FROM (VALUES ('rag_get_messages_after(%L, %s, %s, include_sources => %s)'),
                 ('rag_get_messages(%1$L, before_id => %2$s, max_messages => %3$s, include_sources => %4$s)'),
                 ('rag_get_context(%1$L, CASE WHEN %4$s THEN 500 END, after_id => %2$s, max_messages => %3$s)')) AS f (f),
      unnest('{00000000-0000-4000-8000-000000000001,00000000-0000-4000-8000-000000000002}'::uuid[]) AS s,
      unnest('{NULL,-1,0,1,60,61,119,120,121,9223372036854775807,-9223372036854775808}'::bigint[]) AS id,
      unnest('{0,1,7,1000,1001,NULL}'::text[]) AS n, unnest('{true,false}'::text[]) AS with_sources
  LOOP
    EXECUTE format('SELECT string_agg(m::text, E''\n'') FROM %s AS m', call) INTO result;
    RETURN NEXT;
  END LOOP;
END $$;

-- One who writes for a replica goes by SELECT; "local" is else the same as "origin".
CREATE FUNCTION compare(OUT calls bigint, OUT rows bigint, OUT differences bigint) LANGUAGE plpgsql AS $$
DECLARE
  directly jsonb;
  by_select jsonb;
BEGIN
  SELECT jsonb_object_agg(call, p.result) FROM pages() AS p INTO directly;
  SET session_replication_role = local;
  SELECT jsonb_object_agg(call, p.result) FROM pages() AS p INTO by_select;
  RESET session_replication_role;
  SELECT count(*), sum(regexp_count(d.value, '^\(', 1, 'n')), count(*) FILTER (WHERE d.value IS DISTINCT FROM s.value)
  FROM jsonb_each_text(directly) AS d JOIN jsonb_each_text(by_select) AS s USING (key) INTO calls, rows, differences;
END $$;

-- Only a SELECT has a plan, that the backend then keeps.
CREATE FUNCTION way(OUT way text, OUT rows bigint) LANGUAGE plpgsql AS $$
BEGIN
  SELECT count(*) FROM rag_get_messages('00000000-0000-4000-8000-000000000001', 3) INTO rows;
  SELECT CASE count(*) WHEN 0 THEN 'directly' ELSE 'by SELECT' END FROM pg_backend_memory_contexts
  WHERE ident LIKE 'SELECT * FROM (SELECT id::pg_catalog.int8 AS id,%' INTO way;
END $$;

SELECT * FROM way();
SELECT * FROM compare();
-- The first and the last id that there can be, without a limit; a limit leaves them out.
BEGIN;
ALTER TABLE messages ALTER id TYPE bigint;
INSERT INTO messages (id, session_id, role, content)
VALUES (9223372036854775807, :'s', 'user', 'last'), (-9223372036854775808, :'s', 'user', 'first');
SELECT * FROM compare();
SELECT max(id) FROM rag_get_messages(:'s', 1);
SELECT min(id) FROM rag_get_messages_after(:'s', NULL, 1);
SELECT min(id) FROM rag_get_context(:'s', NULL);
SELECT max(id) < 9223372036854775807 AS before FROM rag_get_messages(:'s', 1, before_id => 9223372036854775807);
SELECT min(id) > -9223372036854775808 AS after FROM rag_get_messages_after(:'s', -9223372036854775808, 1);
SELECT min(id) > -9223372036854775808 AS after FROM rag_get_context(:'s', NULL, after_id => -9223372036854775808);
ROLLBACK;
-- It is what the calling query sees.
SELECT (SELECT count(*) FROM rag_get_messages(:'s', NULL)) AS before, rag_add_message(:'s', 'user', 'new') > 0 AS added,
       (SELECT count(*) FROM rag_get_messages(:'s', 1000)) AS after;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM rag_get_messages(:'s', 1000);
ROLLBACK;
-- And in the middle of a session that is being deleted, or in one that has gone.
BEGIN;
DELETE FROM messages WHERE session_id = :'s' AND id > 100;
SELECT max(id) FROM rag_get_messages(:'s');
DELETE FROM sessions WHERE id = :'s';
SELECT * FROM rag_get_messages(:'s');
ROLLBACK;
SELECT * FROM rag_get_messages(:'s', user_id => 'bob');

--
-- The table changes: still directly
--
ALTER TABLE messages ADD COLUMN mood text NOT NULL DEFAULT 'calm', ADD COLUMN other int;
ALTER TABLE messages DROP COLUMN other;
CREATE INDEX own ON messages (session_id, id DESC);
\c
SELECT * FROM way();
SELECT * FROM compare();
-- A column that was added later than the rows.
ALTER TABLE messages DROP COLUMN top_k;
ALTER TABLE messages ADD COLUMN top_k int DEFAULT 5;
ALTER TABLE messages ALTER COLUMN id TYPE bigint, ALTER COLUMN query_type TYPE text;
\c
SELECT * FROM way();
SELECT * FROM compare();
SELECT id, top_k, query_type FROM rag_get_messages(:'s', 2);

--
-- By SELECT: there is no such index, or another type; a part of the rights, a policy
--
ALTER TABLE messages ALTER COLUMN token_count TYPE bigint;
\c
SELECT * FROM way();
ALTER TABLE messages ALTER COLUMN token_count TYPE int;
SELECT count(*) FROM rag_get_messages(:'s', 3);
DROP INDEX ix_messages_session_id;
\c
SELECT * FROM way();
SELECT * FROM compare();
CREATE INDEX ix_messages_session_id ON messages (session_id, id) WHERE id > 0;
\c
SELECT * FROM way();
DROP INDEX ix_messages_session_id;
CREATE INDEX ix_messages_session_id ON messages (session_id, id);
\c
SELECT * FROM way();

GRANT pg_read_all_stats TO regress_rag_reader;
GRANT SELECT ON sessions TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT * FROM way();
RESET ROLE;
GRANT SELECT (id, session_id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key)
  ON messages TO regress_rag_reader;
SET ROLE regress_rag_reader;
SELECT * FROM way();
RESET ROLE;
GRANT SELECT ON messages TO regress_rag_reader;
\c
SET ROLE regress_rag_reader;
SELECT * FROM way();
RESET ROLE;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_ones ON messages USING (id < 3);
SET ROLE regress_rag_reader;
SELECT * FROM way();
RESET ROLE;
\c
SELECT * FROM way();
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
-- A child has rows of its own.
CREATE TABLE child () INHERITS (messages);
INSERT INTO child (session_id, role, content) VALUES (:'s', 'user', 'of the child');
\c
SELECT * FROM way();
SELECT content FROM rag_get_messages(:'s', 1);
-- A view in the place of the table.
DROP TABLE child;
ALTER TABLE messages RENAME TO messages_of_all;
CREATE VIEW messages AS SELECT * FROM messages_of_all WHERE id <> 2;
\c
SELECT * FROM way();
SELECT array_agg(id) FROM rag_get_messages_after(:'s', NULL, 3);
DROP VIEW messages;
ALTER TABLE messages_of_all RENAME TO messages;

DROP EXTENSION rag_events;
DROP FUNCTION pages, compare, way;
DROP ROLE regress_rag_reader;
