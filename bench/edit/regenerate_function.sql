\set n :n + 1
\set id (:n - 1) / 100 * 5000 + (:n - 1) % 100 * 2 + 4802 - :round % 2 - :round / 2 * 200
SELECT rag_delete_messages(lpad(:n, 32, '0')::uuid, :id);
