\set session :client_id + 1 + :clients * random(0, :sessions / :clients - 1)
BEGIN;
INSERT INTO messages (session_id, role, content, sources, latency_ms, top_k, query_type)
VALUES (lpad(:session, 32, '0')::uuid, :role, :content, :sources, :latency_ms, :top_k, :query_type)
RETURNING id;
UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = lpad(:session, 32, '0')::uuid;
COMMIT;
