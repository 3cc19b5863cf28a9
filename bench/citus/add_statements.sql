BEGIN;
UPDATE sessions SET updated_at = now() WHERE id = :session;
INSERT INTO messages (session_id, role, content) VALUES (:session, 'user', :content) RETURNING id;
COMMIT;
