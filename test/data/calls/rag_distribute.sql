DO $$ BEGIN PERFORM @extschema@.rag_distribute(shard_count => 8); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$;
SELECT true;
