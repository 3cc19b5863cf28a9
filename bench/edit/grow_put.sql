-- Each answer is stored 50 times, and 20 bytes longer each time.
\set n :n + 1
\set answer :n / 50
\set length (:n % 50 + 1) * 20
\set session 1 + :answer % :sessions
SELECT rag_put_message(lpad(:session, 32, '0')::uuid, 'answer-' || :round || '-' || :answer, 'assistant', left(repeat('An answer, word by word. ', 40), :length));
