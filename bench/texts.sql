-- Writes one conversation of 2002 messages to standard output, as a data file has it
-- (JSON Lines): each between a half and one and a half times :length characters, made of
-- the texts of the data file on standard input, over and over with noise between them, so
-- that no two are the same and they do not compress better than texts do. (There is no
-- factor in common with what fill.sql counts by, but 2: users and answers take turns.)
\set ON_ERROR_STOP 1
CREATE TEMP TABLE line (conversation jsonb);
\copy line FROM PSTDIN WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE TEMP TABLE pool AS
SELECT row_number() OVER () - 1 AS n, m ->> 'content' AS content
FROM line, jsonb_array_elements(conversation -> 'messages') AS m WHERE m ->> 'content' <> '';
ANALYZE pool;
SELECT count(*) AS pool FROM pool \gset

COPY (
  SELECT jsonb_build_object('messages', jsonb_agg(message ORDER BY n))
  FROM (
    SELECT m.n, jsonb_build_object('role', CASE m.n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
      'content', left(string_agg(content || ' ' || md5(m.n || ':' || k) || ' ', '' ORDER BY k),
        :length / 2 + m.n * 7 % 2002 * :length / 2002)) AS message
    FROM generate_series(0, 2001) AS m (n), generate_series(0, :length / 20) AS k, pool
    WHERE pool.n = (m.n * 7 + k) % :pool
    GROUP BY m.n) AS made
) TO STDOUT WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
