\set session random(1, :sessions)
SELECT * FROM rag_get_context(lpad(:session, 32, '0')::uuid, 4000);
