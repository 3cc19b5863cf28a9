SELECT rag_close_days('2025-01-01'::date + CAST(:round AS integer));
