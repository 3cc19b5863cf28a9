/* sql/rag_events--1.0--1.1.sql: the write path */

-- revision: 002_write_path
-- description: token counts, metadata and idempotency keys; whole conversations in one call

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.1'" to load this file. \quit

CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

--
-- What the two roles cannot say, and what makes a retry harmless.
--
ALTER TABLE @extschema@.messages ADD COLUMN token_count pg_catalog.int4;
ALTER TABLE @extschema@.messages ADD COLUMN metadata pg_catalog.jsonb;
ALTER TABLE @extschema@.messages ADD COLUMN idempotency_key pg_catalog.text;

CREATE UNIQUE INDEX uq_messages_idempotency_key ON @extschema@.messages (session_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

--
-- "The last N by id" reads the end of this index. Same name, same leading column.
--
CREATE FUNCTION @extschema@.rag_replace_index(tab pg_catalog.text, index pg_catalog.text, columns pg_catalog.text) RETURNS void
LANGUAGE c SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS 'MODULE_PATHNAME', 'rag_replace_index';

SELECT @extschema@.rag_replace_index('messages'::pg_catalog.text, 'ix_messages_session_id'::pg_catalog.text, 'session_id, id'::pg_catalog.text);

DROP FUNCTION @extschema@.rag_replace_index(pg_catalog.text, pg_catalog.text, pg_catalog.text);

--
-- Compression is the largest single cost of writing a message with its sources:
-- lz4 costs a quarter of pglz. Existing rows stay as they are.
--
CREATE FUNCTION @extschema@.rag_compress_with_lz4(tab pg_catalog.text, VARIADIC columns pg_catalog.text[]) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_compress_with_lz4';

SELECT @extschema@.rag_compress_with_lz4('messages'::pg_catalog.text, VARIADIC ARRAY['content', 'sources', 'metadata']::pg_catalog.text[]);

DROP FUNCTION @extschema@.rag_compress_with_lz4(pg_catalog.text, pg_catalog.text[]);

--
-- A session is updated once for each message. Room on its page keeps that update
-- from touching any index.
--
ALTER TABLE @extschema@.sessions SET (fillfactor = 80);

--
-- Functions
--
CREATE FUNCTION @extschema@.rag_uuidv7() RETURNS pg_catalog.uuid
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_uuidv7_sql';

ALTER TABLE @extschema@.sessions ALTER COLUMN id SET DEFAULT @extschema@.rag_uuidv7();

CREATE FUNCTION @extschema@.rag_add_messages(
  session_id     pg_catalog.uuid,
  messages       pg_catalog.jsonb,
  user_id        pg_catalog.text DEFAULT NULL,
  create_session pg_catalog.bool DEFAULT false
) RETURNS pg_catalog.int8[]
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_add_messages';

--
-- Descriptions
--
COMMENT ON COLUMN @extschema@.messages.token_count IS 'length of the content in the model''s tokens';
COMMENT ON COLUMN @extschema@.messages.metadata IS 'what else the application keeps about the message: model, finish reason, tool calls, rating, ...';
COMMENT ON COLUMN @extschema@.messages.idempotency_key IS 'the caller''s name for the message, once in a session: a retry with it writes nothing';
COMMENT ON INDEX @extschema@.uq_messages_idempotency_key IS 'messages of a session by idempotency key';
COMMENT ON INDEX @extschema@.ix_messages_session_id IS 'messages of a session in order';
COMMENT ON FUNCTION @extschema@.rag_uuidv7() IS 'new time-ordered UUID (version 7)';
COMMENT ON FUNCTION @extschema@.rag_add_messages(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool)
IS 'add a JSON array of messages to a session, all or none, and return their ids; create_session creates the session if it is missing';

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.1', '1.0');
