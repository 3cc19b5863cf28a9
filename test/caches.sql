-- Every function once, for a server that discards its caches whenever it could have to:
--   PGOPTIONS='-c debug_discard_caches=1' psql -f test/caches.sql
-- (one that is built with assertions; see test/sanitize.sh). What still points into a
-- cache then points to nothing.
\set ON_ERROR_STOP 1
\set s '\'00000000-0000-4000-8000-0000000000ca\''
SELECT count(*) FROM rag_delete_session(:s);
SELECT rag_create_session('erin', '{"title": "x"}', :s, true) IS NOT NULL;
SELECT rag_add_message(:s, 'user', 'x', '[1]', 1, 1, 'q', 'erin', 1, '{"a": 1}', 'k') IS NOT NULL;
SELECT rag_add_message(:s, 'user', 'x', idempotency_key => 'k') IS NOT NULL;
SELECT cardinality(rag_add_messages(:s, '[{"role": "user", "content": "x", "idempotency_key": "k2"}, {"role": "assistant", "content": "y", "created_at": 1}]', 'erin', true));
SELECT rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', :s, 'user_id', 'erin', 'messages', '[{"role": "user", "content": "x"}]'::jsonb),
  jsonb_build_object('session_id', gen_random_uuid(), 'user_id', 'gone', 'create_session', true, 'messages', '[{"role": "user", "content": "x", "idempotency_key": "k"}]'::jsonb)));
SELECT rag_add_shard_conversations(:s, jsonb_build_array(jsonb_build_object('session_id', :s, 'messages', '[]'::jsonb)));
SELECT count(*) FROM rag_get_messages(:s, 5, NULL, 'erin');
SELECT count(*) FROM rag_get_messages_after(:s, 0, 5, 'erin', false);
SELECT count(*) FROM rag_get_context(:s, 100, 5, 0, 'erin');
SELECT count(*) FROM rag_list_sessions('erin');
SELECT count(*) FROM rag_get_session(:s, 'erin');
SELECT count(*) FROM rag_find_sessions('erin', 'X "y"', '{"b": null, "title": "x"}');
SELECT jsonb_array_length(rag_get_prompt(:s, 100, 5, 'erin'));
SELECT rag_put_message(:s, 'k3', 'assistant', 'put', '[1]', 1, 1, 'q', 'erin', 1, '{"a": 1}') = rag_put_message(:s, 'k3', 'assistant', 'put', '[2]', 2, 2, 'r', 'erin', 2, '{"b": 1}');
SELECT rag_reassign_sessions('erin', 'eve'), rag_reassign_sessions('eve', 'erin', :s);
SELECT sessions FROM rag_expire_sessions('1000 years', keep => '{"a": 1}');
SELECT rag_create_session('gone') IS NOT NULL;
SELECT sessions, kept FROM rag_erase_user('gone', '[{"a": 1}]');
SELECT count(rag_set_feedback(:s, id, score, 'l', 'c', 'n', NULL, 'r', '{"a": 1}', 'erin')) FROM rag_get_messages(:s, 2), (VALUES (1), (2)) AS v (score);
SELECT count(*) FROM rag_get_feedback(:s, 'erin', 'r');
SELECT count(*) FROM rag_message_sources WHERE session_id = :s;
UPDATE messages SET created_at = created_at - interval '1 day' WHERE session_id = :s;
SELECT rag_close_days('1000-01-01'), rag_close_days() >= 0, count(*) > 0, rag_latency_percentile(rag_latency_sum(latency), 0.5) >= 0 FROM rag_usage(NULL, NULL);
SELECT sessions FROM rag_erase_user('r');
SELECT rag_update_session(:s, '{"b": 1, "title": null}', 'erin');
SELECT count(rag_update_message(:s, id, 'z', '[]', 1, 1, '{"a": null}', 'erin') IS NULL) FROM rag_get_messages(:s, 1);
SELECT rag_delete_session(rag_copy_session(:s, NULL, 'erin'));
SELECT rag_delete_session(rag_import_session(rag_export_session(:s, 'erin'), 'erin'));
SELECT rag_delete_messages(:s, id, 'erin') FROM rag_get_messages(:s, 1);
SELECT rag_delete_session(:s, 'erin');
SELECT count(*), rag_version() = rag_next_version(0), length(rag_migration_sql('1.0', '1.1')) > 0, rag_uuidv7() IS NOT NULL FROM rag_migrations() WHERE is_current;
SELECT (SELECT count(*) FROM rag_check_schema()), (SELECT count(*) FROM rag_local_ddl());
