SELECT count(*) >= 0 FROM @extschema@.rag_get_context(session_id => '00000000-0000-0000-0000-000000000001', max_tokens => 100, max_messages => 2, after_id => 0);
