/* sql/rag_events--001_initial_schema.sql: takes over the tables that another migration tool made */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION rag_events VERSION '001_initial_schema'" to load this file. \quit

--
-- The tables become the extension's as they stand, with their rows, owner and
-- grants, if they are those of version 1.0 in all but names. Otherwise this is an
-- error that lists what differs, and nothing is changed.
--
CREATE FUNCTION @extschema@.rag_adopt(owner pg_catalog.regrole) RETURNS void
LANGUAGE c
SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 3 SET jit = off
AS 'MODULE_PATHNAME', 'rag_adopt';

SELECT @extschema@.rag_adopt('@extowner@'::pg_catalog.regrole);

DROP FUNCTION @extschema@.rag_adopt(pg_catalog.regrole);

SELECT pg_catalog.pg_extension_config_dump('@extschema@.sessions'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.messages'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.messages_id_seq'::pg_catalog.regclass, ''::pg_catalog.text);

--
-- The log of the scripts that ran, as in version 1.0.
--
CREATE TABLE @extschema@.rag_migration_log (
  id               pg_catalog.int4        GENERATED ALWAYS AS IDENTITY,
  version          pg_catalog.text        NOT NULL,
  previous_version pg_catalog.text,
  applied_at       pg_catalog.timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  applied_by       pg_catalog.name        NOT NULL DEFAULT SESSION_USER,
  CONSTRAINT rag_migration_log_pkey PRIMARY KEY (id)
);

GRANT SELECT ON @extschema@.rag_migration_log TO PUBLIC;

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('001_initial_schema', NULL);
