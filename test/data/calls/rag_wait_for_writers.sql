SELECT @extschema@.rag_wait_for_writers() IS NOT NULL;
