SELECT count(*) >= 0 FROM @extschema@.rag_message_sources();
