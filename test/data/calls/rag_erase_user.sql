SELECT sessions = 0 AND NOT more FROM @extschema@.rag_erase_user(user_id => 'nobody is called so', keep => '[{"hold": true}]', max_sessions => 1);
