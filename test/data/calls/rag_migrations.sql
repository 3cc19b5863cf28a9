SELECT string_agg(version, ' ') FILTER (WHERE is_current AND applied_at IS NOT NULL) = @extschema@.rag_version()
FROM @extschema@.rag_migrations();
