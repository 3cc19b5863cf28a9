SELECT sessions = 0 AND NOT more FROM @extschema@.rag_expire_sessions(older_than => '1000 years', max_sessions => 10, keep => '{"pinned": true}');
