INSERT INTO messages (session_id, role, content) VALUES (:session, 'user', :content) RETURNING id;
