SELECT @extschema@.rag_put_message(session_id => '00000000-0000-0000-0000-000000000001', idempotency_key => 'put', role => 'assistant', content => 'put', metadata => '{"put": 1}')
  = @extschema@.rag_put_message(session_id => '00000000-0000-0000-0000-000000000001', idempotency_key => 'put', role => 'assistant', content => 'put again', top_k => 1, query_type => 'q', metadata => '{"put": 2}');
