SELECT id, metadata ->> 'title' AS title,
  (SELECT left(content, 200) FROM messages WHERE session_id = s.id AND role = 'user' ORDER BY id LIMIT 1) AS preview,
  created_at, updated_at, metadata
FROM sessions AS s WHERE user_id = :user ORDER BY updated_at DESC, id DESC LIMIT 20;
