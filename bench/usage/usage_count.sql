SELECT count(*), sum(answers) FROM rag_usage('2025-01-01', '2025-12-31');
