SELECT count(*) FILTER (WHERE kind NOT IN ('not_dumped', 'warning')) = 0 FROM @extschema@.rag_check_schema();
