SELECT @extschema@.rag_add_shard_conversations(session_id => '00000000-0000-0000-0000-000000000001',
  conversations => '[{"session_id": "00000000-0000-0000-0000-000000000001", "messages": [{"role": "user", "content": "called"}]}]') = 1;
