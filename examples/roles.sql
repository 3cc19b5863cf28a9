-- Roles with the least rights, for psql as a superuser:
--
--   psql -v schema=chat -f roles.sql mydb
--
-- Other names: -v owner=… -v reader=… -v writer=… -v editor=… -v keeper=… (rag_owner,
-- rag_reader, rag_writer, rag_editor and rag_keeper without). Installs the extension where it is not there yet.
-- It can be repeated, and should be after an update, and after a step down to 1.0: that
-- drops columns, and what was granted on them.
--
--   rag_owner   owns the schema and the tables, installs and updates the extension
--   rag_reader  reads all conversations
--   rag_writer  starts conversations and adds to them; cannot call what reads them, nor
--               change or delete what is there (see "Adding" for what it can SELECT)
--   rag_editor  does both, changes and deletes
--   rag_keeper  for retention, erasure and accounts: deletes sessions, by their age or of a
--               user, and gives them to another user; reads no messages
--
-- No role can log in. Make one for each program, and a member of what it needs:
--
--   CREATE ROLE app LOGIN PASSWORD '…' IN ROLE rag_editor;

\set ON_ERROR_STOP on
\if :{?schema} \else \set schema chat
\endif
\if :{?owner} \else \set owner rag_owner
\endif
\if :{?reader} \else \set reader rag_reader
\endif
\if :{?writer} \else \set writer rag_writer
\endif
\if :{?editor} \else \set editor rag_editor
\endif
\if :{?keeper} \else \set keeper rag_keeper
\endif

BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY[:'owner', :'reader', :'writer', :'editor', :'keeper']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION :"owner";
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'owner')
WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'rag_events') \gexec

SET LOCAL ROLE :"owner";
CREATE EXTENSION IF NOT EXISTS rag_events SCHEMA :"schema";

GRANT USAGE ON SCHEMA :"schema" TO :"reader", :"writer", :"editor", :"keeper";

-- Reading: rag_get_messages, rag_get_messages_after, rag_get_context, rag_get_prompt,
-- rag_get_session, rag_list_sessions, rag_find_sessions, rag_export_session.
GRANT SELECT ON :"schema".sessions, :"schema".messages TO :"reader", :"editor";

-- Adding: rag_create_session, rag_add_message, rag_add_messages, rag_add_conversations,
-- and rag_import_session of documents that have no times of the session. Of the
-- messages, what a repeated idempotency key is compared with is all that can be read.
GRANT INSERT (id, user_id, metadata), SELECT (id, user_id, updated_at), UPDATE (updated_at)
  ON :"schema".sessions TO :"writer", :"editor";
GRANT INSERT, SELECT (id, session_id, role, content, idempotency_key)
  ON :"schema".messages TO :"writer", :"editor";
GRANT USAGE ON SEQUENCE :"schema".messages_id_seq TO :"writer", :"editor";

-- Changing: rag_update_session, rag_update_message, rag_put_message,
-- rag_delete_session, rag_delete_messages, rag_copy_session, and rag_import_session of
-- any document.
GRANT INSERT (created_at, updated_at), UPDATE (metadata), DELETE
  ON :"schema".sessions TO :"editor";
GRANT UPDATE (content, sources, latency_ms, top_k, query_type, token_count, metadata),
  DELETE ON :"schema".messages TO :"editor";

-- Keeping: rag_expire_sessions, rag_erase_user (which rag_editor can call, too),
-- rag_reassign_sessions, rag_delete_session.
GRANT SELECT, UPDATE (user_id), DELETE ON :"schema".sessions TO :"keeper";
GRANT SELECT (session_id), DELETE ON :"schema".messages TO :"keeper";

-- From 1.4 on: feedback goes with the messages, and numbers by day.
--   reading: rag_get_feedback, rag_message_sources, rag_usage, and feedback in exports
--   changing: rag_set_feedback, rag_import_session of feedback, and rag_close_days
--   keeping: what rag_erase_user erases there
-- Policies of your own on sessions and messages do not reach these tables: docs/tenants.md.
SELECT to_regclass(format('%I.rag_feedback', :'schema')) IS NOT NULL AS has_feedback \gset
\if :has_feedback
GRANT SELECT ON :"schema".rag_feedback, :"schema".rag_message_sources, :"schema".rag_usage_daily
  TO :"reader", :"editor";
GRANT INSERT, UPDATE, DELETE ON :"schema".rag_feedback TO :"editor";
GRANT INSERT, UPDATE (user_id) ON :"schema".rag_usage_daily TO :"editor";
GRANT SELECT (session_id, rater), DELETE ON :"schema".rag_feedback TO :"keeper";
GRANT SELECT, UPDATE (user_id) ON :"schema".rag_usage_daily TO :"keeper";
\endif

RESET ROLE;
COMMIT;
