/* sql/rag_events--1.3--1.2.sql: back from the day after launch */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.2'" to load this file. \quit

--
-- Both tables at once, so that no writer is caught between the two.
--
CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_erase_user(pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.bool);
DROP FUNCTION @extschema@.rag_expire_sessions(pg_catalog.interval, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.bool);
DROP FUNCTION @extschema@.rag_reassign_sessions(pg_catalog.text, pg_catalog.text, pg_catalog.uuid);
DROP FUNCTION @extschema@.rag_put_message(pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb);
DROP FUNCTION @extschema@.rag_get_prompt(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.text);
DROP FUNCTION @extschema@.rag_find_sessions(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int4, pg_catalog.text);
DROP FUNCTION @extschema@.rag_get_session(pg_catalog.uuid, pg_catalog.text);

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.2', '1.3');
