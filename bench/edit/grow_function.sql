-- As grow_put.sql, but the client keeps the id.
\set n :n + 1
\set answer :n / 50
\set length (:n % 50 + 1) * 20
\set session 1 + :answer % :sessions
\if :n % 50 = 0
SELECT rag_add_message(lpad(:session, 32, '0')::uuid, 'assistant', left(repeat('An answer, word by word. ', 40), :length), idempotency_key => 'answer-' || :round || '-' || :answer) AS id \gset
\else
SELECT rag_update_message(lpad(:session, 32, '0')::uuid, :id, left(repeat('An answer, word by word. ', 40), :length));
\endif
