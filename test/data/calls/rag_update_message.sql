SELECT count(*) = 1 FROM @extschema@.rag_update_message(session_id => '00000000-0000-0000-0000-000000000001',
  message_id => @extschema@.rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'called'), content => 'changed', metadata => '{"called": true}');
