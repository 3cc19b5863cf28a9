\set user random(0, :sessions / 1000 - 1)
SELECT * FROM rag_list_sessions('user-' || :user, 20);
