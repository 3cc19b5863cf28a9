/* sql/rag_events--1.5--1.4.sql: back from several machines */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION rag_events UPDATE TO '1.4'" to load this file. \quit

--
-- Both tables at once, so that no writer is caught between the two.
--
CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

--
-- Refuses while the tables are distributed.
--
CREATE FUNCTION @extschema@.rag_refuse_distributed() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_refuse_distributed';

SELECT @extschema@.rag_refuse_distributed();

DROP FUNCTION @extschema@.rag_refuse_distributed();

--
-- The functions without their support.
--
CREATE OR REPLACE FUNCTION @extschema@.rag_add_message(
  session_id      pg_catalog.uuid,
  role            pg_catalog.text,
  content         pg_catalog.text,
  sources         pg_catalog.jsonb  DEFAULT NULL,
  latency_ms      pg_catalog.float8 DEFAULT NULL,
  top_k           pg_catalog.int4   DEFAULT NULL,
  query_type      pg_catalog.text   DEFAULT NULL,
  user_id         pg_catalog.text   DEFAULT NULL,
  token_count     pg_catalog.int4   DEFAULT NULL,
  metadata        pg_catalog.jsonb  DEFAULT NULL,
  idempotency_key pg_catalog.text   DEFAULT NULL
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_add_message';

CREATE OR REPLACE FUNCTION @extschema@.rag_add_messages(
  session_id     pg_catalog.uuid,
  messages       pg_catalog.jsonb,
  user_id        pg_catalog.text DEFAULT NULL,
  create_session pg_catalog.bool DEFAULT false
) RETURNS pg_catalog.int8[]
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_add_messages';

CREATE OR REPLACE FUNCTION @extschema@.rag_copy_session(
  session_id pg_catalog.uuid,
  upto_id    pg_catalog.int8 DEFAULT NULL,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_copy_session';

CREATE OR REPLACE FUNCTION @extschema@.rag_delete_messages(
  session_id pg_catalog.uuid,
  from_id    pg_catalog.int8,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.int8
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_delete_messages';

CREATE OR REPLACE FUNCTION @extschema@.rag_delete_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.bool
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_delete_session';

CREATE OR REPLACE FUNCTION @extschema@.rag_export_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED
-- Numbers are exact whatever the caller's settings.
SET extra_float_digits = 1
AS 'MODULE_PATHNAME', 'rag_export_session';

CREATE OR REPLACE FUNCTION @extschema@.rag_get_context(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_get_feedback(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL,
  rater      pg_catalog.text DEFAULT NULL
) RETURNS TABLE (
  message_id pg_catalog.int8,
  source_no  pg_catalog.int4,
  name       pg_catalog.text,
  rater      pg_catalog.text,
  score      pg_catalog.float8,
  label      pg_catalog.text,
  comment    pg_catalog.text,
  metadata   pg_catalog.jsonb,
  created_at pg_catalog.timestamp,
  updated_at pg_catalog.timestamp
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'rag_get_feedback';

CREATE OR REPLACE FUNCTION @extschema@.rag_get_messages(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_get_messages_after(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_get_prompt(
  session_id   pg_catalog.uuid,
  max_tokens   pg_catalog.int4,
  max_messages pg_catalog.int4 DEFAULT NULL,
  user_id      pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'rag_get_prompt';

CREATE OR REPLACE FUNCTION @extschema@.rag_get_session(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_put_message(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_set_feedback(
  session_id pg_catalog.uuid,
  message_id pg_catalog.int8,
  score      pg_catalog.float8 DEFAULT NULL,
  label      pg_catalog.text   DEFAULT NULL,
  comment    pg_catalog.text   DEFAULT NULL,
  name       pg_catalog.text   DEFAULT 'user',
  source_no  pg_catalog.int4   DEFAULT NULL,
  rater      pg_catalog.text   DEFAULT NULL,
  metadata   pg_catalog.jsonb  DEFAULT NULL,
  user_id    pg_catalog.text   DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_set_feedback';

CREATE OR REPLACE FUNCTION @extschema@.rag_update_message(
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

CREATE OR REPLACE FUNCTION @extschema@.rag_update_session(
  session_id pg_catalog.uuid,
  metadata   pg_catalog.jsonb,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_update_session';

DROP FUNCTION @extschema@.rag_add_shard_conversations(pg_catalog.uuid, pg_catalog.jsonb);
DROP FUNCTION @extschema@.rag_add_conversations(pg_catalog.jsonb);
DROP FUNCTION @extschema@.rag_delegation_support(pg_catalog.internal);
DROP FUNCTION @extschema@.rag_no_session();
DROP FUNCTION @extschema@.rag_wait_for_writers();
DROP FUNCTION @extschema@.rag_prepare_node(pg_catalog.int8, pg_catalog.text[]);
DROP FUNCTION @extschema@.rag_undistribute();
DROP FUNCTION @extschema@.rag_distribute(pg_catalog.int4);

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.4', '1.5');
