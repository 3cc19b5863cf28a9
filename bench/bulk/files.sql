-- The same conversations for every way: calls (session id, tab, JSON array), rows
-- (COPY's text format) and ids (an array as text). A data file is repeated until it
-- has about 2000 messages; with :fold, each conversation is its messages so many times
-- over.
CREATE TABLE bulk AS
WITH conversation AS (
  SELECT (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('role', m -> 'role', 'content', m -> 'content',
        'sources', m -> 'sources', 'latency_ms', m -> 'latency_ms', 'top_k', m -> 'top_k',
        'query_type', m -> 'query_type')) ORDER BY r, n)
      FROM generate_series(1, :fold) AS r, jsonb_array_elements(conversation -> 'messages') WITH ORDINALITY AS e (m, n)
    ) AS messages
  FROM line
), total AS (
  SELECT greatest(1, round(2000 / sum(jsonb_array_length(messages))))::int AS copies FROM conversation
)
SELECT row_number() OVER () AS n, messages FROM total, generate_series(1, copies), conversation;
ALTER TABLE bulk ADD session_id uuid;
UPDATE bulk SET session_id = lpad(n::text, 32, '0')::uuid;

\o :calls
COPY (SELECT session_id, messages FROM bulk ORDER BY n)
TO STDOUT WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x01');
\o :rows
COPY (
  SELECT session_id, m ->> 'role', m ->> 'content', m -> 'sources', m ->> 'latency_ms', m ->> 'top_k', m ->> 'query_type'
  FROM bulk, jsonb_array_elements(messages) WITH ORDINALITY AS e (m, i)
  ORDER BY n, i
) TO STDOUT;
\o :ids
SELECT array_agg(session_id) FROM bulk;
\o
SELECT sum(jsonb_array_length(messages)), count(*) FROM bulk;
DROP TABLE bulk;
