SELECT date_trunc('month', created_at) AS month, metadata ->> 'model' AS model, count(*) AS answers,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS percentiles
FROM messages
WHERE created_at >= '2025-01-01' AND created_at < '2026-01-01' AND role = 'assistant'
GROUP BY 1, 2;
