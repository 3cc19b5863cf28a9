SELECT count(*) >= 0 FROM @extschema@.rag_find_sessions(user_id => 'caller', query => 'called "by it"', filter => '{"archived": null}', max_sessions => 2);
