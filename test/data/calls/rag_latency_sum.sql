SELECT @extschema@.rag_latency_sum(h) = '{1,2}' FROM (VALUES ('{1,1}'::int[]), ('{1,1}')) AS v (h);
