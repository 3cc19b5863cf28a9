--
-- The functions keep prepared plans for the life of a backend. Whatever happens
-- to the extension, the tables, the role or the settings between two calls, the
-- next call does the right thing. All of this runs in one backend.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP SCHEMA IF EXISTS plans_a, plans_b, plans_c CASCADE;
DROP ROLE IF EXISTS regress_rag_reader, regress_rag_writer, regress_rag_other;
CREATE SCHEMA plans_a;
CREATE SCHEMA plans_b;
CREATE ROLE regress_rag_reader;
CREATE ROLE regress_rag_writer;
\set s 00000000-0000-4000-8000-000000000001

-- Each function often enough to use every kept statement: plain and with user_id,
-- with a session that is there and one that is not. The ids are 1 and 2, and a third is
-- drawn.
CREATE FUNCTION pg_temp.converse(schema regnamespace)
RETURNS TABLE (id bigint, role text, content text) LANGUAGE plpgsql AS $$
DECLARE
  s CONSTANT uuid := '00000000-0000-4000-8000-000000000001';
BEGIN
  EXECUTE format('SELECT %s.rag_create_session(%L, NULL, %L, true)', schema, 'alice', s);
  EXECUTE format('SELECT %s.rag_create_session(%L, NULL, %L, true)', schema, 'alice', s);
  EXECUTE format('SELECT %s.rag_create_session()', schema);
  EXECUTE format('SELECT %s.rag_add_message(%L, %L, %L)', schema, s, 'user', 'in ' || schema::text);
  EXECUTE format('SELECT %s.rag_add_message(%L, %L, %L, user_id => %L)', schema, s, 'assistant', 'in ' || schema::text, 'alice');
  EXECUTE format('SELECT %s.rag_update_session(%L, %L, %L)', schema, s, '{"title": "in ' || schema || '"}', 'alice');
  EXECUTE format('SELECT %s.rag_update_message(%L, 2, metadata => %L)', schema, s, '{"edited": true}');
  EXECUTE format('SELECT %1$s.rag_delete_messages(%2$L, %1$s.rag_add_message(%2$L, %3$L, %3$L))', schema, s, 'user');
  EXECUTE format('SELECT %s.rag_delete_session(%s.rag_create_session())', schema, schema);
  EXECUTE format('SELECT FROM %s.rag_list_sessions(%L)', schema, 'alice');
  EXECUTE format('SELECT FROM %s.rag_get_context(%L, 100)', schema, s);
  EXECUTE format('SELECT FROM %s.rag_get_messages_after(%L, 0)', schema, s);
  RETURN QUERY EXECUTE format('SELECT m.id, m.role, m.content FROM %s.rag_get_messages(%L, user_id => %L) m', schema, s, 'alice');
END $$;

--
-- Dropped, and created again in another schema
--
CREATE EXTENSION rag_events SCHEMA plans_a;
SELECT * FROM pg_temp.converse('plans_a');
DROP EXTENSION rag_events;
CREATE EXTENSION rag_events SCHEMA plans_b;
SELECT * FROM pg_temp.converse('plans_b');
-- And in the first again, while the tables of others have our names.
DROP EXTENSION rag_events;
CREATE TABLE plans_b.sessions (id uuid, user_id text, metadata jsonb, updated_at timestamp);
CREATE TABLE plans_b.messages (id int);
CREATE EXTENSION rag_events SCHEMA plans_a;
SELECT * FROM pg_temp.converse('plans_a');
SELECT (SELECT count(*) FROM plans_b.sessions) AS sessions_b, (SELECT count(*) FROM plans_b.messages) AS messages_b;
DROP TABLE plans_b.sessions, plans_b.messages;
-- In the same schema.
DROP EXTENSION rag_events;
CREATE EXTENSION rag_events SCHEMA plans_a;
SELECT * FROM pg_temp.converse('plans_a');
-- Rolled back.
BEGIN;
DROP EXTENSION rag_events;
CREATE EXTENSION rag_events SCHEMA plans_b;
SELECT * FROM pg_temp.converse('plans_b');
ROLLBACK;
SELECT plans_a.rag_add_message(:'s', 'user', 'after a rollback');

--
-- The schema is renamed, and another takes its name
--
DROP EXTENSION rag_events;
CREATE EXTENSION rag_events SCHEMA plans_a;
SELECT * FROM pg_temp.converse('plans_a');
ALTER SCHEMA plans_a RENAME TO plans_c;
CREATE SCHEMA plans_a;
CREATE TABLE plans_a.sessions (LIKE plans_c.sessions INCLUDING ALL);
CREATE TABLE plans_a.messages (LIKE plans_c.messages INCLUDING ALL);
SELECT plans_c.rag_create_session('alice', NULL, :'s', true);
SELECT plans_c.rag_add_message(:'s', 'user', 'in plans_c');
SELECT plans_c.rag_add_message(:'s', 'user', 'in plans_c', user_id => 'alice');
SELECT id, content FROM plans_c.messages ORDER BY id;
SELECT (SELECT count(*) FROM plans_a.sessions) AS sessions_a, (SELECT count(*) FROM plans_a.messages) AS messages_a;
DROP TABLE plans_a.sessions, plans_a.messages;
ALTER SCHEMA plans_a RENAME TO plans_d;
ALTER SCHEMA plans_c RENAME TO plans_a;
ALTER SCHEMA plans_d RENAME TO plans_c;
SELECT plans_a.rag_add_message(:'s', 'user', 'in plans_a', user_id => 'alice');

--
-- search_path
--
SET search_path = plans_a;
SELECT rag_add_message(:'s', 'user', 'by search_path');
SET search_path = '';
SELECT plans_a.rag_add_message(:'s', 'user', 'without search_path', user_id => 'alice');
SET search_path = plans_b, plans_a;
SELECT rag_add_message(:'s', 'user', 'by search_path');
RESET search_path;

--
-- DISCARD and DEALLOCATE
--
DISCARD PLANS;
SELECT plans_a.rag_add_message(:'s', 'user', 'after DISCARD PLANS', user_id => 'alice');
DEALLOCATE ALL;
SELECT plans_a.rag_add_message(:'s', 'user', 'after DEALLOCATE ALL', user_id => 'alice');
DISCARD ALL;
SELECT plans_a.rag_add_message(:'s', 'user', 'after DISCARD ALL', user_id => 'alice');
SELECT plans_a.rag_create_session('alice', NULL, :'s', true);
\i :test_dir/sql/helpers.psql

--
-- Kinds of plan
--
SET plan_cache_mode = force_custom_plan;
SELECT plans_a.rag_add_message(:'s', 'user', 'custom plan', user_id => 'alice');
SET plan_cache_mode = force_generic_plan;
SELECT plans_a.rag_add_message(:'s', 'user', 'generic plan', user_id => 'alice');
RESET plan_cache_mode;
SELECT count(plans_a.rag_add_message(:'s', 'user', 'one of many', user_id => 'alice')) FROM generate_series(1, 20);
SELECT current_setting('enable_seqscan') AS enable_seqscan_is_as_it_was;

-- A plan that is made anew because of search_path does not scan the table, be it
-- small at that time.
ANALYZE plans_a.sessions;
SELECT plans_a.rag_create_session('alice', NULL, :'s', true);
BEGIN;
SET LOCAL search_path = plans_a, pg_catalog;
SELECT pg_stat_get_xact_numscans('sessions'::regclass) AS before \gset
SELECT rag_create_session('alice', NULL, :'s', true);
SELECT rag_create_session('alice', NULL, :'s', true);
SELECT pg_stat_get_xact_numscans('sessions'::regclass) - :before AS scans;
ROLLBACK;

--
-- A user's own prepared statements, over DROP and CREATE
--
TRUNCATE plans_a.sessions, plans_a.messages, plans_a.rag_feedback RESTART IDENTITY;
PREPARE new_session AS SELECT plans_a.rag_create_session($1, session_id => $2);
PREPARE new_message AS SELECT plans_a.rag_add_message($1, $2, $3, user_id => $4);
EXECUTE new_session ('alice', :'s');
EXECUTE new_message (:'s', 'user', 'prepared', 'alice');
DROP EXTENSION rag_events;
SELECT code, message FROM pg_temp.diagnose(format('EXECUTE new_message (%L, %L, %L, %L)', :'s', 'user', 'prepared', 'alice'));
CREATE EXTENSION rag_events SCHEMA plans_a;
EXECUTE new_session ('alice', :'s');
EXECUTE new_message (:'s', 'user', 'prepared', 'alice');
EXECUTE new_message (:'s', 'assistant', 'prepared', NULL);
DEALLOCATE ALL;

--
-- The tables change between calls
--
ALTER TABLE plans_a.messages ADD COLUMN mood text NOT NULL DEFAULT 'calm';
ALTER TABLE plans_a.sessions ADD COLUMN tenant int;
SELECT plans_a.rag_add_message(:'s', 'user', 'columns added', user_id => 'alice');
ALTER TABLE plans_a.messages DROP COLUMN mood;
ALTER TABLE plans_a.sessions DROP COLUMN tenant;
SELECT plans_a.rag_add_message(:'s', 'user', 'columns dropped', user_id => 'alice');
DROP INDEX plans_a.ix_messages_session_id, plans_a.ix_sessions_user_id;
SELECT count(*) AS readers_work, (SELECT count(*) FROM plans_a.rag_list_sessions('alice')) AS sessions FROM plans_a.rag_get_messages(:'s', 2);
SELECT plans_a.rag_add_message(:'s', 'user', 'indexes dropped', user_id => 'alice');
CREATE INDEX ON plans_a.messages (session_id, id);
SELECT plans_a.rag_add_message(:'s', 'user', 'index created', user_id => 'alice');
ALTER TABLE plans_a.messages DISABLE TRIGGER ALL;
SELECT code FROM pg_temp.diagnose($$SELECT plans_a.rag_add_message('00000000-0000-4000-8000-00000000ffff', 'user', 'no key check')$$);
ALTER TABLE plans_a.messages ENABLE TRIGGER ALL;
-- Its own columns under other names, or gone, are errors of the table.
BEGIN;
ALTER TABLE plans_a.messages RENAME COLUMN query_type TO kind;
SELECT code, message FROM pg_temp.diagnose(format('SELECT plans_a.rag_add_message(%L, %L, %L, query_type => %L)', :'s', 'user', 'no query_type', 'x'));
ROLLBACK;
SELECT plans_a.rag_add_message(:'s', 'user', 'renamed back', user_id => 'alice') > 0 AS stored;
-- Without its sequence there are no ids.
BEGIN;
ALTER SEQUENCE plans_a.messages_id_seq RENAME TO other_seq;
SELECT * FROM pg_temp.error(format('SELECT plans_a.rag_add_message(%L, %L, %L)', :'s', 'user', 'no sequence'));
ROLLBACK;

-- A wider id: beyond 32 bits, and no function needs to change.
ALTER TABLE plans_a.messages ALTER COLUMN id TYPE bigint;
SELECT plans_a.rag_add_message(:'s', 'user', 'wide', user_id => 'alice') > 0 AS stored;
ALTER SEQUENCE plans_a.messages_id_seq AS bigint;
SELECT setval('plans_a.messages_id_seq', 3000000000);
SELECT plans_a.rag_add_message(:'s', 'user', 'wide', user_id => 'alice');
SELECT id, content FROM plans_a.messages WHERE id > 2147483647;
SELECT id, content FROM plans_a.rag_get_messages(:'s', 1);
SELECT id, content FROM plans_a.rag_get_messages_after(:'s', 2147483648);
SELECT id, content FROM plans_a.rag_get_context(:'s', 100, 1);
SELECT plans_a.rag_update_message(:'s', id, content || 'r') FROM plans_a.rag_get_messages(:'s', 1);
SELECT plans_a.rag_delete_messages(:'s', 3000000001);
-- Narrow again.
DELETE FROM plans_a.messages WHERE id > 2147483647;
SELECT setval('plans_a.messages_id_seq', 100);
ALTER SEQUENCE plans_a.messages_id_seq AS integer;
ALTER TABLE plans_a.messages ALTER COLUMN id TYPE integer;
SELECT plans_a.rag_add_message(:'s', 'user', 'narrow', user_id => 'alice');

-- Other text types for what is text.
ALTER TABLE plans_a.messages ALTER COLUMN role TYPE text, ALTER COLUMN query_type TYPE varchar(10);
ALTER TABLE plans_a.sessions ALTER COLUMN user_id TYPE text;
SELECT plans_a.rag_add_message(:'s', 'user', 'text', query_type => 'semantic', user_id => 'alice');
SELECT code, message FROM pg_temp.diagnose(format('SELECT plans_a.rag_add_message(%L, %L, %L, query_type => %L)', :'s', 'user', 'too long', 'semantic and more'));

--
-- Roles: what one may do does not stay for the next
--
GRANT USAGE ON SCHEMA plans_a TO regress_rag_reader, regress_rag_writer;
GRANT SELECT ON plans_a.sessions, plans_a.messages TO regress_rag_reader;
GRANT SELECT, INSERT, UPDATE ON plans_a.sessions, plans_a.messages TO regress_rag_writer;
GRANT USAGE ON SEQUENCE plans_a.messages_id_seq TO regress_rag_writer;
SET ROLE regress_rag_writer;
SELECT plans_a.rag_add_message(:'s', 'user', 'by the writer', user_id => 'alice') > 0 AS stored;
SET ROLE regress_rag_reader;
SELECT code, message FROM pg_temp.diagnose(format('SELECT plans_a.rag_add_message(%L, %L, %L, user_id => %L)', :'s', 'user', 'by the reader', 'alice'));
SET ROLE regress_rag_writer;
SELECT plans_a.rag_add_message(:'s', 'user', 'by the writer', user_id => 'alice') > 0 AS stored;
RESET ROLE;
-- Row security, switched on between calls, for one role and not for the other.
ALTER TABLE plans_a.sessions ENABLE ROW LEVEL SECURITY;
SET ROLE regress_rag_writer;
SELECT code, message FROM pg_temp.diagnose(format('SELECT plans_a.rag_add_message(%L, %L, %L)', :'s', 'user', 'not seen'));
RESET ROLE;
SELECT plans_a.rag_add_message(:'s', 'user', 'by the owner', user_id => 'alice') > 0 AS stored;
CREATE POLICY all_of_them ON plans_a.sessions TO regress_rag_writer USING (true);
SET ROLE regress_rag_writer;
SELECT plans_a.rag_add_message(:'s', 'user', 'seen', user_id => 'alice') > 0 AS stored;
RESET ROLE;
-- The other role's plan does not scan the table either.
CREATE ROLE regress_rag_other IN ROLE regress_rag_writer;
ALTER TABLE plans_a.messages ALTER COLUMN query_type TYPE varchar;
ANALYZE plans_a.sessions;
SET ROLE regress_rag_writer;
SELECT plans_a.rag_add_message(:'s', 'user', 'small', user_id => 'alice') > 0 AS stored;
BEGIN;
SET LOCAL ROLE regress_rag_other;
SELECT pg_stat_get_xact_numscans('plans_a.sessions'::regclass) AS before \gset
SELECT plans_a.rag_add_message(:'s', 'user', 'small', user_id => 'alice') > 0 AS stored;
SELECT plans_a.rag_add_message(:'s', 'user', 'small', user_id => 'alice') > 0 AS stored;
SELECT pg_stat_get_xact_numscans('plans_a.sessions'::regclass) - :before AS scans;
ROLLBACK;
RESET ROLE;

DROP EXTENSION rag_events;
-- A column that somebody has dropped is no old version.
CREATE EXTENSION rag_events SCHEMA plans_a;
ALTER TABLE plans_a.messages DROP COLUMN token_count;
SELECT code, message, detail, hint, "column" FROM pg_temp.diagnose($$SELECT plans_a.rag_add_message(plans_a.rag_create_session(), 'user', 'x', token_count => 1)$$) \gx
DROP EXTENSION rag_events;
-- What was kept for schemas that are gone is freed, however many there were.
CREATE FUNCTION pg_temp.kept_plans(schema text) RETURNS bigint LANGUAGE sql
AS $$ SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident ~ schema $$;
DO $$
BEGIN
  FOR i IN 1 .. 3 LOOP
    EXECUTE format('CREATE SCHEMA plans_d%s', i);
    EXECUTE format('CREATE EXTENSION rag_events SCHEMA plans_d%s', i);
    EXECUTE format('SELECT plans_d%s.rag_list_sessions(%L)', i, 'alice');
    EXECUTE format('SELECT plans_d%s.rag_create_session(%L)', i, 'alice');
    DROP EXTENSION rag_events;
  END LOOP;
END $$;
SELECT pg_temp.kept_plans('plans_d1') > 0 AS first, pg_temp.kept_plans('plans_d3') > 0 AS last;
DROP SCHEMA plans_d1, plans_d2;
CREATE EXTENSION rag_events SCHEMA plans_d3;
SELECT count(*) FROM plans_d3.rag_list_sessions('alice');
SELECT pg_temp.kept_plans('plans_d1') AS first, pg_temp.kept_plans('plans_d2') AS second, pg_temp.kept_plans('plans_d3') > 0 AS last;
DROP EXTENSION rag_events;
DROP SCHEMA plans_d3;
DROP SCHEMA plans_a, plans_b, plans_c;
DROP ROLE regress_rag_reader, regress_rag_writer, regress_rag_other;
