SELECT @extschema@.rag_uuidv7() < @extschema@.rag_uuidv7();
