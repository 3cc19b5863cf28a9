SELECT count(*) >= 0 FROM @extschema@.rag_usage(from_day => '2020-01-01', to_day => '2020-12-31');
