-- :sessions sessions of 50 small messages, of 20 users.
\set ON_ERROR_STOP 1
TRUNCATE sessions, messages, rag_feedback;
INSERT INTO sessions (id, user_id, metadata, created_at, updated_at)
SELECT md5(n::text)::uuid, 'user-' || n % 20, '{"title": "bench"}', LOCALTIMESTAMP - n * interval '1 minute',
  LOCALTIMESTAMP - n * interval '1 minute'
FROM generate_series(1, :sessions) AS n;
INSERT INTO messages (session_id, role, content)
SELECT md5(n::text)::uuid, CASE m % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, CASE m % 2 WHEN 1 THEN 'hi' ELSE 'Hello!' END
FROM generate_series(1, 50) AS m, generate_series(1, :sessions) AS n;
VACUUM ANALYZE sessions, messages;
