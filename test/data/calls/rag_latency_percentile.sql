SELECT @extschema@.rag_latency_percentile(histogram => '{0,1}', fraction => 0.5) = 1;
