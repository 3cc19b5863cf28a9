\set session random(1, :sessions)
SELECT rag_get_prompt(lpad(:session, 32, '0')::uuid, 1000000, 20);
