SELECT @extschema@.rag_no_session() IS NULL;
