DO $$ BEGIN PERFORM @extschema@.rag_prepare_node(last_id => 1, ddl => '{}'); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
SELECT true;
