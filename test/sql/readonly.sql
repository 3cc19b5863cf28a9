--
-- In a read-only transaction each writer is 25006, whatever it is asked
-- to write, and readers work.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
CREATE EXTENSION rag_events;
\set s1 00000000-0000-4000-8000-000000000001
SELECT rag_create_session('alice', session_id => :'s1');
SELECT pg_temp.ids_drawn('messages_id_seq') AS before \gset

BEGIN READ ONLY;
SELECT * FROM pg_temp.error('SELECT rag_create_session()');
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_create_session(%L, NULL, %L, true)', 'alice', :'s1'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'Hello'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', '00000000-0000-4000-8000-00000000ffff', 'user', 'Hello'));
SELECT n, d.code, d.message
FROM (VALUES (1, 'rag_add_messages(%L, ''[]'')'), (2, 'rag_update_message(%L, 1)'), (3, 'rag_delete_messages(%L, 1)'),
             (4, 'rag_update_session(%L, ''{}'')'), (5, 'rag_delete_session(%L)'), (6, 'rag_copy_session(%L)'),
             (7, 'rag_import_session(''{"session_id": "%s", "messages": []}'')'), (8, 'rag_put_message(%L, ''k'', ''user'', ''x'')'),
             (9, 'rag_reassign_sessions(''alice'', ''bob'', %L)'), (10, 'rag_expire_sessions(''1 day'', keep => ''{"s": "%s"}'')'), (11, 'rag_erase_user(%L)'), (12, 'rag_set_feedback(%L, 1, 1)'), (13, 'rag_close_days() -- %s'),
             (14, 'rag_add_conversations(''[{"session_id": "%s", "messages": []}]'')')) AS t (n, call),
     pg_temp.diagnose('SELECT ' || format(call, :'s1')) d ORDER BY n;
SELECT (SELECT count(*) FROM rag_get_messages(:'s1')) AS messages, (SELECT count(*) FROM rag_get_messages_after(:'s1', 0)) AS after,
       (SELECT count(*) FROM rag_get_context(:'s1', 100)) AS context, (SELECT count(*) FROM rag_list_sessions('alice')) AS sessions,
       rag_export_session(:'s1') ->> 'user_id' AS exported, (SELECT user_id FROM rag_get_session(:'s1')), jsonb_array_length(rag_get_prompt(:'s1', 10)) AS prompt,
       (SELECT count(*) FROM rag_find_sessions('alice', 'x', '{"a": null}')) AS found,
       (SELECT count(*) FROM rag_get_feedback(:'s1')) AS feedback, (SELECT count(*) >= 0 FROM rag_usage(NULL, NULL)) AS usage;
SELECT sessions AS would_expire FROM rag_expire_sessions('1 microsecond', dry_run => true);
SELECT sessions AS would_erase FROM rag_erase_user('alice', dry_run => true);
SELECT rag_version() <> '' AS has_version;
COMMIT;

-- As the default of a database or a role.
SET default_transaction_read_only = on;
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'Hello'));
RESET default_transaction_read_only;

-- Made read-only half-way.
BEGIN;
SELECT rag_add_message(:'s1', 'user', 'Hello') - :before AS ids_drawn;
SET TRANSACTION READ ONLY;
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'Hello'));
COMMIT;
SELECT count(*) AS messages, pg_temp.ids_drawn('messages_id_seq') - :before AS ids_drawn FROM messages;

DROP EXTENSION rag_events;
