SELECT rag_add_message(:session, 'user', :content);
