SELECT @extschema@.rag_reassign_sessions(user_id => 'guest', new_user_id => 'caller') >= 0;
