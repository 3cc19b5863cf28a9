SELECT @extschema@.rag_add_conversations(conversations => '[{"session_id": "00000000-0000-0000-0000-000000000001", "messages": [{"role": "user", "content": "called"}]},
  {"session_id": "00000000-0000-0000-0000-0000000000ca", "messages": [{"role": "user", "content": "called"}], "user_id": "caller", "create_session": true}]') = 2;
