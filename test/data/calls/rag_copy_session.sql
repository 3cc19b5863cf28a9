SELECT @extschema@.rag_copy_session(session_id => '00000000-0000-0000-0000-000000000001', upto_id => 1000) IS NOT NULL;
