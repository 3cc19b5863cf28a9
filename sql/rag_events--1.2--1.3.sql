/* sql/rag_events--1.2--1.3.sql: the day after launch */

-- revision: 004_after_launch
-- description: one session, search, prompts, messages put by key, other owners, retention and erasure

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.3'" to load this file. \quit

--
-- Both tables at once, so that no writer is caught between the two.
--
CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

--
-- Reading
--
CREATE FUNCTION @extschema@.rag_get_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS TABLE (
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text,
  title      pg_catalog.text,
  preview    pg_catalog.text,
  created_at pg_catalog.timestamp,
  updated_at pg_catalog.timestamp,
  metadata   pg_catalog.jsonb
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'rag_get_session';

CREATE FUNCTION @extschema@.rag_find_sessions(
  user_id      pg_catalog.text,
  query        pg_catalog.text  DEFAULT NULL,
  filter       pg_catalog.jsonb DEFAULT NULL,
  max_sessions pg_catalog.int4  DEFAULT 20,
  after_cursor pg_catalog.text  DEFAULT NULL
) RETURNS TABLE (
  session_id pg_catalog.uuid,
  title      pg_catalog.text,
  preview    pg_catalog.text,
  created_at pg_catalog.timestamp,
  updated_at pg_catalog.timestamp,
  metadata   pg_catalog.jsonb,
  cursor     pg_catalog.text,
  message_id pg_catalog.int8,
  role       pg_catalog.text,
  snippet    pg_catalog.text
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 20 AS 'MODULE_PATHNAME', 'rag_find_sessions';

CREATE FUNCTION @extschema@.rag_get_prompt(
  session_id   pg_catalog.uuid,
  max_tokens   pg_catalog.int4,
  max_messages pg_catalog.int4 DEFAULT NULL,
  user_id      pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'rag_get_prompt';

--
-- Writing
--
CREATE FUNCTION @extschema@.rag_put_message(
  session_id      pg_catalog.uuid,
  idempotency_key pg_catalog.text,
  role            pg_catalog.text,
  content         pg_catalog.text,
  sources         pg_catalog.jsonb  DEFAULT NULL,
  latency_ms      pg_catalog.float8 DEFAULT NULL,
  top_k           pg_catalog.int4   DEFAULT NULL,
  query_type      pg_catalog.text   DEFAULT NULL,
  user_id         pg_catalog.text   DEFAULT NULL,
  token_count     pg_catalog.int4   DEFAULT NULL,
  metadata        pg_catalog.jsonb  DEFAULT NULL
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_put_message';

CREATE FUNCTION @extschema@.rag_reassign_sessions(
  user_id     pg_catalog.text,
  new_user_id pg_catalog.text,
  session_id  pg_catalog.uuid DEFAULT NULL
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_reassign_sessions';

--
-- Retention and erasure
--
CREATE FUNCTION @extschema@.rag_expire_sessions(
  older_than   pg_catalog.interval,
  max_sessions pg_catalog.int4  DEFAULT 1000,
  keep         pg_catalog.jsonb DEFAULT NULL,
  dry_run      pg_catalog.bool  DEFAULT false
) RETURNS TABLE (
  sessions pg_catalog.int8,
  messages pg_catalog.int8,
  oldest   pg_catalog.timestamp,
  more     pg_catalog.bool
)
LANGUAGE c VOLATILE ROWS 1 AS 'MODULE_PATHNAME', 'rag_expire_sessions';

CREATE FUNCTION @extschema@.rag_erase_user(
  user_id      pg_catalog.text,
  keep         pg_catalog.jsonb DEFAULT NULL,
  max_sessions pg_catalog.int4  DEFAULT NULL,
  dry_run      pg_catalog.bool  DEFAULT false
) RETURNS TABLE (
  sessions pg_catalog.int8,
  messages pg_catalog.int8,
  kept     pg_catalog.int8,
  more     pg_catalog.bool
)
LANGUAGE c VOLATILE ROWS 1 AS 'MODULE_PATHNAME', 'rag_erase_user';

--
-- Descriptions
--
COMMENT ON FUNCTION @extschema@.rag_get_session(pg_catalog.uuid, pg_catalog.text)
IS 'one session, with its title, the beginning of its first message and its metadata';
COMMENT ON FUNCTION @extschema@.rag_find_sessions(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.text)
IS 'sessions of a user (null: nobody''s) whose title or a message has all words and "phrases" of query, and whose metadata contains filter (a key with null: is absent), latest activity first';
COMMENT ON FUNCTION @extschema@.rag_get_prompt(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.text)
IS 'what a model is asked with: system prompt, summary and the newest messages that fit into max_tokens, with calls and results of tools, as a chat-completions API takes it';
COMMENT ON FUNCTION @extschema@.rag_put_message(pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb)
IS 'add a message or, where the session has one with the key, replace its content and what is not null (metadata is merged), and return its id';
COMMENT ON FUNCTION @extschema@.rag_reassign_sessions(pg_catalog.text, pg_catalog.text, pg_catalog.uuid)
IS 'make the sessions of a user, or one of them, another user''s, and return how many; user_id null: nobody''s, which needs session_id';
COMMENT ON FUNCTION @extschema@.rag_expire_sessions(pg_catalog.interval, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.bool)
IS 'delete up to max_sessions sessions without activity for older_than, except those whose metadata contains keep (or one of an array); more: there are others';
COMMENT ON FUNCTION @extschema@.rag_erase_user(pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.bool)
IS 'delete the sessions of a user, except those whose metadata contains keep (or one of an array), which are counted as kept; more: there are others';

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.3', '1.2');
