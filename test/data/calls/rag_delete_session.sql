SELECT @extschema@.rag_delete_session(session_id => @extschema@.rag_create_session(user_id => 'caller'), user_id => 'caller');
