-- The files of a small extension of your own, by which every dump keeps what you added to
-- the tables of rag_events: a row for each file. "make keep-local" writes them and
-- creates the extension. Without a shell: run this query, where the extension's schema is
-- in the search_path, save each content as UTF-8 under its name in the server's directory
-- of extensions, and then, with the name of the first file and the schema of rag_events,
--
--   CREATE EXTENSION rag_local_mydb SCHEMA public VERSION 'complete';
--
-- After a change, save the files anew. Another name: SET rag_local.name = '...' beforehand.
--
-- The database has the version "complete", whose script does nothing. A dump says CREATE
-- EXTENSION, which makes "loading": all that the rows need. After the restore, ALTER
-- EXTENSION ... UPDATE TO 'complete' makes the rest.
WITH place AS (
  SELECT pg_catalog.left(pg_catalog.regexp_replace(
           COALESCE(NULLIF(pg_catalog.current_setting('rag_local.name', true), ''), 'rag_local_' || pg_catalog.current_database()),
           '[^A-Za-z0-9_]', '_', 'g'), 63) AS name,
         -- The database, on one line whatever its name is.
         pg_catalog.format('rag_events: database %s', pg_catalog.to_json(pg_catalog.current_database()::pg_catalog.text)) AS title,
         CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END AS encoding
),
-- The relations that are members of an extension, for the scripts.
member AS (
  SELECT $member$SELECT d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE e.extname = '%s' AND d.refclassid = 'pg_extension'::regclass
      AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'$member$ AS of_extension
),
local AS MATERIALIZED (
  SELECT l.section, l.object, l.ddl, pg_catalog.row_number() OVER () AS n FROM rag_local_ddl() AS l
),
part AS (
  SELECT s.section, pg_catalog.concat(E'-- What was added:\n', pg_catalog.string_agg(l.ddl || E';\n', '' ORDER BY l.n), '-- That is all.') AS text
  FROM (VALUES ('pre-data'), ('post-data')) AS s (section)
  LEFT JOIN local AS l ON l.section = s.section AND l.object <> 'search_path' AND l.object !~ '^extension '
  GROUP BY s.section
)
SELECT name || '.control' AS file, pg_catalog.format(
$control$# %s
comment = 'what was added to the tables of rag_events'
default_version = 'loading'
relocatable = true
superuser = false
trusted = false
encoding = '%s'
requires = %L$control$,
  title, encoding, 'rag_events' || COALESCE((
    SELECT pg_catalog.string_agg(', ' || pg_catalog.quote_ident(pg_catalog.substr(l.object, 11)), '' ORDER BY l.n)
    FROM local AS l WHERE l.object ~ '^extension '), '')) AS content
FROM place
UNION ALL
SELECT name || '--complete.sql', pg_catalog.format(E'-- %s\n-- It has all of it.', title) FROM place
UNION ALL
SELECT name || '--loading.sql', pg_catalog.format(
$script$-- %s
SET LOCAL search_path = pg_catalog, pg_temp;
-- Rows are loaded in any order (pg_restore -j): without the keys between the tables.
DO $do$
DECLARE
  key record;
BEGIN
  FOR key IN
    WITH member AS (%s)
    SELECT c.conrelid::regclass AS tbl, c.conname
    FROM pg_constraint AS c
    WHERE c.contype = 'f' AND c.conrelid IN (TABLE member) AND c.confrelid IN (TABLE member)
  LOOP
    EXECUTE format('ALTER TABLE %%s DROP CONSTRAINT %%I', key.tbl, key.conname);
  END LOOP;
END $do$;
%s
-- The sequences of identity columns are the columns' alone, and no members.
DO $do$
DECLARE
  sequence regclass;
BEGIN
  FOR sequence IN
    %s
  LOOP
    EXECUTE format('ALTER EXTENSION "%s" DROP SEQUENCE %%s', sequence);
  END LOOP;
END $do$;$script$,
  title, pg_catalog.format(of_extension, 'rag_events'), text, pg_catalog.format(of_extension, name), name)
FROM place, part, member WHERE section = 'pre-data'
UNION ALL
SELECT name || '--loading--complete.sql', pg_catalog.format(
$script$-- %s
SET LOCAL search_path = pg_catalog, pg_temp;
%s
-- The keys between the tables.
DO $do$
DECLARE
  key record;
BEGIN
  FOR key IN EXECUTE (
    SELECT format('SELECT kind, ddl FROM %%I.rag_check_schema()', n.nspname)
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'rag_events')
  LOOP
    IF key.kind = 'missing' AND key.ddl LIKE '%% FOREIGN KEY %%' THEN
      EXECUTE key.ddl;
    END IF;
  END LOOP;
END $do$;$script$,
  title, text)
FROM place, part WHERE section = 'post-data';
