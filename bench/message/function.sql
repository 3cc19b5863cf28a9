\set session random(1, :sessions)
SELECT rag_add_message(lpad(:session, 32, '0')::uuid, :role, :content, :sources, :latency_ms, :top_k, :query_type);
