-- Installs rag_events, or updates it to the newest version that the server has.
-- Any number may run this at once: the second waits for the first and then finds
-- nothing to do. Where nothing is to be done, nobody's rights are needed.

\set ON_ERROR_STOP on

BEGIN ISOLATION LEVEL READ COMMITTED;

-- Until the end of the transaction, so that it holds through a pooler as well.
-- The same lock as in tools/migrate.sh.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('rag_events')) \g /dev/null

SELECT installed_version IS NULL AS missing, installed_version <> default_version AS outdated
  FROM (VALUES ('rag_events')) AS wanted (name) LEFT JOIN pg_catalog.pg_available_extensions USING (name) \gset

\if :missing
  CREATE EXTENSION rag_events;
\elif :outdated
  ALTER EXTENSION rag_events UPDATE;
\endif

COMMIT;
