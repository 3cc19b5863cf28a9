SELECT @extschema@.rag_update_session(session_id => '00000000-0000-0000-0000-000000000001', metadata => '{"called": true}') @> '{"called": true}';
