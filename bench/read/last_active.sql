-- 200 sessions of the whole table: those that are in use, whatever else there is.
\set session 1 + random(0, 199) * (:sessions / 200)
SELECT * FROM rag_get_messages(lpad(:session, 32, '0')::uuid, 20);
