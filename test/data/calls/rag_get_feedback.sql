SELECT count(*) = 0 FROM @extschema@.rag_get_feedback(session_id => '00000000-0000-0000-0000-000000000001', rater => 'nobody');
