SELECT * FROM rag_find_sessions('searcher', :word);
