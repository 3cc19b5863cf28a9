-- How far rag_latency_percentile() is from percentile_cont() of the latencies themselves: in
-- each day and model, and in all.
WITH latency AS (
  SELECT created_at::date AS day, metadata ->> 'model' AS model, latency_ms FROM messages WHERE role = 'assistant'
), exact AS (
  SELECT day, model, percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS value
  FROM latency GROUP BY GROUPING SETS ((), (day, model))
), histogram AS (
  SELECT day, model, rag_latency_sum(latency) AS sum
  FROM rag_usage(NULL, NULL) WHERE answers > 0 GROUP BY GROUPING SETS ((), (day, model))
), error AS (
  SELECT e.day, fraction, abs(rag_latency_percentile(sum, fraction) / value[n] - 1) AS error
  FROM exact AS e JOIN histogram AS h ON (h.day, h.model) IS NOT DISTINCT FROM (e.day, e.model),
    unnest(ARRAY[0.5, 0.95, 0.99]) WITH ORDINALITY AS f (fraction, n)
)
SELECT format('percentile: p%s of %s groups by day and model is off by %s %% in the middle, %s %% at most; of all, by %s %% (aimed at: 2).',
  fraction * 100, count(day), round(100 * percentile_cont(0.5) WITHIN GROUP (ORDER BY error)::numeric, 2),
  round(100 * max(error)::numeric, 2), round(100 * max(error) FILTER (WHERE day IS NULL)::numeric, 2))
FROM error GROUP BY fraction ORDER BY fraction;
