\set id random(1, :size)
\set score random(0, 1) * 2 - 1
SELECT rag_set_feedback(lpad((1 + (:id - 1) / 1000 * 100 + (:id - 1) % 200 / 2)::text, 32, '0')::uuid, :id, :score);
