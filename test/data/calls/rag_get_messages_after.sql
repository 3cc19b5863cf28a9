SELECT count(*) >= 0 FROM @extschema@.rag_get_messages_after(session_id => '00000000-0000-0000-0000-000000000001', after_id => 0, max_messages => 2);
