\set session random(1, :sessions)
SELECT * FROM rag_get_messages(lpad(:session, 32, '0')::uuid, 20);
