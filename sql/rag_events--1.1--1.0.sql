/* sql/rag_events--1.1--1.0.sql: back from the write path */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.0'" to load this file. \quit

CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

CREATE FUNCTION @extschema@.rag_refuse_data_loss(tab pg_catalog.regclass, VARIADIC columns pg_catalog.text[]) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_refuse_data_loss';

SELECT @extschema@.rag_refuse_data_loss('@extschema@.messages'::pg_catalog.regclass, VARIADIC ARRAY['token_count', 'metadata', 'idempotency_key']::pg_catalog.text[]);

DROP FUNCTION @extschema@.rag_refuse_data_loss(pg_catalog.regclass, pg_catalog.text[]);

--
-- Functions
--
DROP FUNCTION @extschema@.rag_add_messages(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool);

ALTER TABLE @extschema@.sessions ALTER COLUMN id DROP DEFAULT;

DROP FUNCTION @extschema@.rag_uuidv7();

--
-- Storage. Rows that lz4 compressed stay readable.
--
ALTER TABLE @extschema@.sessions RESET (fillfactor);

ALTER TABLE @extschema@.messages ALTER COLUMN content SET COMPRESSION default;
ALTER TABLE @extschema@.messages ALTER COLUMN sources SET COMPRESSION default;

CREATE FUNCTION @extschema@.rag_replace_index(tab pg_catalog.text, index pg_catalog.text, columns pg_catalog.text) RETURNS void
LANGUAGE c SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS 'MODULE_PATHNAME', 'rag_replace_index';

SELECT @extschema@.rag_replace_index('messages'::pg_catalog.text, 'ix_messages_session_id'::pg_catalog.text, 'session_id'::pg_catalog.text);

DROP FUNCTION @extschema@.rag_replace_index(pg_catalog.text, pg_catalog.text, pg_catalog.text);

COMMENT ON INDEX @extschema@.ix_messages_session_id IS 'messages of a session';

--
-- Columns, with the index on the key
--
ALTER TABLE @extschema@.messages DROP COLUMN idempotency_key;
ALTER TABLE @extschema@.messages DROP COLUMN metadata;
ALTER TABLE @extschema@.messages DROP COLUMN token_count;

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.0', '1.1');
