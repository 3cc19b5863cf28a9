--
-- A hostile search_path: operators, functions, types, casts and tables that look
-- like what the functions use stand in front, in a schema, in pg_temp and in the
-- extension's own schema. None is ever reached, at installation or in a call.
--
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP SCHEMA IF EXISTS chat, hostile CASCADE;
\set VERBOSITY terse
CREATE SCHEMA chat;
CREATE SCHEMA hostile;
\set s1 00000000-0000-4000-8000-000000000001
\set s2 00000000-0000-4000-8000-000000000002

-- Whatever hostile thing is reached, the call fails.
CREATE FUNCTION hostile.captured() RETURNS boolean LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE FUNCTION hostile.eq(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(anyelement, anyelement) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(int4, int8) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(timestamp, timestamp) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(bytea, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.eq(jsonb, text) RETURNS boolean LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE FUNCTION hostile.left(text, int) RETURNS text LANGUAGE sql AS 'SELECT hostile.captured()::text';
CREATE FUNCTION hostile.encode(bytea, text) RETURNS text LANGUAGE sql AS 'SELECT hostile.captured()::text';
CREATE FUNCTION hostile.uuid_send(uuid) RETURNS bytea LANGUAGE sql AS 'SELECT hostile.captured()::text::bytea';
CREATE FUNCTION hostile.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT hostile.captured()::int::bigint';
CREATE FUNCTION hostile.nextval(text) RETURNS bigint LANGUAGE sql AS 'SELECT hostile.captured()::int::bigint';
CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT hostile.captured()::text::timestamptz $$;
CREATE FUNCTION hostile.pg_extension_config_dump(regclass, text) RETURNS void LANGUAGE sql AS 'SELECT hostile.captured()';

CREATE FUNCTION hostile.operators_in(schema name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  args text;
BEGIN
  FOREACH args IN ARRAY ARRAY['uuid uuid', 'text text', 'varchar varchar', 'varchar text'] LOOP
    EXECUTE format('CREATE OPERATOR %I.= (FUNCTION = hostile.eq, LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%s)',
                   schema, split_part(args, ' ', 1), split_part(args, ' ', 2));
  END LOOP;
  -- What the readers compare and take apart.
  FOREACH args IN ARRAY ARRAY['< uuid uuid', '<= uuid uuid', '> uuid uuid', '>= uuid uuid', '< int4 int8', '> int4 int8', '>= int4 int8', '= int4 int8',
                              '< timestamp timestamp', '|| bytea bytea', '->> jsonb text'] LOOP
    EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = hostile.eq, LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%s)',
                   schema, split_part(args, ' ', 1), split_part(args, ' ', 2), split_part(args, ' ', 3));
  END LOOP;
END $$;
SELECT hostile.operators_in('hostile');
SELECT hostile.operators_in('chat');
CREATE TYPE hostile.uuid AS ENUM ('captured');
CREATE TYPE hostile.text AS ENUM ('captured');
CREATE TYPE hostile.jsonb AS ENUM ('captured');
CREATE TYPE hostile.regrole AS ENUM ('captured');
CREATE CAST (hostile.text AS varchar) WITH INOUT AS IMPLICIT;
CREATE TABLE hostile.sessions (id int, captured int);
CREATE TABLE hostile.messages (id int, captured int);
CREATE TABLE hostile.rag_migration_log (captured int);
CREATE SEQUENCE hostile.messages_id_seq MINVALUE -1000 START -1000;
CREATE FUNCTION hostile.rag_check_install(regrole) RETURNS void LANGUAGE sql AS 'SELECT hostile.captured()';
CREATE TEMPORARY TABLE sessions (id int, captured int);
CREATE TEMPORARY TABLE messages (id int, captured int);
CREATE TEMPORARY TABLE rag_migration_log (captured int);
CREATE TEMPORARY SEQUENCE messages_id_seq MINVALUE -2000 START -2000;
CREATE TYPE pg_temp.uuid AS ENUM ('captured');

--
-- Installation, into a schema that has hostile operators
--
SET search_path = pg_temp, hostile, chat, pg_catalog;
CREATE EXTENSION rag_events SCHEMA chat;

-- No object of the extension depends on anything hostile: all of it can go, and
-- come back.
SET search_path = pg_catalog;
DO $$ DECLARE o record; BEGIN
  FOR o IN SELECT oid::regoperator AS name FROM pg_operator WHERE oprnamespace = 'chat'::regnamespace LOOP
    EXECUTE format('DROP OPERATOR %s', o.name);
  END LOOP;
END $$;
RESET search_path;
SELECT hostile.operators_in('chat');
SELECT a.attrelid::regclass, a.attname, t.typname
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid IN ('chat.sessions'::regclass, 'chat.messages'::regclass, 'chat.rag_migration_log'::regclass)
  AND a.attnum > 0 AND t.typnamespace <> 'pg_catalog'::regnamespace;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'chat.messages'::regclass AND contype = 'c';

-- The functions are called by their qualified names in the following. (Who looks
-- for them along a hostile path has lost already.)
PREPARE new_session (pg_catalog.text, pg_catalog.uuid, pg_catalog.bool) AS
  SELECT chat.rag_create_session($1, '{}'::pg_catalog.jsonb, $2, $3);
PREPARE new_message (pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.text) AS
  SELECT chat.rag_add_message($1, $2, $3, '[]'::pg_catalog.jsonb, 1, 2, $3, $4);

-- Reads, edits and deletes all there is of a session; "eve" may not.
PREPARE conversation (pg_catalog.uuid, pg_catalog.text) AS
  SELECT (SELECT pg_catalog.count(*) FROM chat.rag_get_messages($1, 2, NULL, $2)) AS messages,
         (SELECT pg_catalog.count(*) FROM chat.rag_get_messages_after($1, 0, 2, $2, false)) AS after,
         (SELECT pg_catalog.count(*) FROM chat.rag_get_context($1, 100, 2, 0, $2)) AS context,
         (SELECT pg_catalog.count(*) FROM chat.rag_list_sessions($2, 2, pg_catalog.concat('7', pg_catalog.repeat('f', 47)))) AS sessions,
         chat.rag_update_session($1, '{"title": "t", "none": null}'::pg_catalog.jsonb, $2) AS metadata,
         chat.rag_update_message($1, chat.rag_add_message($1, 'user', 'edited'), NULL, '[]'::pg_catalog.jsonb, 1, 2, '{"a": null}'::pg_catalog.jsonb, $2) AS edited,
         chat.rag_delete_messages($1, chat.rag_add_message($1, 'user', 'deleted'), $2) AS deleted,
         chat.rag_delete_session(chat.rag_create_session($2), $2) AS session_deleted,
         (SELECT pg_catalog.count(*) FROM chat.rag_get_session($1, $2)) AS session,
         (SELECT pg_catalog.count(*) FROM chat.rag_find_sessions($2, 'e "d"', '{"none": null}'::pg_catalog.jsonb, 2, pg_catalog.concat('7', pg_catalog.repeat('f', 47)))) AS found,
         pg_catalog.jsonb_array_length(chat.rag_get_prompt($1, 100, 2, $2)) AS prompt,
         chat.rag_put_message($1, 'put', 'user', 'put', NULL, 1, 1, NULL, $2, 1, '{"a": 1}'::pg_catalog.jsonb) AS put,
         chat.rag_put_message($1, 'put', 'user', 'put', NULL, 1, 1, NULL, $2, 1, '{"a": null}'::pg_catalog.jsonb) AS put_again,
         chat.rag_add_conversations(pg_catalog.jsonb_build_array(
           pg_catalog.jsonb_build_object('session_id', $1, 'user_id', $2, 'messages', '[{"role": "user", "content": "put", "idempotency_key": "put"}]'::pg_catalog.jsonb),
           pg_catalog.jsonb_build_object('session_id', $1, 'user_id', $2, 'create_session', true, 'messages', '[{"role": "user", "content": "many"}]'::pg_catalog.jsonb))) AS many,
         chat.rag_reassign_sessions($2, $2) AS reassigned,
         chat.rag_reassign_sessions($2, $2, $1) AS reassigned_one,
         (SELECT sessions FROM chat.rag_expire_sessions('1000 years', 1, '{"a": 1}'::pg_catalog.jsonb)) AS expired,
         chat.rag_set_feedback($1, chat.rag_add_message($1, 'assistant', 'judged', '[1]'), 1, 'l', 'c', 'n', 1, 'r', '{"a": 1}'::pg_catalog.jsonb, $2) AS judged,
         (SELECT pg_catalog.count(*) FROM chat.rag_get_feedback($1, $2, 'r')) AS feedback,
         (SELECT pg_catalog.count(*) FROM chat.rag_message_sources WHERE source_no OPERATOR(pg_catalog.>) 0) AS sources,
         chat.rag_close_days('1000-01-01') AS closed,
         (SELECT pg_catalog.count(*) FROM chat.rag_usage(NULL, NULL)) AS usage,
         chat.rag_latency_percentile((SELECT chat.rag_latency_sum(latency) FROM chat.rag_usage(NULL, NULL)), 0.5) AS latency,
         (SELECT sessions FROM chat.rag_erase_user('nobody is called so', '{"a": 1}'::pg_catalog.jsonb, 1)) AS erased;

--
-- All statements prepared with the hostile path
--
SET search_path = pg_temp, hostile, chat, pg_catalog;
-- The traps work: an unqualified operator is captured.
SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text;
EXECUTE new_session ('alice', :'s1', false);
EXECUTE new_session ('alice', :'s1', true);
EXECUTE new_message (:'s1', 'user', 'plain', NULL);
EXECUTE new_message (:'s1', 'assistant', 'with user_id', 'alice');
EXECUTE new_message (:'s1', 'user', 'of another', 'bob');
EXECUTE new_message (:'s1', 'ai', 'wrong role', 'alice');
EXECUTE new_message (:'s2', 'user', 'no session', NULL);
EXECUTE conversation (:'s1', 'alice');
EXECUTE conversation (:'s1', 'eve');

-- With the schema of the extension in front, which is hostile too.
SET search_path = chat, hostile, pg_temp, pg_catalog;
EXECUTE new_session ('bob', :'s2', true);
EXECUTE new_session ('bob', :'s2', true);
EXECUTE new_message (:'s2', 'user', 'plain', NULL);
EXECUTE new_message (:'s2', 'user', 'with user_id', 'bob');
EXECUTE conversation (:'s2', 'bob');
SELECT chat.rag_version() OPERATOR(pg_catalog.<>) '' AS has_version;

-- The table's own defaults, constraints and cascade, by an INSERT.
INSERT INTO chat.messages (session_id, role, content) VALUES (:'s2', 'user', 'by INSERT') RETURNING id;
INSERT INTO chat.messages (session_id, role, content) VALUES (:'s2', 'ai', 'by INSERT');
DELETE FROM chat.sessions WHERE id OPERATOR(pg_catalog.=) :'s2';

-- With an ordinary path again.
RESET search_path;
EXECUTE new_session ('alice', :'s1', true);
EXECUTE new_message (:'s1', 'user', 'with user_id', 'alice');
SELECT id, session_id, role, content FROM chat.messages ORDER BY id;
SELECT id, user_id FROM chat.sessions ORDER BY id;
SELECT (SELECT count(*) FROM hostile.sessions) AS sessions, (SELECT count(*) FROM hostile.messages) AS messages,
       (SELECT count(*) FROM pg_temp.sessions) AS temp_sessions, (SELECT count(*) FROM pg_temp.messages) AS temp_messages,
       (SELECT is_called FROM hostile.messages_id_seq) AS drawn, (SELECT is_called FROM pg_temp.messages_id_seq) AS temp_drawn;

--
-- Statements kept from an ordinary path, used with the hostile one
--
\c -
SET client_min_messages = warning;
SELECT chat.rag_create_session('carol', session_id => :'s2', if_not_exists => true);
SELECT chat.rag_add_message(:'s2', 'user', 'ordinary path', user_id => 'carol') > 0 AS stored;
SET search_path = hostile, chat, pg_catalog;
SELECT chat.rag_create_session('carol'::pg_catalog.text, NULL::pg_catalog.jsonb, :'s2'::pg_catalog.uuid, true);
SELECT chat.rag_add_message(:'s2'::pg_catalog.uuid, 'user', 'hostile path', user_id => 'carol') > 0 AS stored;
SELECT chat.rag_add_message(:'s2'::pg_catalog.uuid, 'user', 'hostile path', user_id => 'alice') > 0 AS stored;
RESET search_path;

DROP EXTENSION rag_events;
DROP SCHEMA chat, hostile CASCADE;
