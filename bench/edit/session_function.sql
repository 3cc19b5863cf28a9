\set n :n + 1
SELECT rag_delete_session(lpad(:n, 32, '0')::uuid);
