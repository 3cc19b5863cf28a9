SELECT count(@extschema@.rag_undistribute()) = 1;
