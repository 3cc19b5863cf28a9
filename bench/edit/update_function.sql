\set m random(0, :sessions * 50 - 1)
\set session 1 + :m / 5000 * 100 + :m % 200 / 2
\set id :m + 1
SELECT rag_update_message(lpad(:session, 32, '0')::uuid, :id, content => 'An answer that grows while the model writes it, word by word, and is stored again and again.');
