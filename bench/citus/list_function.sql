SELECT * FROM rag_list_sessions(:user, 20);
