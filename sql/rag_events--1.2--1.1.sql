/* sql/rag_events--1.2--1.1.sql: back from the conversation */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.1'" to load this file. \quit

CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_import_session(pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool);
DROP FUNCTION @extschema@.rag_export_session(pg_catalog.uuid, pg_catalog.text);
DROP FUNCTION @extschema@.rag_copy_session(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text);
DROP FUNCTION @extschema@.rag_delete_messages(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text);
DROP FUNCTION @extschema@.rag_update_message(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text);
DROP FUNCTION @extschema@.rag_delete_session(pg_catalog.uuid, pg_catalog.text);
DROP FUNCTION @extschema@.rag_update_session(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text);
DROP FUNCTION @extschema@.rag_list_sessions(pg_catalog.text, pg_catalog.int4, pg_catalog.text);
DROP FUNCTION @extschema@.rag_get_context(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.int8, pg_catalog.text);
DROP FUNCTION @extschema@.rag_get_messages_after(pg_catalog.uuid, pg_catalog.int8, pg_catalog.int4, pg_catalog.text, pg_catalog.bool);
DROP FUNCTION @extschema@.rag_get_messages(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int8, pg_catalog.text, pg_catalog.bool);

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.1', '1.2');
