-- :size messages, ten to a session. Every session exists: the key check would only
-- take time.
SET session_replication_role = replica;
INSERT INTO messages (session_id, role, content, created_at)
SELECT lpad((1 + n / 10)::text, 32, '0')::uuid, CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
  CASE n % 2 WHEN 0 THEN 'hi' ELSE 'Hello!' END, LOCALTIMESTAMP - (:size - n) * interval '1 second'
FROM generate_series(0, :size - 1) AS n;
RESET session_replication_role;
VACUUM ANALYZE messages;
