\set session random(1, :sessions)
SELECT id, role, content, tokens FROM (
  SELECT id, role, content, tokens, sum(tokens) OVER (ORDER BY id DESC) AS total FROM (
    SELECT id, role, content, coalesce(token_count, (octet_length(content) + 3) / 4) AS tokens
    FROM messages WHERE session_id = lpad(:session, 32, '0')::uuid ORDER BY id DESC LIMIT 200) AS newest) AS counted
WHERE total <= 4000 ORDER BY id;
