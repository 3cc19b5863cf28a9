WITH m AS MATERIALIZED (SELECT @extschema@.rag_add_message('00000000-0000-0000-0000-000000000001', 'assistant', 'judged') AS id)
SELECT count(@extschema@.rag_set_feedback(session_id => '00000000-0000-0000-0000-000000000001', message_id => m.id, score => score)) = 2 FROM m, (VALUES (1), (NULL)) AS v (score);
