\set session random(1, :sessions)
SELECT m.* FROM sessions AS s LEFT JOIN LATERAL (
  SELECT id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
  FROM messages WHERE session_id = s.id ORDER BY id DESC LIMIT 20
) AS m ON true WHERE s.id = lpad(:session, 32, '0')::uuid ORDER BY m.id;
