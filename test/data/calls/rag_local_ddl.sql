SELECT count(*) >= 0 FROM @extschema@.rag_local_ddl();
