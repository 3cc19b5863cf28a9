\set session random(1, :sessions)
SELECT * FROM (
  SELECT id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
  FROM messages WHERE session_id = lpad(:session, 32, '0')::uuid ORDER BY id DESC LIMIT 20
) AS m ORDER BY id;
