-- Installs rag_events, or updates it to the newest version that the server has.
-- Any number may run this at once: the second waits for the first and then finds
-- nothing to do. Where nothing is to be done, nobody's rights are needed.

\set ON_ERROR_STOP on

BEGIN ISOLATION LEVEL READ COMMITTED;

-- What the owner of the database has put into the search_path is not to be run here by
-- whoever runs this, who may be a superuser.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Until the end of the transaction, so that it holds through a pooler as well.
-- The same lock as in tools/migrate.sh.
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('rag_events')) \g /dev/null

SELECT installed_version IS NULL AS missing, installed_version <> default_version AS outdated
  FROM (VALUES ('rag_events')) AS wanted (name) LEFT JOIN pg_catalog.pg_available_extensions USING (name) \gset

-- CREATE EXTENSION takes the schema from it.
SET LOCAL search_path = DEFAULT;

\if :missing
  CREATE EXTENSION rag_events;
\elif :outdated
  ALTER EXTENSION rag_events UPDATE;
\endif

COMMIT;
