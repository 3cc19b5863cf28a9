SELECT * FROM rag_get_messages(:session, 20);
