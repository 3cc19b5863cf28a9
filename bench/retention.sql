-- What bench/retention.sh works on: :sessions sessions of :length messages, of 100 users;
-- the first :expire of them without activity for a year. Then tables that have been there.
CREATE EXTENSION rag_events;

INSERT INTO sessions (id, user_id, created_at, updated_at, metadata)
SELECT lpad(n::text, 32, '0')::uuid, 'user-' || n % 100, last - interval '1 hour', last, '{"title": "bench"}'
FROM generate_series(1, :sessions) AS n,
     LATERAL (SELECT LOCALTIMESTAMP - CASE WHEN n <= :expire THEN interval '1 year' ELSE interval '1 day' END
                     - (:sessions - n) * interval '1 second' AS last) AS activity;

-- Every session exists: the key check would only take time.
SET session_replication_role = replica;
INSERT INTO messages (session_id, role, content, created_at)
SELECT id, CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, repeat(md5(concat(id, n)), 10), updated_at
FROM sessions, generate_series(1, :length) AS n ORDER BY id, n;
RESET session_replication_role;
VACUUM (FREEZE, ANALYZE) sessions, messages;
CHECKPOINT;
