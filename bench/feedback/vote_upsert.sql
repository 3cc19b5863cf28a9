\set id random(1, :size)
\set score random(0, 1) * 2 - 1
INSERT INTO rag_feedback AS f (session_id, message_id, name, score)
SELECT m.session_id, m.id, 'user', :score FROM messages AS m
WHERE m.id = :id AND m.session_id = lpad((1 + (:id - 1) / 1000 * 100 + (:id - 1) % 200 / 2)::text, 32, '0')::uuid
ON CONFLICT (session_id, message_id, source_no, name, rater)
DO UPDATE SET score = EXCLUDED.score, label = EXCLUDED.label, comment = EXCLUDED.comment, metadata = EXCLUDED.metadata, updated_at = CURRENT_TIMESTAMP;
