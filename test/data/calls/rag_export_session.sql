SELECT @extschema@.rag_export_session(session_id => '00000000-0000-0000-0000-000000000001')->>'session_id' = '00000000-0000-0000-0000-000000000001';
