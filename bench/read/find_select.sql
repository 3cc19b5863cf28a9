SELECT s.id, left(s.metadata ->> 'title', 200), s.created_at, s.updated_at, s.metadata, m.id, m.role, left(m.content, 200)
FROM sessions AS s CROSS JOIN LATERAL (
  SELECT id, role, content FROM messages
  WHERE session_id = s.id AND content ILIKE '%' || :word || '%' ORDER BY id DESC LIMIT 1) AS m
WHERE s.user_id = 'searcher' ORDER BY s.updated_at DESC, s.id DESC LIMIT 20;
