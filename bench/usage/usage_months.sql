SELECT date_trunc('month', day) AS month, model, sum(answers) AS answers,
  rag_latency_percentile(rag_latency_sum(latency), 0.5) AS p50,
  rag_latency_percentile(rag_latency_sum(latency), 0.95) AS p95,
  rag_latency_percentile(rag_latency_sum(latency), 0.99) AS p99
FROM rag_usage('2025-01-01', '2025-12-31')
WHERE answers > 0
GROUP BY 1, 2;
