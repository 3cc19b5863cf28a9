\set session :client_id + 1 + :clients * random(0, :sessions / :clients - 1)
\set key random(1, 2000000000000)
SELECT rag_put_message(lpad(:session, 32, '0')::uuid, lpad(:key, 15, '0'), :role, :content, :sources, :latency_ms, :top_k, :query_type);
