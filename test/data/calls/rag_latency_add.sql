SELECT @extschema@.rag_latency_add(sum => '{1,1}', histogram => '{1,2,3,1}') = '{1,3,3,1}';
