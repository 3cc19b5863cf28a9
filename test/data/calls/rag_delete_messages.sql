SELECT @extschema@.rag_delete_messages(session_id => '00000000-0000-0000-0000-000000000001', from_id => @extschema@.rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'called')) = 1;
