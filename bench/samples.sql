-- Picks the messages of a data file (JSON Lines on standard input) that are to be
-- written: answers with sources, or all messages where there are none of these. In
-- order of size, cut into :samples equal parts, the one in the middle of each part.
SET client_min_messages = warning;
DROP TABLE IF EXISTS line, sample CASCADE;
CREATE TABLE line (conversation jsonb);
\copy line FROM PSTDIN WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')

CREATE TABLE sample AS
WITH message AS (
  SELECT m ->> 'role' AS role, m ->> 'content' AS content, nullif(m ->> 'sources', '') AS sources,
    m ->> 'latency_ms' AS latency_ms, m ->> 'top_k' AS top_k, m ->> 'query_type' AS query_type
  FROM line, jsonb_array_elements(conversation -> 'messages') AS m
), fit AS (
  SELECT *, row_number() OVER by_size AS rank, count(*) OVER () AS total
  FROM message
  WHERE sources IS NOT NULL OR NOT EXISTS (SELECT FROM message WHERE sources IS NOT NULL)
  WINDOW by_size AS (ORDER BY octet_length(content) + coalesce(octet_length(sources), 0), content)
), part AS (
  SELECT *, ntile(:samples) OVER (ORDER BY rank) AS n FROM fit
)
SELECT DISTINCT ON (n) *
FROM part
ORDER BY n, abs(rank - (n - 0.5) * total / least(:samples, total));

-- A pgbench variable that is not set is a NULL parameter.
CREATE VIEW sample_argument AS
SELECT format('%s_%s=%s', key, n, value) AS argument
FROM sample, jsonb_each_text(to_jsonb(sample))
WHERE key IN ('role', 'content', 'sources', 'latency_ms', 'top_k', 'query_type')
  AND value IS NOT NULL;
