SELECT @extschema@.rag_close_days(upto => '1900-01-01') = 0;
