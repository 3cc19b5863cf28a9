DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE created_at < LOCALTIMESTAMP - interval '1 day'
  AND updated_at < LOCALTIMESTAMP - interval '1 day' ORDER BY created_at LIMIT 1000));
