INSERT INTO usage_by_hand
SELECT m.created_at::date, s.user_id, m.metadata ->> 'model', m.query_type, count(DISTINCT m.session_id),
  count(*) FILTER (WHERE m.role = 'user'), count(*) FILTER (WHERE m.role = 'assistant'),
  count(*) FILTER (WHERE m.role = 'assistant' AND (m.sources IS NULL OR m.sources = '[]')),
  sum((m.metadata ->> 'input_tokens')::bigint), sum((m.metadata ->> 'output_tokens')::bigint),
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY m.latency_ms)
FROM messages AS m JOIN sessions AS s ON s.id = m.session_id
WHERE m.created_at >= '2025-01-01'::date + CAST(:round AS integer) AND m.created_at < '2025-01-01'::date + (CAST(:round AS integer) + 1)
GROUP BY 1, 2, 3, 4;
