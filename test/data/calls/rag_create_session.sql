SELECT @extschema@.rag_create_session(user_id => 'caller', metadata => '{"title": "called"}') IS NOT NULL;
