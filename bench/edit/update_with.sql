\set m random(0, :sessions * 50 - 1)
\set session 1 + :m / 5000 * 100 + :m % 200 / 2
\set id :m + 1
WITH touched AS (UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = lpad(:session, 32, '0')::uuid)
UPDATE messages SET content = 'An answer that grows while the model writes it, word by word, and is stored again and again.'
WHERE id = :id AND session_id = lpad(:session, 32, '0')::uuid;
