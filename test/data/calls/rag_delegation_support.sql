SELECT '@extschema@.rag_delegation_support(internal)'::regprocedure IS NOT NULL;
