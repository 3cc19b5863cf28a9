SELECT @extschema@.rag_add_message(session_id => '00000000-0000-0000-0000-000000000001', role => 'user', content => 'called') > 0;
