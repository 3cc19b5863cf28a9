SELECT @extschema@.rag_next_version(steps => 0) = @extschema@.rag_version();
