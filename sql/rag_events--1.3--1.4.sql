/* sql/rag_events--1.3--1.4.sql: what the answers are worth */

-- revision: 005_insight
-- description: feedback, sources as rows, and usage by day that outlives the messages

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
-- Feedback. It goes with its session by a foreign key; rag_delete_messages() deletes
-- that of its messages, as a key on messages would cost a trigger for each message that
-- goes. No column may be null in a primary key, hence the index, and the replica
-- identity for publications.
--
CREATE TABLE @extschema@.rag_feedback (
  session_id pg_catalog.uuid      NOT NULL,
  message_id pg_catalog.int8      NOT NULL,
  source_no  pg_catalog.int4,
  name       pg_catalog.text      NOT NULL,
  rater      pg_catalog.text,
  score      pg_catalog.float8,
  label      pg_catalog.text,
  comment    pg_catalog.text,
  metadata   pg_catalog.jsonb,
  created_at pg_catalog.timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at pg_catalog.timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT rag_feedback_session_id_fkey FOREIGN KEY (session_id)
    REFERENCES @extschema@.sessions (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX uq_rag_feedback ON @extschema@.rag_feedback
  (session_id, message_id, source_no NULLS FIRST, name, rater NULLS FIRST) NULLS NOT DISTINCT;
CREATE INDEX ix_rag_feedback_rater ON @extschema@.rag_feedback (rater) WHERE rater IS NOT NULL;

ALTER TABLE @extschema@.rag_feedback REPLICA IDENTITY FULL;

--
-- Usage by day. Rows are added when a day is closed, once; their keys are distinct until
-- a user is erased.
--
CREATE TABLE @extschema@.rag_usage_daily (
  day                     pg_catalog.date NOT NULL,
  user_id                 pg_catalog.text,
  model                   pg_catalog.text,
  query_type              pg_catalog.text,
  sessions                pg_catalog.int8 NOT NULL,
  questions               pg_catalog.int8 NOT NULL,
  answers                 pg_catalog.int8 NOT NULL,
  answers_without_sources pg_catalog.int8 NOT NULL,
  input_tokens            pg_catalog.int8 NOT NULL,
  output_tokens           pg_catalog.int8 NOT NULL,
  latency                 pg_catalog.int4[]
);

CREATE INDEX ix_rag_usage_daily_day ON @extschema@.rag_usage_daily (day);
CREATE INDEX ix_rag_usage_daily_user_id ON @extschema@.rag_usage_daily (user_id) WHERE user_id IS NOT NULL;

ALTER TABLE @extschema@.rag_usage_daily REPLICA IDENTITY FULL;

--
-- Messages by time. One that was built beforehand (CREATE INDEX CONCURRENTLY) is taken.
--
CREATE FUNCTION @extschema@.rag_ensure_index(index pg_catalog.text, tab pg_catalog.text, definition pg_catalog.text) RETURNS void
LANGUAGE c SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off
AS 'MODULE_PATHNAME', 'rag_ensure_index';

SELECT @extschema@.rag_ensure_index('ix_messages_created_at'::pg_catalog.text, 'messages'::pg_catalog.text,
  'USING brin (created_at) WITH (pages_per_range=''32'')'::pg_catalog.text);

DROP FUNCTION @extschema@.rag_ensure_index(pg_catalog.text, pg_catalog.text, pg_catalog.text);

--
-- Sources as rows. The query stands in a function, which PostgreSQL puts in the place of
-- its call, because a view would keep the columns of messages from getting another type.
--
CREATE FUNCTION @extschema@.rag_message_sources()
RETURNS TABLE (
  session_id  pg_catalog.uuid,
  message_id  pg_catalog.int8,
  created_at  pg_catalog.timestamp,
  source_no   pg_catalog.int4,
  document_id pg_catalog.text,
  score       pg_catalog.float8,
  source      pg_catalog.jsonb
)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 AS $$
SELECT m.session_id, m.id::pg_catalog.int8, m.created_at::pg_catalog.timestamp, s.source_no::pg_catalog.int4,
  CASE WHEN pg_catalog.jsonb_typeof(s.source) OPERATOR(pg_catalog.=) 'object'::pg_catalog.text
    THEN COALESCE(
      s.source OPERATOR(pg_catalog.->>) 'document_id'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.->>) 'doc_id'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.->>) 'file_id'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.->>) 'id'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.->>) 'url'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.->>) 'source'::pg_catalog.text,
      s.source OPERATOR(pg_catalog.#>>) '{metadata,document_id}'::pg_catalog.text[],
      s.source OPERATOR(pg_catalog.#>>) '{metadata,source}'::pg_catalog.text[])
    WHEN pg_catalog.jsonb_typeof(s.source) OPERATOR(pg_catalog.<>) 'array'::pg_catalog.text
    THEN s.source OPERATOR(pg_catalog.#>>) '{}'::pg_catalog.text[]
  END,
  -- A number that is too large for a double precision, or too close to zero, is no error.
  CASE WHEN pg_catalog.jsonb_typeof(s.source OPERATOR(pg_catalog.->) 'score'::pg_catalog.text) OPERATOR(pg_catalog.=) 'number'::pg_catalog.text
    THEN CASE WHEN pg_catalog.abs((s.source OPERATOR(pg_catalog.->) 'score'::pg_catalog.text)::pg_catalog.numeric) OPERATOR(pg_catalog.>) 1e300 THEN NULL
      WHEN pg_catalog.abs((s.source OPERATOR(pg_catalog.->) 'score'::pg_catalog.text)::pg_catalog.numeric) OPERATOR(pg_catalog.<) 1e-300 THEN 0
      ELSE (s.source OPERATOR(pg_catalog.->) 'score'::pg_catalog.text)::pg_catalog.float8 END
  END,
  s.source
FROM @extschema@.messages AS m
CROSS JOIN LATERAL pg_catalog.jsonb_path_query(m.sources::pg_catalog.jsonb, 'lax $[*]'::pg_catalog.jsonpath)
  WITH ORDINALITY AS s (source, source_no)
WHERE pg_catalog.jsonb_typeof(s.source) OPERATOR(pg_catalog.<>) 'null'::pg_catalog.text
$$;

CREATE VIEW @extschema@.rag_message_sources WITH (security_invoker = true) AS
SELECT s.session_id, s.message_id, s.created_at, s.source_no, s.document_id, s.score, s.source
FROM @extschema@.rag_message_sources() AS s;

--
-- Functions
--
CREATE FUNCTION @extschema@.rag_set_feedback(
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

CREATE FUNCTION @extschema@.rag_get_feedback(
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

CREATE FUNCTION @extschema@.rag_latency_add(
  sum       pg_catalog.int4[],
  histogram pg_catalog.int4[]
) RETURNS pg_catalog.int4[]
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_latency_add';

CREATE AGGREGATE @extschema@.rag_latency_sum(histogram pg_catalog.int4[]) (
  SFUNC = @extschema@.rag_latency_add,
  STYPE = pg_catalog.int4[],
  COMBINEFUNC = @extschema@.rag_latency_add,
  PARALLEL = SAFE
);

CREATE FUNCTION @extschema@.rag_latency_percentile(
  histogram pg_catalog.int4[],
  fraction  pg_catalog.float8
) RETURNS pg_catalog.float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'rag_latency_percentile';

CREATE FUNCTION @extschema@.rag_close_days(
  upto pg_catalog.date DEFAULT NULL
) RETURNS pg_catalog.int4
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'rag_close_days';

CREATE FUNCTION @extschema@.rag_open_usage(
  from_day pg_catalog.date,
  to_day   pg_catalog.date
) RETURNS TABLE (
  day                     pg_catalog.date,
  user_id                 pg_catalog.text,
  model                   pg_catalog.text,
  query_type              pg_catalog.text,
  sessions                pg_catalog.int8,
  questions               pg_catalog.int8,
  answers                 pg_catalog.int8,
  answers_without_sources pg_catalog.int8,
  input_tokens            pg_catalog.int8,
  output_tokens           pg_catalog.int8,
  latency                 pg_catalog.int4[]
)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000 AS 'MODULE_PATHNAME', 'rag_open_usage';

--
-- PostgreSQL puts this query in the place of the call: what adds up closed days reads
-- the table, and nothing is stored on the way. (With the days in the first SELECT of the
-- UNION, that would be a step of its own for each row.)
--
CREATE FUNCTION @extschema@.rag_usage(
  from_day pg_catalog.date,
  to_day   pg_catalog.date
) RETURNS TABLE (
  day                     pg_catalog.date,
  user_id                 pg_catalog.text,
  model                   pg_catalog.text,
  query_type              pg_catalog.text,
  sessions                pg_catalog.int8,
  questions               pg_catalog.int8,
  answers                 pg_catalog.int8,
  answers_without_sources pg_catalog.int8,
  input_tokens            pg_catalog.int8,
  output_tokens           pg_catalog.int8,
  latency                 pg_catalog.int4[]
)
LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10000 AS $$
SELECT u.day, u.user_id, u.model, u.query_type, u.sessions, u.questions, u.answers,
  u.answers_without_sources, u.input_tokens, u.output_tokens, u.latency
FROM (
  SELECT d.day, d.user_id, d.model, d.query_type, d.sessions, d.questions, d.answers,
    d.answers_without_sources, d.input_tokens, d.output_tokens, d.latency
  FROM @extschema@.rag_usage_daily AS d
  UNION ALL
  SELECT o.day, o.user_id, o.model, o.query_type, o.sessions, o.questions, o.answers,
    o.answers_without_sources, o.input_tokens, o.output_tokens, o.latency
  FROM @extschema@.rag_open_usage($1, $2) AS o
) AS u
WHERE u.day OPERATOR(pg_catalog.>=) COALESCE($1, '-infinity'::pg_catalog.date)
  AND u.day OPERATOR(pg_catalog.<=) COALESCE($2, 'infinity'::pg_catalog.date)
$$;

--
-- Descriptions
--
COMMENT ON TABLE @extschema@.rag_feedback IS 'what people and evaluators say about messages and retrieved passages';
COMMENT ON COLUMN @extschema@.rag_feedback.session_id IS 'session of the message';
COMMENT ON COLUMN @extschema@.rag_feedback.message_id IS 'message that is judged';
COMMENT ON COLUMN @extschema@.rag_feedback.source_no IS 'place of the passage that is judged in the message''s sources, from 1; null: the message itself';
COMMENT ON COLUMN @extschema@.rag_feedback.name IS 'what is judged: user, relevance, faithfulness, ...';
COMMENT ON COLUMN @extschema@.rag_feedback.rater IS 'who judges: a reviewer or an evaluator; null: the user of the session';
COMMENT ON COLUMN @extschema@.rag_feedback.score IS 'judgment as a number: 1 and -1, 0 to 1, stars, ...';
COMMENT ON COLUMN @extschema@.rag_feedback.label IS 'judgment as a word: good, irrelevant, ...';
COMMENT ON COLUMN @extschema@.rag_feedback.comment IS 'explanation of the judgment';
COMMENT ON COLUMN @extschema@.rag_feedback.metadata IS 'what else the application keeps about the judgment';
COMMENT ON COLUMN @extschema@.rag_feedback.created_at IS 'when it was first given, in the TimeZone of the client that did it';
COMMENT ON COLUMN @extschema@.rag_feedback.updated_at IS 'when it was last given, in the TimeZone of the client that did it';
COMMENT ON CONSTRAINT rag_feedback_session_id_fkey ON @extschema@.rag_feedback IS 'feedback goes when its session goes';
COMMENT ON INDEX @extschema@.uq_rag_feedback IS 'one judgment of each name by each rater';
COMMENT ON INDEX @extschema@.ix_rag_feedback_rater IS 'feedback of a rater, to be erased';

COMMENT ON TABLE @extschema@.rag_usage_daily IS 'numbers of closed days, which stay when sessions are deleted';
COMMENT ON COLUMN @extschema@.rag_usage_daily.day IS 'day of the messages by their created_at';
COMMENT ON COLUMN @extschema@.rag_usage_daily.user_id IS 'user of the sessions; null: nobody, or somebody who was erased';
COMMENT ON COLUMN @extschema@.rag_usage_daily.model IS 'model in the metadata of the messages';
COMMENT ON COLUMN @extschema@.rag_usage_daily.query_type IS 'query_type of the messages';
COMMENT ON COLUMN @extschema@.rag_usage_daily.sessions IS 'sessions whose first message of the day is one of these';
COMMENT ON COLUMN @extschema@.rag_usage_daily.questions IS 'messages of the role user';
COMMENT ON COLUMN @extschema@.rag_usage_daily.answers IS 'messages of the role assistant';
COMMENT ON COLUMN @extschema@.rag_usage_daily.answers_without_sources IS 'answers with no sources, or empty ones';
COMMENT ON COLUMN @extschema@.rag_usage_daily.input_tokens IS 'input_tokens in the metadata of the messages, else token_count of the question';
COMMENT ON COLUMN @extschema@.rag_usage_daily.output_tokens IS 'output_tokens in the metadata of the answers, else their token_count';
COMMENT ON COLUMN @extschema@.rag_usage_daily.latency IS 'histogram of latency_ms of the answers: rag_latency_sum() adds up, rag_latency_percentile() reads it';
COMMENT ON INDEX @extschema@.ix_rag_usage_daily_day IS 'usage of a day';
COMMENT ON INDEX @extschema@.ix_rag_usage_daily_user_id IS 'usage of a user, to be erased';
COMMENT ON INDEX @extschema@.ix_messages_created_at IS 'pages with messages of a time, for what counts days';

COMMENT ON VIEW @extschema@.rag_message_sources IS 'retrieved passages of the messages, one a row';
COMMENT ON FUNCTION @extschema@.rag_message_sources() IS 'what the view rag_message_sources shows';
COMMENT ON FUNCTION @extschema@.rag_set_feedback(pg_catalog.uuid, pg_catalog.int8, pg_catalog.float8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int4, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text)
IS 'judge a message, or its passage source_no, by name and rater (null: the user): replaces the judgment; without score, label, comment and metadata takes it back';
COMMENT ON FUNCTION @extschema@.rag_get_feedback(pg_catalog.uuid, pg_catalog.text, pg_catalog.text)
IS 'feedback on a session''s messages in their order; with rater, only that rater''s';
COMMENT ON FUNCTION @extschema@.rag_latency_add(pg_catalog.int4[], pg_catalog.int4[])
IS 'sum of two latency histograms, for rag_latency_sum()';
COMMENT ON AGGREGATE @extschema@.rag_latency_sum(pg_catalog.int4[]) IS 'sum of latency histograms';
COMMENT ON FUNCTION @extschema@.rag_latency_percentile(pg_catalog.int4[], pg_catalog.float8)
IS 'latency in milliseconds that the fraction (0 to 1) of a latency histogram does not exceed, within 2 percent';
COMMENT ON FUNCTION @extschema@.rag_close_days(pg_catalog.date)
IS 'count the days that are not closed yet, up to this one (null: yesterday), keep their numbers, and return how many days had messages';
COMMENT ON FUNCTION @extschema@.rag_open_usage(pg_catalog.date, pg_catalog.date)
IS 'usage of the days that are not closed, counted now, for rag_usage()';
COMMENT ON FUNCTION @extschema@.rag_usage(pg_catalog.date, pg_catalog.date)
IS 'usage from one day to another (null: no limit): closed days as they were kept, the others counted now';

--
-- pg_dump keeps the rows. The tables and the view are those of the owner of sessions.
--
SELECT pg_catalog.pg_extension_config_dump('@extschema@.rag_feedback'::pg_catalog.regclass, ''::pg_catalog.text);
SELECT pg_catalog.pg_extension_config_dump('@extschema@.rag_usage_daily'::pg_catalog.regclass, ''::pg_catalog.text);

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.4', '1.3');

CREATE FUNCTION @extschema@.rag_give_to_owner(VARIADIC relations pg_catalog.text[]) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_give_to_owner';

SELECT @extschema@.rag_give_to_owner(VARIADIC ARRAY['rag_feedback', 'rag_usage_daily', 'rag_message_sources']::pg_catalog.text[]);

DROP FUNCTION @extschema@.rag_give_to_owner(pg_catalog.text[]);
