-- Installs rag_events, or updates it to the newest version that the server has, each step
-- in a transaction of its own.
-- Any number may run this at once: the second waits for the first and then finds
-- nothing to do. Where nothing is to be done, nobody's rights are needed.
--
-- rag_events_start runs it step by step, sets mark and lock_timeout, and reads what is
-- printed behind the mark. By itself, it makes all steps, or stops at the first error.

\set ON_ERROR_STOP on
\if :{?lock_timeout}
\else
  \set lock_timeout 5s
\endif
\if :{?mark}
  \set stop_here off
\else
  \set stop_here on
\endif

BEGIN ISOLATION LEVEL READ COMMITTED;

-- What the owner of the database has put into the search_path is not to be run here by
-- whoever runs this, who may be a superuser.
SET LOCAL search_path = pg_catalog, pg_temp;

-- So that nobody waits long behind whoever waits here.
SET LOCAL lock_timeout = :'lock_timeout';

-- Until the end of the transaction, so that it holds through a pooler as well.
-- The same lock as in tools/migrate.sh.
\set ON_ERROR_STOP :stop_here
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('rag_events')) \g /dev/null
\if :ERROR
  \echo :mark failed :LAST_ERROR_SQLSTATE - - :LAST_ERROR_MESSAGE
  \q
\endif
\set ON_ERROR_STOP on

SELECT installed_version IS NULL AS missing, installed_version <> default_version AS outdated,
       COALESCE(installed_version, 'nothing') AS installed, COALESCE(default_version, '') AS head
  FROM (VALUES ('rag_events')) AS wanted (name) LEFT JOIN pg_catalog.pg_available_extensions USING (name) \gset

-- The first version on PostgreSQL's way to the head, or the head where there is no way.
SELECT COALESCE(pg_catalog.max(pg_catalog.split_part(path, '--', 2)), :'head') AS next
  FROM pg_catalog.pg_extension_update_paths('rag_events') WHERE source = :'installed' AND target = :'head' \gset
SELECT :'installed' <> 'nothing' AND :'next' <> :'head' AS more \gset

-- CREATE EXTENSION takes the schema from it.
SET LOCAL search_path = DEFAULT;

\set ON_ERROR_STOP :stop_here
\if :missing
  CREATE EXTENSION rag_events;
  \set next :head
\elif :outdated
  ALTER EXTENSION rag_events UPDATE TO :'next';
\endif
\if :ERROR
  \echo :mark failed :LAST_ERROR_SQLSTATE :installed :next :LAST_ERROR_MESSAGE
  \q
\endif
\set ON_ERROR_STOP on

COMMIT;

\if :more
  \if :{?mark}
    \echo :mark more
  \else
    \ir rag_events_start.sql
  \endif
\endif
