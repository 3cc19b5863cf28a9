-- The usage of the days of messages, from $1 up to and without $2 (timestamps): rows as
-- those of rag_usage_daily. What is not a number of tokens or milliseconds counts as if
-- it were not there, so that no row keeps a day from being counted.
SELECT m.day, s.user_id, m.model, m.query_type,
       pg_catalog.count(*) FILTER (WHERE m.is_first) AS sessions,
       pg_catalog.count(*) FILTER (WHERE NOT m.is_answer) AS questions,
       pg_catalog.count(*) FILTER (WHERE m.is_answer) AS answers,
       pg_catalog.count(*) FILTER (WHERE m.is_answer AND m.has_no_sources) AS answers_without_sources,
       -- An answer's input_tokens are those of the whole prompt, with the question in it.
       COALESCE(pg_catalog.sum(CASE WHEN m.is_answer THEN m.input_tokens WHEN m.next_input_tokens IS NULL THEN COALESCE(m.input_tokens, m.token_count) END), 0)::pg_catalog.int8 AS input_tokens,
       COALESCE(pg_catalog.sum(CASE WHEN m.is_answer THEN COALESCE(m.output_tokens, m.token_count) END), 0)::pg_catalog.int8 AS output_tokens,
       @extschema@.rag_latency_sum(ARRAY[m.bucket, 1]) FILTER (WHERE m.is_answer AND m.bucket IS NOT NULL) AS latency
FROM (
  SELECT f.*,
         pg_catalog.row_number() OVER session_of_day OPERATOR(pg_catalog.=) 1 AS is_first,
         pg_catalog.lead(CASE WHEN f.is_answer THEN f.input_tokens END) OVER session_of_day AS next_input_tokens
  FROM (
    SELECT r.session_id, r.id, r.day, r.is_answer, r.has_no_sources, r.query_type, r.bucket,
           GREATEST(r.token_count, 0)::pg_catalog.int8 AS token_count,
           pg_catalog.left(r.metadata OPERATOR(pg_catalog.->>) 'model'::pg_catalog.text, 200) AS model,
           CASE WHEN pg_catalog.jsonb_typeof(r.input) OPERATOR(pg_catalog.=) 'number'::pg_catalog.text
                THEN LEAST(GREATEST(r.input::pg_catalog.numeric, 0), 1000000000)::pg_catalog.int8 END AS input_tokens,
           CASE WHEN pg_catalog.jsonb_typeof(r.output) OPERATOR(pg_catalog.=) 'number'::pg_catalog.text
                THEN LEAST(GREATEST(r.output::pg_catalog.numeric, 0), 1000000000)::pg_catalog.int8 END AS output_tokens
    FROM (
      SELECT d.session_id, d.id, d.created_at::pg_catalog.date AS day,
             d.role::pg_catalog.text OPERATOR(pg_catalog.=) 'assistant'::pg_catalog.text AS is_answer,
             -- null, [] and {} are short; others are not read for it
             d.sources IS NULL OR pg_catalog.pg_column_size(d.sources) OPERATOR(pg_catalog.<) 32 AND
               d.sources::pg_catalog.jsonb OPERATOR(pg_catalog.=) ANY ('{"null","[]","{}"}'::pg_catalog.jsonb[]) AS has_no_sources,
             pg_catalog.left(d.query_type::pg_catalog.text, 200) AS query_type,
             d.token_count,
             d.metadata::pg_catalog.jsonb AS metadata,
             d.metadata::pg_catalog.jsonb OPERATOR(pg_catalog.->) 'input_tokens'::pg_catalog.text AS input,
             d.metadata::pg_catalog.jsonb OPERATOR(pg_catalog.->) 'output_tokens'::pg_catalog.text AS output,
             -- 0.0392... is the logarithm of 1.04 (see latency.c)
             CASE WHEN d.latency_ms OPERATOR(pg_catalog.>=) 0 AND d.latency_ms OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8
                  THEN pg_catalog.round(pg_catalog.ln(LEAST(GREATEST(d.latency_ms, 0.001), 1e15))
                         OPERATOR(pg_catalog./) 0.03922071315328133::pg_catalog.float8)::pg_catalog.int4 END AS bucket
      FROM @extschema@.messages AS d
      WHERE d.created_at OPERATOR(pg_catalog.>=) $1 AND d.created_at OPERATOR(pg_catalog.<) $2
        AND pg_catalog.isfinite(d.created_at)
      @local{OFFSET 0}@  -- so that each number is looked up once
    ) AS r
    @local{OFFSET 0}@  -- so that no more than these values is sorted
  ) AS f
  WINDOW session_of_day AS (PARTITION BY f.session_id, f.day ORDER BY f.id)
) AS m
@local{CROSS JOIN LATERAL (
  SELECT s.user_id::pg_catalog.text AS user_id
  FROM @extschema@.sessions AS s
  WHERE s.id OPERATOR(pg_catalog.=) m.session_id
  OFFSET 0  -- so that the sessions of other days are not read
) AS s}@
@distributed{JOIN (SELECT id, user_id::pg_catalog.text AS user_id FROM @extschema@.sessions) AS s
ON s.id OPERATOR(pg_catalog.=) m.session_id}@
GROUP BY m.day, s.user_id, m.model, m.query_type
