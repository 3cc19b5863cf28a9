/* sql/rag_events--1.1--1.2.sql: the conversation */

-- revision: 003_conversation
-- description: reading, paging, the context window, editing, branching, export and import

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.2'" to load this file. \quit

CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

--
-- Reading. The columns of a result are API, as parameters are.
--
CREATE FUNCTION @extschema@.rag_get_messages(
  session_id      pg_catalog.uuid,
  max_messages    pg_catalog.int4 DEFAULT 50,
  before_id       pg_catalog.int8 DEFAULT NULL,
  user_id         pg_catalog.text DEFAULT NULL,
  include_sources pg_catalog.bool DEFAULT true
) RETURNS TABLE (
  id              pg_catalog.int8,
  role            pg_catalog.text,
  content         pg_catalog.text,
  created_at      pg_catalog.timestamp,
  sources         pg_catalog.jsonb,
  latency_ms      pg_catalog.float8,
  top_k           pg_catalog.int4,
  query_type      pg_catalog.text,
  token_count     pg_catalog.int4,
  metadata        pg_catalog.jsonb,
  idempotency_key pg_catalog.text
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 50 AS 'MODULE_PATHNAME', 'rag_get_messages';

CREATE FUNCTION @extschema@.rag_get_messages_after(
  session_id      pg_catalog.uuid,
  after_id        pg_catalog.int8,
  max_messages    pg_catalog.int4 DEFAULT 50,
  user_id         pg_catalog.text DEFAULT NULL,
  include_sources pg_catalog.bool DEFAULT true
) RETURNS TABLE (
  id              pg_catalog.int8,
  role            pg_catalog.text,
  content         pg_catalog.text,
  created_at      pg_catalog.timestamp,
  sources         pg_catalog.jsonb,
  latency_ms      pg_catalog.float8,
  top_k           pg_catalog.int4,
  query_type      pg_catalog.text,
  token_count     pg_catalog.int4,
  metadata        pg_catalog.jsonb,
  idempotency_key pg_catalog.text
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 50 AS 'MODULE_PATHNAME', 'rag_get_messages_after';

CREATE FUNCTION @extschema@.rag_get_context(
  session_id   pg_catalog.uuid,
  max_tokens   pg_catalog.int4,
  max_messages pg_catalog.int4 DEFAULT NULL,
  after_id     pg_catalog.int8 DEFAULT NULL,
  user_id      pg_catalog.text DEFAULT NULL
) RETURNS TABLE (
  id          pg_catalog.int8,
  role        pg_catalog.text,
  content     pg_catalog.text,
  token_count pg_catalog.int4
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 50 AS 'MODULE_PATHNAME', 'rag_get_context';

CREATE FUNCTION @extschema@.rag_list_sessions(
  user_id      pg_catalog.text,
  max_sessions pg_catalog.int4 DEFAULT 20,
  after_cursor pg_catalog.text DEFAULT NULL
) RETURNS TABLE (
  session_id pg_catalog.uuid,
  title      pg_catalog.text,
  preview    pg_catalog.text,
  created_at pg_catalog.timestamp,
  updated_at pg_catalog.timestamp,
  metadata   pg_catalog.jsonb,
  cursor     pg_catalog.text
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 20 AS 'MODULE_PATHNAME', 'rag_list_sessions';

--
-- Changing what is there
--
CREATE FUNCTION @extschema@.rag_update_session(
  session_id pg_catalog.uuid,
  metadata   pg_catalog.jsonb,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_update_session';

CREATE FUNCTION @extschema@.rag_delete_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.bool
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_delete_session';

CREATE FUNCTION @extschema@.rag_update_message(
  session_id  pg_catalog.uuid,
  message_id  pg_catalog.int8,
  content     pg_catalog.text   DEFAULT NULL,
  sources     pg_catalog.jsonb  DEFAULT NULL,
  latency_ms  pg_catalog.float8 DEFAULT NULL,
  token_count pg_catalog.int4   DEFAULT NULL,
  metadata    pg_catalog.jsonb  DEFAULT NULL,
  user_id     pg_catalog.text   DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_update_message';

CREATE FUNCTION @extschema@.rag_delete_messages(
  session_id pg_catalog.uuid,
  from_id    pg_catalog.int8,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_delete_messages';

--
-- Whole conversations
--
CREATE FUNCTION @extschema@.rag_copy_session(
  session_id pg_catalog.uuid,
  upto_id    pg_catalog.int8 DEFAULT NULL,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_copy_session';

CREATE FUNCTION @extschema@.rag_export_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED
-- Numbers are exact whatever the caller's settings.
SET extra_float_digits = 1
AS 'MODULE_PATHNAME', 'rag_export_session';

CREATE FUNCTION @extschema@.rag_import_session(
  conversation pg_catalog.jsonb,
  user_id      pg_catalog.text DEFAULT NULL,
  keep_id      pg_catalog.bool DEFAULT false
) RETURNS pg_catalog.uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_import_session';

--
-- Descriptions
--
COMMENT ON FUNCTION @extschema@.rag_get_messages(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int8, pg_catalog.text, pg_catalog.bool)
IS 'last messages of a session, or the last before an id, oldest first; max_messages null: all';
COMMENT ON FUNCTION @extschema@.rag_get_messages_after(pg_catalog.uuid, pg_catalog.int8, pg_catalog.int4, pg_catalog.text, pg_catalog.bool)
IS 'first messages of a session after an id (null: from the beginning), oldest first; max_messages null: all';
COMMENT ON FUNCTION @extschema@.rag_get_context(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.int8, pg_catalog.text)
IS 'newest messages of a session (after an id) whose tokens fit into max_tokens, oldest first, from a user''s message on; a length that is not known is a quarter of the bytes';
COMMENT ON FUNCTION @extschema@.rag_list_sessions(pg_catalog.text, pg_catalog.int4, pg_catalog.text)
IS 'sessions of a user (null: nobody''s), latest activity first; after_cursor continues after the row that had this cursor';
COMMENT ON FUNCTION @extschema@.rag_update_session(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text)
IS 'merge an object into the metadata of a session and return the result; a key with null is removed';
COMMENT ON FUNCTION @extschema@.rag_delete_session(pg_catalog.uuid, pg_catalog.text)
IS 'delete a session and its messages; false if there is none';
COMMENT ON FUNCTION @extschema@.rag_update_message(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text)
IS 'change a message: null keeps a value, metadata is merged and a key with null removed';
COMMENT ON FUNCTION @extschema@.rag_delete_messages(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text)
IS 'delete a message of a session and all after it, and return how many they were';
COMMENT ON FUNCTION @extschema@.rag_copy_session(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text)
IS 'copy a session with its messages (up to and with upto_id) and return the id of the copy';
COMMENT ON FUNCTION @extschema@.rag_export_session(pg_catalog.uuid, pg_catalog.text)
IS 'a session with its messages as one JSON document, as rag_import_session() takes it';
COMMENT ON FUNCTION @extschema@.rag_import_session(pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool)
IS 'create a session from a JSON document (of rag_export_session(), OpenAI''s or LangChain''s form) and return its id; keep_id keeps the document''s';

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.2', '1.1');
