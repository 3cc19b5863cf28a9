-- :size messages, evenly over :days days from the first of January 2025 on, :length to a
-- session, :together sessions at one time, of :users users, of whom the first have many
-- more sessions than the last. Contents are short; what is counted looks like real data:
-- three models, four query types, tokens, and latencies of three kinds: answers of
-- each model, spread as a normal distribution of their logarithm, answers out of a cache (a sixth),
-- and some that waited long (one in fifty). A tenth of the answers has no sources.
-- Every session exists: the key check would only take time.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SELECT setseed(0.5);
TRUNCATE sessions, messages, rag_feedback, rag_usage_daily;
INSERT INTO sessions (id, user_id, created_at, metadata)
SELECT lpad(n::text, 32, '0')::uuid, 'user-' || floor(:users * random() ^ 2),
  '2025-01-01'::timestamp + (n - 1) / (:size / :length)::float8 * :days * interval '1 day', '{"title": "bench"}'
FROM generate_series(1, :size / :length) AS n;

SET session_replication_role = replica;
INSERT INTO messages (session_id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata)
SELECT lpad((1 + m / (:length * :together) * :together + m % (2 * :together) / 2)::text, 32, '0')::uuid,
  CASE m % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
  CASE m % 2 WHEN 0 THEN 'What does the contract say?' ELSE 'It says that either side may end it.' END,
  '2025-01-01'::timestamp + m / :size::float8 * :days * interval '1 day',
  CASE WHEN m % 2 = 0 THEN NULL WHEN r1 < 0.1 THEN '[]'::jsonb ELSE '[{"id": "doc-17", "score": 0.83}, {"id": "doc-4", "score": 0.71}]' END,
  CASE WHEN m % 2 = 0 THEN NULL
    WHEN r2 < 0.16 THEN 20 + 60 * r1
    WHEN r2 < 0.18 THEN 8000 + 50000 * r1 * r1
    ELSE exp((ARRAY[6.9, 7.4, 8.0])[model] + 0.45 * sqrt(-2 * ln(1 - r1)) * cos(2 * pi() * r3)) END,
  CASE m % 2 WHEN 1 THEN 5 END,
  CASE WHEN m % 2 = 0 THEN NULL WHEN r3 < 0.6 THEN 'hybrid' WHEN r3 < 0.8 THEN 'vector' WHEN r3 < 0.9 THEN 'keyword' ELSE 'graph' END,
  CASE m % 2 WHEN 0 THEN 8 ELSE 9 END,
  CASE m % 2 WHEN 1 THEN jsonb_build_object('model', (ARRAY['small', 'medium', 'large'])[model],
    'input_tokens', 200 + (2000 * r1)::int, 'output_tokens', 20 + (400 * r2)::int) END
FROM (
  SELECT m, random() AS r1, random() AS r2, random() AS r3, CASE WHEN r < 0.7 THEN 1 WHEN r < 0.9 THEN 2 ELSE 3 END AS model
  FROM (SELECT m, random() AS r FROM generate_series(0, :size - 1) AS m OFFSET 0) AS drawn OFFSET 0
) AS made;
RESET session_replication_role;
VACUUM (FREEZE, ANALYZE) sessions, messages;
