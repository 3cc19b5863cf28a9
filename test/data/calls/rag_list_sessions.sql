SELECT count(*) >= 0 FROM @extschema@.rag_list_sessions(user_id => 'caller', max_sessions => 2);
