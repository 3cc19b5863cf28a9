SELECT count(*) >= 0 FROM @extschema@.rag_get_messages(session_id => '00000000-0000-0000-0000-000000000001', max_messages => 2, before_id => 1000, include_sources => false);
