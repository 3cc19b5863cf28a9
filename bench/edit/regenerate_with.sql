\set n :n + 1
\set id (:n - 1) / 100 * 5000 + (:n - 1) % 100 * 2 + 4802 - :round % 2 - :round / 2 * 200
WITH touched AS (UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = lpad(:n, 32, '0')::uuid)
DELETE FROM messages WHERE session_id = lpad(:n, 32, '0')::uuid AND id >= :id;
