SELECT count(*) >= 0 FROM @extschema@.rag_find_sessions(user_id => NULL, query => 'taken', filter => '{"archived": null}', max_sessions => 2);
