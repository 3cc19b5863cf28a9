/* sql/rag_events--1.4--1.3.sql: back from what the answers are worth */

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
-- Refuses while there is something to lose.
--
LOCK TABLE @extschema@.rag_feedback, @extschema@.rag_usage_daily IN ACCESS EXCLUSIVE MODE;

CREATE FUNCTION @extschema@.rag_refuse_data_loss(tab pg_catalog.regclass, VARIADIC columns pg_catalog.text[]) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_refuse_data_loss';

SELECT @extschema@.rag_refuse_data_loss('@extschema@.rag_feedback'::pg_catalog.regclass, VARIADIC ARRAY['message_id']::pg_catalog.text[]);
SELECT @extschema@.rag_refuse_data_loss('@extschema@.rag_usage_daily'::pg_catalog.regclass, VARIADIC ARRAY['day']::pg_catalog.text[]);

DROP FUNCTION @extschema@.rag_refuse_data_loss(pg_catalog.regclass, pg_catalog.text[]);

DROP FUNCTION @extschema@.rag_usage(pg_catalog.date, pg_catalog.date);
DROP FUNCTION @extschema@.rag_open_usage(pg_catalog.date, pg_catalog.date);
DROP FUNCTION @extschema@.rag_close_days(pg_catalog.date);
DROP FUNCTION @extschema@.rag_latency_percentile(pg_catalog.int4[], pg_catalog.float8);
DROP AGGREGATE @extschema@.rag_latency_sum(pg_catalog.int4[]);
DROP FUNCTION @extschema@.rag_latency_add(pg_catalog.int4[], pg_catalog.int4[]);
DROP FUNCTION @extschema@.rag_get_feedback(pg_catalog.uuid, pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.rag_set_feedback(pg_catalog.uuid, pg_catalog.int8, pg_catalog.float8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text);
DROP VIEW @extschema@.rag_message_sources;
DROP FUNCTION @extschema@.rag_message_sources();
DROP INDEX @extschema@.ix_messages_created_at;

-- Not to be dumped any more, which DROP TABLE does not see to.
ALTER EXTENSION rag_events DROP TABLE @extschema@.rag_usage_daily;
ALTER EXTENSION rag_events DROP TABLE @extschema@.rag_feedback;
DROP TABLE @extschema@.rag_usage_daily;
DROP TABLE @extschema@.rag_feedback;

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.3', '1.4');
