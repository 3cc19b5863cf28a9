\set m random(0, :sessions * 50 - 1)
\set session 1 + :m / 5000 * 100 + :m % 200 / 2
\set key :m + 1
SELECT rag_put_message(lpad(:session, 32, '0')::uuid, lpad(:key, 9, '0'), CASE :m % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
  'An answer that grows while the model writes it, word by word, and is stored again and again.');
