SELECT id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
FROM messages WHERE session_id = :session ORDER BY id DESC LIMIT 20;
