--
-- rag_copy_session(): a branch of a conversation. What is copied and what is not, in
-- which order, where a summary ends, and that the source is left alone.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_copier;
CREATE EXTENSION rag_events;
\pset null '(null)'

\set alice  00000000-0000-4000-8000-00000000000a
\set bob    00000000-0000-4000-8000-00000000000b
\set none   00000000-0000-4000-8000-00000000ffff
SELECT rag_create_session('alice', '{"title": "Cars", "system_prompt": "Be brief."}', :'alice'),
       rag_create_session('bob', session_id => :'bob');

-- Parameters are API: their names, order and defaults.
SELECT regexp_split_to_table(pg_get_function_arguments(oid), ', ') AS argument
FROM pg_proc WHERE proname = 'rag_copy_session';
SELECT pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel
FROM pg_proc WHERE proname = 'rag_copy_session';

-- Both tables and the sequence as one value, for "nothing was written".
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s),
                    (SELECT array_agg(m ORDER BY id) FROM messages m),
                    pg_temp.ids_drawn('messages_id_seq')))
$$;
-- The messages of a session as text, in order.
CREATE FUNCTION pg_temp.contents(session uuid) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(content, ' ' ORDER BY id) FROM messages WHERE session_id = session
$$;

--
-- What is copied
--
SELECT rag_add_messages(:'alice', '[
  {"role": "user", "content": "one", "created_at": "2024-02-29 12:34:56.789012", "idempotency_key": "k1", "token_count": 1},
  {"role": "assistant", "content": "two", "created_at": "2024-02-29 12:34:57", "sources": [{"id": "doc-1", "score": 0.87}],
   "latency_ms": 812.5, "top_k": 5, "query_type": "semantic", "token_count": 7, "metadata": {"model": "m-1"}, "idempotency_key": "k2"},
  {"role": "user", "content": "three"}]');
SELECT rag_add_message(:'bob', 'user', 'Bob''s');
SELECT rag_add_message(:'alice', 'assistant', 'four');
-- What an ORM stores: JSON null is not NULL.
UPDATE messages SET sources = 'null' WHERE content = 'three';
UPDATE sessions SET created_at = '2001-01-01', updated_at = '2001-01-01';

BEGIN;
SELECT rag_copy_session(:'alice') AS copy \gset
SELECT user_id, metadata, created_at = CURRENT_TIMESTAMP::timestamp AS created_now, updated_at = CURRENT_TIMESTAMP::timestamp AS updated_now
FROM sessions WHERE id = :'copy';
SELECT id, role, content, created_at > '2025-01-01' AS recent, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
FROM messages WHERE session_id = :'copy' ORDER BY id;
-- Column by column; only the keys and the ids differ.
SELECT count(*) AS messages,
       count(*) FILTER (WHERE to_jsonb(a) - '{id,session_id,idempotency_key}'::text[] = to_jsonb(b) - '{id,session_id,idempotency_key}'::text[]) AS same
FROM (SELECT m.*, row_number() OVER (ORDER BY id) AS n FROM messages m WHERE session_id = :'alice') a
FULL JOIN (SELECT m.*, row_number() OVER (ORDER BY id) AS n FROM messages m WHERE session_id = :'copy') b USING (n);
-- The id is time-ordered (UUID version 7).
SELECT substr(:'copy', 15, 1) AS version;
-- Whoever goes on, goes on in his own branch; a key can be used again in it.
SELECT rag_add_message(:'copy', 'user', 'five', idempotency_key => 'k1') > 0 AS added;
SELECT pg_temp.contents(:'copy') AS copy, pg_temp.contents(:'alice') AS source;
SELECT rag_delete_session(:'alice');
SELECT pg_temp.contents(:'copy') AS copy;
SELECT rag_delete_session(:'copy');
ROLLBACK;
-- The source is as it was.
BEGIN;
SELECT pg_temp.state() AS before \gset
SELECT rag_copy_session(:'alice') AS copy \gset
DELETE FROM sessions WHERE id = :'copy';
SELECT setval('messages_id_seq', (SELECT max(id) FROM messages)) > 0 AS reset;
SELECT pg_temp.state() = :'before' AS untouched;
COMMIT;

--
-- Up to a message, which need not be there
--
BEGIN;
CREATE TEMPORARY TABLE copies ON COMMIT DROP AS
SELECT n, upto, rag_copy_session(:'alice', upto) AS copy
FROM (VALUES (1, NULL), (2, 0), (3, -1), (4, 1), (5, 2), (6, 3), (7, 4), (8, 5), (9, 1000000), (10, 9223372036854775807), (11, -9223372036854775808)) AS v (n, upto);
SELECT n, upto, pg_temp.contents(copy) FROM copies ORDER BY n;
-- By name; and a copy of a copy.
SELECT rag_copy_session(session_id => rag_copy_session(:'alice', upto_id => 2, user_id => 'alice')) AS copy \gset
SELECT pg_temp.contents(:'copy'), (SELECT user_id FROM sessions WHERE id = :'copy');
-- An empty session.
SELECT rag_copy_session(rag_create_session()) AS copy \gset
SELECT user_id, metadata, pg_temp.contents(id) FROM sessions WHERE id = :'copy';
ROLLBACK;

--
-- Order and cost: a long session among others
--
BEGIN;
SELECT cardinality(rag_add_messages(:'bob', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', i::text) ORDER BY i) FROM generate_series(1, 5000) i)));
-- What a copy reads, whatever else the table holds and nobody has counted: no scan of
-- the table, and each message once for its id and once to be copied, by an index.
CREATE FUNCTION pg_temp.rows_read(OUT seq bigint, OUT index bigint) LANGUAGE sql AS $$
  SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'messages'::regclass
$$;
SELECT seq AS seq_before, index AS index_before FROM pg_temp.rows_read() \gset
SELECT rag_copy_session(:'bob') AS copy \gset
SELECT seq - :seq_before AS seq, index - :index_before <= 2 * 5001 AS twice_by_index FROM pg_temp.rows_read();
SELECT seq AS seq_before, index AS index_before FROM pg_temp.rows_read() \gset
SELECT rag_copy_session(:'alice') IS NOT NULL AS copied;
SELECT seq - :seq_before AS seq, index - :index_before <= 2 * 4 AS twice_by_index FROM pg_temp.rows_read();
SELECT count(*), bool_and(content = 'Bob''s' OR content = (n - 1)::text) AS in_order
FROM (SELECT content, row_number() OVER (ORDER BY id) AS n FROM messages WHERE session_id = :'copy') AS m;
ROLLBACK;

--
-- A summary reaches up to a message: in the copy, up to the copy of it. One that goes
-- beyond the end of the copy says what the copy does not have, and is left out.
--
BEGIN;
CREATE FUNCTION pg_temp.copied(metadata jsonb, upto bigint) RETURNS TABLE (metadata_of_copy jsonb, summary_ends_with text) LANGUAGE plpgsql AS $$
DECLARE
  copy uuid;
BEGIN
  UPDATE sessions SET metadata = copied.metadata WHERE id = '00000000-0000-4000-8000-00000000000a';
  copy := rag_copy_session('00000000-0000-4000-8000-00000000000a', upto);
  RETURN QUERY
    SELECT CASE WHEN jsonb_typeof(s.metadata) = 'object' AND m.content IS NOT NULL THEN s.metadata - 'summary_upto_id' ELSE s.metadata END, m.content
    FROM sessions s LEFT JOIN messages m ON m.session_id = s.id AND to_jsonb(m.id) = s.metadata->'summary_upto_id'
    WHERE s.id = copy;
END $$;
SELECT n, v.metadata, upto, c.*
FROM (VALUES (1, '{"summary": "…", "summary_upto_id": 1}'::jsonb, NULL),
             (2, '{"summary": "…", "summary_upto_id": 3, "a": 1}', NULL),
             (3, '{"summary": "…", "summary_upto_id": 3.0}', 3),
             (4, '{"summary": "…", "summary_upto_id": 3}', 2),
             (5, '{"summary": "…", "summary_upto_id": 3, "a": 1}', 0),
             -- Its last message is Bob's, or gone: the last before it.
             (6, '{"summary": "…", "summary_upto_id": 4}', NULL),
             (7, '{"summary": "…", "summary_upto_id": 999}', NULL),
             (8, '{"summary": "…", "summary_upto_id": 4}', 4),
             -- All that it covers is gone: no message of the copy is covered.
             (9, '{"summary": "…", "summary_upto_id": 0}', NULL),
             (10, '{"summary": "…", "summary_upto_id": -5}', NULL),
             (11, '{"summary_upto_id": 2}', NULL),
             -- Whatever is no id stays as it is.
             (20, '{"summary": "…"}', 1),
             (21, '{"summary": "…", "summary_upto_id": "3"}', 1),
             (22, '{"summary": "…", "summary_upto_id": 1.5}', 1),
             (23, '{"summary": "…", "summary_upto_id": 9223372036854775808}', 1),
             (24, '{"summary": "…", "summary_upto_id": null}', 1),
             (25, '[{"summary_upto_id": 3}]', 1), (26, '"summary_upto_id"', 1), (27, 'null', 1), (28, NULL, 1)) AS v (n, metadata, upto)
     CROSS JOIN LATERAL pg_temp.copied(v.metadata, upto) c
ORDER BY n;
ROLLBACK;

--
-- Errors
--
SELECT pg_temp.state() AS before \gset
SELECT * FROM pg_temp.error('SELECT rag_copy_session(NULL)');
SELECT * FROM pg_temp.error(format('SELECT rag_copy_session(%L)', :'none'));
-- Somebody else's is not there; nobody's is not the user's.
SELECT * FROM pg_temp.error(format('SELECT rag_copy_session(%L, user_id => %L)', :'alice', 'bob'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_copy_session(%L, 1, %L)', :'alice', ''));
BEGIN READ ONLY;
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_copy_session(%L)', :'alice'));
ROLLBACK;
SELECT pg_temp.state() = :'before' AS untouched;

-- A trigger of the user that discards the session, or a message, is no silent loss.
CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION discard();
SELECT code, message, "table" FROM pg_temp.diagnose(format('SELECT rag_copy_session(%L)', :'alice'));
DROP TRIGGER discard ON sessions;
CREATE TRIGGER discard BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.content = 'two') EXECUTE FUNCTION discard();
SELECT code, message, "table" FROM pg_temp.diagnose(format('SELECT rag_copy_session(%L)', :'alice'));
SELECT rag_copy_session(:'alice', 1) IS NOT NULL AS not_concerned;
DROP TRIGGER discard ON messages;
DROP FUNCTION discard();
DELETE FROM sessions WHERE id NOT IN (:'alice', :'bob');

--
-- The least rights, and row security
--
CREATE ROLE regress_rag_copier;
GRANT SELECT (id, user_id, metadata), INSERT (id, user_id, metadata), UPDATE (updated_at) ON sessions TO regress_rag_copier;
GRANT SELECT (id, session_id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata),
      INSERT (id, session_id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata)
   ON messages TO regress_rag_copier;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_copier;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = current_setting('app.of_user'));
SET ROLE regress_rag_copier;
SET app.of_user = 'alice';
SELECT rag_copy_session(:'alice', 2) AS copy \gset
SELECT code, message, detail FROM pg_temp.diagnose(format('SELECT rag_copy_session(%L)', :'bob'));
RESET ROLE;
SELECT user_id, metadata->>'title' AS title, pg_temp.contents(id) FROM sessions WHERE id = :'copy';

DROP EXTENSION rag_events;
DROP ROLE regress_rag_copier;
