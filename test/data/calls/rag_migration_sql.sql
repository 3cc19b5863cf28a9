SELECT @extschema@.rag_migration_sql(from_version => NULL, to_version => @extschema@.rag_version()) LIKE '%CREATE TABLE %.sessions (%';
