SELECT jsonb_array_length(@extschema@.rag_get_prompt(session_id => '00000000-0000-0000-0000-000000000001', max_tokens => 1000, max_messages => 3)) >= 0;
