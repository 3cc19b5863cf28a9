/* sql/rag_events--1.0.sql: the original schema, to the letter, and the functions that write it */

-- revision: 001_initial_schema
-- description: sessions and messages

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION rag_events" to load this file. \quit

--
-- PostgreSQL runs the script of a trusted extension as a superuser, so the right
-- to create in the schema must be looked at here.
--
CREATE FUNCTION @extschema@.rag_check_install(owner pg_catalog.regrole) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_check_install';

SELECT @extschema@.rag_check_install('@extowner@'::pg_catalog.regrole);

DROP FUNCTION @extschema@.rag_check_install(pg_catalog.regrole);

--
-- Sessions
--
CREATE TABLE @extschema@.sessions (
  id         pg_catalog.uuid      NOT NULL,
  user_id    pg_catalog.varchar,
  created_at pg_catalog.timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at pg_catalog.timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  metadata   pg_catalog.jsonb,
  CONSTRAINT sessions_pkey PRIMARY KEY (id)
);

CREATE INDEX ix_sessions_user_id ON @extschema@.sessions (user_id);
CREATE INDEX ix_sessions_user_created ON @extschema@.sessions (user_id, created_at);
CREATE INDEX ix_sessions_created_at ON @extschema@.sessions (created_at);

--
-- Messages. The sequence is made by hand, as serial makes it: serial itself would
-- quietly choose another name where this one is taken.
--
CREATE SEQUENCE @extschema@.messages_id_seq AS pg_catalog.int4;

CREATE TABLE @extschema@.messages (
  id         pg_catalog.int4      NOT NULL DEFAULT pg_catalog.nextval('@extschema@.messages_id_seq'::pg_catalog.regclass),
  session_id pg_catalog.uuid      NOT NULL,
  role       pg_catalog.varchar   NOT NULL,
  content    pg_catalog.text      NOT NULL,
  created_at pg_catalog.timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sources    pg_catalog.jsonb,
  latency_ms pg_catalog.float8,
  top_k      pg_catalog.int4,
  query_type pg_catalog.varchar,
  CONSTRAINT messages_pkey PRIMARY KEY (id),
  CONSTRAINT ck_messages_role CHECK (role::pg_catalog.text OPERATOR(pg_catalog.=)
    ANY (ARRAY['user'::pg_catalog.text, 'assistant'::pg_catalog.text])),
  CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id)
    REFERENCES @extschema@.sessions (id) ON DELETE CASCADE
);

ALTER SEQUENCE @extschema@.messages_id_seq OWNED BY @extschema@.messages.id;

CREATE INDEX ix_messages_session_id ON @extschema@.messages (session_id);
CREATE INDEX ix_messages_session_created ON @extschema@.messages (session_id, created_at);

--
-- The log of the scripts that ran. It stays the superuser's, so that nobody else
-- can attach a trigger to a table that scripts write.
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

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.0', NULL);

--
-- Functions. They run with the caller's rights, so that everybody may call them
-- and nobody gains anything by it.
--
CREATE FUNCTION @extschema@.rag_create_session(
  user_id       pg_catalog.text  DEFAULT NULL,
  metadata      pg_catalog.jsonb DEFAULT NULL,
  session_id    pg_catalog.uuid  DEFAULT NULL,
  if_not_exists pg_catalog.bool  DEFAULT false
) RETURNS pg_catalog.uuid
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_create_session';

-- The last three parameters need columns that the table has since 1.1; until then they
-- must be NULL. They are here from the beginning because CREATE OR REPLACE cannot add a
-- parameter, and DROP FUNCTION fails on what users made that depends on the function.
CREATE FUNCTION @extschema@.rag_add_message(
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

CREATE FUNCTION @extschema@.rag_version() RETURNS pg_catalog.text
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_version';

CREATE FUNCTION @extschema@.rag_migrations()
RETURNS TABLE (
  version      pg_catalog.text,
  down_version pg_catalog.text,
  revision     pg_catalog.text,
  description  pg_catalog.text,
  is_current   pg_catalog.bool,
  is_head      pg_catalog.bool,
  applied_at   pg_catalog.timestamptz,
  applied_by   pg_catalog.name
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'rag_migrations';

CREATE FUNCTION @extschema@.rag_next_version(
  steps pg_catalog.int4 DEFAULT 1
) RETURNS pg_catalog.text
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_next_version';

CREATE FUNCTION @extschema@.rag_migration_sql(
  from_version pg_catalog.text,
  to_version   pg_catalog.text
) RETURNS pg_catalog.text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'rag_migration_sql';

-- These two show names and definitions as they are whatever the caller's settings.
CREATE FUNCTION @extschema@.rag_check_schema()
RETURNS TABLE (object pg_catalog.text, kind pg_catalog.text, expected pg_catalog.text, actual pg_catalog.text, ddl pg_catalog.text)
LANGUAGE c STABLE
SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 3 SET jit = off
AS 'MODULE_PATHNAME', 'rag_check_schema';

CREATE FUNCTION @extschema@.rag_local_ddl()
RETURNS TABLE (section pg_catalog.text, object pg_catalog.text, ddl pg_catalog.text)
LANGUAGE c STABLE
SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 3 SET jit = off
AS 'MODULE_PATHNAME', 'rag_local_ddl';

--
-- Descriptions
--
COMMENT ON TABLE @extschema@.sessions IS 'conversations between a user and an assistant';
COMMENT ON COLUMN @extschema@.sessions.id IS 'id of the session; rag_create_session() makes time-ordered ones';
COMMENT ON COLUMN @extschema@.sessions.user_id IS 'user whom the session belongs to, by the application''s name for them; null: nobody''s';
COMMENT ON COLUMN @extschema@.sessions.created_at IS 'when the session was created, in the TimeZone of the client that did it';
COMMENT ON COLUMN @extschema@.sessions.updated_at IS 'when the last message was added, in the TimeZone of the client that did it';
COMMENT ON COLUMN @extschema@.sessions.metadata IS 'what the application keeps about the session';
COMMENT ON CONSTRAINT sessions_pkey ON @extschema@.sessions IS 'a session is known by its id';
COMMENT ON INDEX @extschema@.sessions_pkey IS 'sessions by id';
COMMENT ON INDEX @extschema@.ix_sessions_user_id IS 'sessions of a user';
COMMENT ON INDEX @extschema@.ix_sessions_user_created IS 'sessions of a user by time of creation';
COMMENT ON INDEX @extschema@.ix_sessions_created_at IS 'sessions by time of creation';

COMMENT ON TABLE @extschema@.messages IS 'messages of the sessions; within a session, the order of ids is the order of the conversation';
COMMENT ON COLUMN @extschema@.messages.id IS 'id of the message, ascending';
COMMENT ON COLUMN @extschema@.messages.session_id IS 'session that the message belongs to';
COMMENT ON COLUMN @extschema@.messages.role IS 'who speaks: user or assistant';
COMMENT ON COLUMN @extschema@.messages.content IS 'text of the message';
COMMENT ON COLUMN @extschema@.messages.created_at IS 'when the message was added, in the TimeZone of the client that did it; not what messages are ordered by';
COMMENT ON COLUMN @extschema@.messages.sources IS 'retrieved passages that the answer rests on';
COMMENT ON COLUMN @extschema@.messages.latency_ms IS 'how long the answer took, in milliseconds';
COMMENT ON COLUMN @extschema@.messages.top_k IS 'how many passages the retrieval was asked for';
COMMENT ON COLUMN @extschema@.messages.query_type IS 'kind of query, as the application names it';
COMMENT ON SEQUENCE @extschema@.messages_id_seq IS 'ids of messages';
COMMENT ON CONSTRAINT messages_pkey ON @extschema@.messages IS 'a message is known by its id';
COMMENT ON CONSTRAINT ck_messages_role ON @extschema@.messages IS 'the two roles of a conversation, matched exactly';
COMMENT ON CONSTRAINT messages_session_id_fkey ON @extschema@.messages IS 'messages go when their session goes';
COMMENT ON INDEX @extschema@.messages_pkey IS 'messages by id';
COMMENT ON INDEX @extschema@.ix_messages_session_id IS 'messages of a session';
COMMENT ON INDEX @extschema@.ix_messages_session_created IS 'messages of a session by time';

COMMENT ON TABLE @extschema@.rag_migration_log IS 'one row for each script of the extension that ran in this database; not dumped';
COMMENT ON COLUMN @extschema@.rag_migration_log.id IS 'order of the scripts';
COMMENT ON COLUMN @extschema@.rag_migration_log.version IS 'version that the script led to';
COMMENT ON COLUMN @extschema@.rag_migration_log.previous_version IS 'version that the script started from; null: none';
COMMENT ON COLUMN @extschema@.rag_migration_log.applied_at IS 'start of the transaction that ran the script';
COMMENT ON COLUMN @extschema@.rag_migration_log.applied_by IS 'session_user who ran the script';
COMMENT ON SEQUENCE @extschema@.rag_migration_log_id_seq IS 'order of the scripts';
COMMENT ON CONSTRAINT rag_migration_log_pkey ON @extschema@.rag_migration_log IS 'a script''s run is known by its place in the order';
COMMENT ON INDEX @extschema@.rag_migration_log_pkey IS 'runs of scripts in order';

COMMENT ON FUNCTION @extschema@.rag_create_session(pg_catalog.text, pg_catalog.jsonb, pg_catalog.uuid, pg_catalog.bool)
IS 'create a session and return its id; if_not_exists returns the user''s session of that id if there is one';
COMMENT ON FUNCTION @extschema@.rag_add_message(pg_catalog.uuid, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.float8, pg_catalog.int4, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.text)
IS 'add a message (role user or assistant, latency in milliseconds) to a session and return the message''s id';
COMMENT ON FUNCTION @extschema@.rag_version() IS 'version of rag_events that is installed in this database';
COMMENT ON FUNCTION @extschema@.rag_migrations()
IS 'versions of rag_events, oldest first, and when each was last applied to this database';
COMMENT ON FUNCTION @extschema@.rag_next_version(pg_catalog.int4)
IS 'version that is so many steps up (negative: down) from the installed one; null past either end';
COMMENT ON FUNCTION @extschema@.rag_migration_sql(pg_catalog.text, pg_catalog.text)
IS 'what ALTER EXTENSION would run between two versions; from null: what CREATE EXTENSION would run';
COMMENT ON FUNCTION @extschema@.rag_check_schema() IS 'what differs between this database and the installed version, each with the DDL that mends it';
COMMENT ON FUNCTION @extschema@.rag_local_ddl() IS 'DDL for what users attached to the tables and pg_dump does not keep';

--
-- pg_dump keeps the rows of these. The log tells of this database alone.
--
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sessions'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.messages'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.messages_id_seq'::pg_catalog.regclass, ''::pg_catalog.text);

--
-- The tables (and with messages its sequence) belong to the user who installs, as
-- they would had he made them himself. Last, when nothing is left to be done here.
--
ALTER TABLE @extschema@.sessions OWNER TO @extowner@;
ALTER TABLE @extschema@.messages OWNER TO @extowner@;
