SELECT @extschema@.rag_import_session(conversation => '{"messages": [{"role": "user", "content": "called"}]}', user_id => 'caller') IS NOT NULL;
