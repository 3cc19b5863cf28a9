SELECT * FROM rag_expire_sessions('1 day', 1000);
