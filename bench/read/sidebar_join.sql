\set user random(0, :sessions / 1000 - 1)
SELECT l.id, l.metadata ->> 'title' AS title, left(m.content, 200) AS preview, l.created_at, l.last_message, l.metadata
FROM (
  SELECT s.id, s.created_at, s.metadata, max(m.created_at) AS last_message, min(m.id) FILTER (WHERE m.role = 'user') AS first_id
  FROM sessions AS s LEFT JOIN messages AS m ON m.session_id = s.id
  WHERE s.user_id = 'user-' || :user
  GROUP BY s.id ORDER BY last_message DESC NULLS LAST LIMIT 20
) AS l LEFT JOIN messages AS m ON m.id = l.first_id
ORDER BY l.last_message DESC NULLS LAST;
