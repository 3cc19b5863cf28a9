SELECT count(*) = 1 FROM @extschema@.rag_get_session(session_id => '00000000-0000-0000-0000-000000000001');
