SELECT cardinality(@extschema@.rag_add_messages(session_id => '00000000-0000-0000-0000-000000000001',
  messages => '[{"role": "user", "content": "called"}, {"role": "assistant", "content": "twice"}]')) = 2;
