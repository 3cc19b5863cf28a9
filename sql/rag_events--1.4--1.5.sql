/* sql/rag_events--1.4--1.5.sql: several machines */

-- revision: 006_several_machines
-- description: the tables distributed over several machines by Citus

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.5'" to load this file. \quit

--
-- Both tables at once, so that no writer is caught between the two.
--
CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

--
-- Functions
--
CREATE FUNCTION @extschema@.rag_add_conversations(
  conversations pg_catalog.jsonb
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_add_conversations';

CREATE FUNCTION @extschema@.rag_add_shard_conversations(
  session_id    pg_catalog.uuid,
  conversations pg_catalog.jsonb
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_add_shard_conversations';

CREATE FUNCTION @extschema@.rag_distribute(
  shard_count pg_catalog.int4 DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS 'MODULE_PATHNAME', 'rag_distribute';

CREATE FUNCTION @extschema@.rag_undistribute() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS 'MODULE_PATHNAME', 'rag_undistribute';

CREATE FUNCTION @extschema@.rag_prepare_node(
  last_id pg_catalog.int8,
  ddl     pg_catalog.text[]
) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS 'MODULE_PATHNAME', 'rag_prepare_node';

CREATE FUNCTION @extschema@.rag_wait_for_writers() RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_wait_for_writers';

--
-- Citus does not survive a call for the session NULL.
--
CREATE FUNCTION @extschema@.rag_no_session() RETURNS pg_catalog.uuid
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_no_session';

CREATE FUNCTION @extschema@.rag_delegation_support(request pg_catalog.internal) RETURNS pg_catalog.internal
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'rag_delegation_support';

ALTER FUNCTION @extschema@.rag_add_message(pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_add_messages(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text, pg_catalog.bool)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_add_shard_conversations(pg_catalog.uuid, pg_catalog.jsonb)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_copy_session(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_delete_messages(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_delete_session(pg_catalog.uuid, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_export_session(pg_catalog.uuid, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_context(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.int8, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_feedback(pg_catalog.uuid, pg_catalog.text, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_messages(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int8, pg_catalog.text, pg_catalog.bool)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_messages_after(pg_catalog.uuid, pg_catalog.int8, pg_catalog.int4, pg_catalog.text, pg_catalog.bool)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_prompt(pg_catalog.uuid, pg_catalog.int4, pg_catalog.int4, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_get_session(pg_catalog.uuid, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_put_message(pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_set_feedback(pg_catalog.uuid, pg_catalog.int8, pg_catalog.float8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_update_message(pg_catalog.uuid, pg_catalog.int8, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;
ALTER FUNCTION @extschema@.rag_update_session(pg_catalog.uuid, pg_catalog.jsonb, pg_catalog.text)
  SUPPORT @extschema@.rag_delegation_support;

--
-- Descriptions
--
COMMENT ON FUNCTION @extschema@.rag_add_conversations(pg_catalog.jsonb)
IS 'add messages to many sessions, all or none; returns how many were stored';
COMMENT ON FUNCTION @extschema@.rag_add_shard_conversations(pg_catalog.uuid, pg_catalog.jsonb) IS 'part of rag_add_conversations() on the node that has the session';
COMMENT ON FUNCTION @extschema@.rag_distribute(pg_catalog.int4)
IS 'distribute the tables over the nodes of a Citus cluster, by session, into so many shards (null: citus.shard_count); again after a node was added';
COMMENT ON FUNCTION @extschema@.rag_undistribute() IS 'bring all rows back to the coordinator of the cluster';
COMMENT ON FUNCTION @extschema@.rag_prepare_node(pg_catalog.int8, pg_catalog.text[]) IS 'part of rag_distribute() on the other nodes';
COMMENT ON FUNCTION @extschema@.rag_wait_for_writers() IS 'part of rag_close_days() on the other nodes';
COMMENT ON FUNCTION @extschema@.rag_no_session() IS 'part of rag_delegation_support()';
COMMENT ON FUNCTION @extschema@.rag_delegation_support(pg_catalog.internal) IS 'keeps Citus from calls for the session null';

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.5', '1.4');
