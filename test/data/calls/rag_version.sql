SELECT @extschema@.rag_version() = (SELECT extversion FROM pg_extension WHERE extname = 'rag_events');
