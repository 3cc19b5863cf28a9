-- One line with what bench/soak.sh draws, as "name value" pairs.
SELECT format('commits %s updates %s hot %s', xact_commit, n_tup_upd, n_tup_hot_upd)
FROM pg_stat_database, pg_stat_user_tables WHERE datname = current_database() AND relname = 'sessions';
SELECT format('sessions %s messages %s', (SELECT count(*) FROM sessions), (SELECT count(*) FROM messages));
SELECT format('sessions_bytes %s messages_bytes %s index_bytes %s', pg_table_size('sessions'), pg_table_size('messages'),
              pg_indexes_size('sessions') + pg_indexes_size('messages'));
SELECT format('contexts %s', max(bytes)) FROM soak_memory;
SELECT format('pid %s', pid) FROM pg_stat_activity WHERE application_name = 'rag_soak';
