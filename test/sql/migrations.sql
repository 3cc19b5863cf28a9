-- Versions: what they are, their order, and what their scripts run. Nothing here
-- names a version but the first, so that a later one needs no change here.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS rag_events CASCADE;
RESET client_min_messages;
CREATE EXTENSION rag_events VERSION '1.0';

-- The first version.
SELECT version, down_version, revision, description, is_current,
       applied_at <= now() AS applied,
       applied_by = SESSION_USER AS by_me
FROM rag_migrations() LIMIT 1;

-- The list is what can be installed, but for the version that adopts other tables.
SELECT version FROM rag_migrations()
EXCEPT
SELECT version FROM pg_available_extension_versions WHERE name = 'rag_events';
SELECT version FROM pg_available_extension_versions WHERE name = 'rag_events'
EXCEPT
SELECT version FROM rag_migrations() EXCEPT SELECT '001_initial_schema';

-- Its rules: one row each that breaks one.
CREATE VIEW history AS
  SELECT row_number() OVER () AS n, lag(version) OVER () AS previous, *
  FROM rag_migrations();
SELECT n, version, down_version FROM history
WHERE down_version IS DISTINCT FROM previous;
SELECT n, version, revision FROM history
WHERE (revision ~ ('^' || to_char(n, 'FM000') || '_[a-z0-9]+(_[a-z0-9]+)*$')) IS NOT TRUE;
SELECT n, version, description FROM history
WHERE (description ~ '^\S.*\S$') IS NOT TRUE;
SELECT n, version, is_head FROM history
WHERE is_head <> (version = (SELECT default_version FROM pg_available_extensions
                             WHERE name = 'rag_events'));
SELECT n, version, is_current FROM history WHERE is_current <> (n = 1);
SELECT n, version, applied_at, applied_by FROM history
WHERE (applied_at IS NULL) <> (n > 1) OR (applied_by IS NULL) <> (n > 1);

-- Steps away from the current version.
SELECT rag_next_version(0), rag_next_version(-1), rag_next_version(-2147483648) AS far_down,
       rag_next_version(2147483647) AS far_up;
SELECT n, version, rag_next_version(n::int - 1) FROM history
WHERE rag_next_version(n::int - 1) IS DISTINCT FROM version;
SELECT rag_next_version() IS NOT DISTINCT FROM (SELECT version FROM history WHERE n = 2) AS one_up,
       rag_next_version(steps => max(n)::int) AS past_head FROM history;
SELECT rag_next_version(NULL);

-- Up step by step, and down again: the version follows, and the log with it.
CREATE FUNCTION walk(step integer) RETURNS TABLE (problem text, at_version text)
LANGUAGE plpgsql AS $$
DECLARE
  target text;
BEGIN
  LOOP
    target := rag_next_version(step);
    EXIT WHEN target IS NULL;
    EXECUTE format('ALTER EXTENSION rag_events UPDATE TO %L', target);
    RETURN QUERY
      SELECT 'version', target WHERE rag_version() <> target;
    RETURN QUERY
      SELECT 'current', version FROM rag_migrations() WHERE is_current <> (version = target);
    RETURN QUERY
      SELECT 'back', target WHERE rag_next_version(-step) IS NULL;
    RETURN QUERY
      SELECT 'log', target
      WHERE (target, true) IS DISTINCT FROM
        (SELECT (l.version, l.previous_version = rag_next_version(-step))
         FROM rag_migration_log l ORDER BY l.id DESC LIMIT 1);
    RETURN QUERY
      SELECT 'applied', h.version FROM history h
      WHERE (h.applied_at IS NOT NULL) <>
        (h.n <= (SELECT c.n FROM history c WHERE c.is_current));
  END LOOP;
END $$;
SELECT * FROM walk(1);
SELECT is_current FROM rag_migrations() WHERE is_head;
SELECT * FROM walk(-1);
SELECT rag_version();

-- The functions of a database that an older release has installed call the library
-- $libdir/rag_events. That is no difference, before, during and after an update.
DO $$
DECLARE
  definition text;
BEGIN
  FOR definition IN
    SELECT replace(pg_get_functiondef(oid), 'AS ''rag_events''', 'AS ''$libdir/rag_events''')
    FROM pg_proc WHERE probin = 'rag_events'
  LOOP
    EXECUTE definition;
  END LOOP;
END $$;
SELECT DISTINCT probin FROM pg_proc WHERE starts_with(proname, 'rag_');
SELECT * FROM rag_check_schema();
SELECT * FROM walk(1);
SELECT * FROM rag_check_schema();
SELECT probin FROM pg_proc WHERE probin LIKE '%rag_events' GROUP BY probin ORDER BY probin COLLATE "C";
SELECT * FROM walk(-1);
SELECT * FROM rag_check_schema();

-- What an update would run: the scripts on PostgreSQL's own path, in its order.
CREATE FUNCTION headings(script text) RETURNS text[] LANGUAGE sql AS $$
  SELECT array_agg(m[1] ORDER BY o)
  FROM regexp_matches(script, '^--\n-- rag_events--(.*)[.]sql\n--$', 'gn') WITH ORDINALITY AS r(m, o)
$$;
CREATE VIEW previews AS
  SELECT source, target, string_to_array(path, '--') AS path,
         rag_migration_sql(source, target) AS script
  FROM pg_extension_update_paths('rag_events') WHERE path IS NOT NULL;
SELECT source, target, path, headings(script) FROM previews
WHERE headings(script) IS DISTINCT FROM
  (SELECT array_agg(path[i] || '--' || path[i + 1] ORDER BY i)
   FROM generate_series(1, cardinality(path) - 1) AS i);
-- That path leaves out no version.
SELECT source, target, p.path FROM previews AS p
JOIN history AS s ON s.version = source JOIN history AS t ON t.version = target
WHERE cardinality(p.path) <> abs(s.n - t.n) + 1;
-- A version is created from the first one.
SELECT version, headings(rag_migration_sql(NULL, version)) FROM rag_migrations()
WHERE headings(rag_migration_sql(NULL, version)) IS DISTINCT FROM
  '1.0'::text || coalesce(headings(rag_migration_sql('1.0', version)), '{}');
SELECT version FROM rag_migrations() WHERE rag_migration_sql(version, version) <> '';

-- No placeholder is left, nor the line that only psql knows.
SELECT source, target FROM
  (SELECT source, target, script FROM previews
   UNION ALL
   SELECT NULL, version, rag_migration_sql(NULL, version) FROM rag_migrations()) AS all_previews
WHERE script ~ '@ext(schema|owner)@|MODULE_PATHNAME|\\echo|\\quit';
SELECT regexp_matches(rag_migration_sql(NULL, '1.0'), '^CREATE TABLE .*sessions', 'n'),
       regexp_matches(rag_migration_sql(NULL, '1.0'), '^LANGUAGE c .* ''rag_version''', 'n');

-- Names are quoted as PostgreSQL quotes them. The owner is whoever asks.
DROP VIEW previews, history;
DROP EXTENSION rag_events;
CREATE SCHEMA "Chat room";
CREATE EXTENSION rag_events SCHEMA "Chat room" VERSION '1.0';
CREATE ROLE "regress_rag the owner";
GRANT USAGE ON SCHEMA "Chat room" TO "regress_rag the owner";
SET ROLE "regress_rag the owner";
SELECT m[1] FROM regexp_matches("Chat room".rag_migration_sql(NULL, '1.0'),
  '^(CREATE TABLE .*sessions|ALTER TABLE .*sessions OWNER .*;)', 'gn') AS m;
-- Every user may look.
SELECT version, is_current, applied_by <> CURRENT_USER AS by_another
FROM "Chat room".rag_migrations() LIMIT 1;
RESET ROLE;
DROP EXTENSION rag_events;
DROP SCHEMA "Chat room";
DROP ROLE "regress_rag the owner";

-- Names that cannot be put into a script are refused, as PostgreSQL would.
CREATE EXTENSION rag_events VERSION '1.0';
CREATE ROLE "regress_rag o'owner";
SET ROLE "regress_rag o'owner";
SELECT rag_migration_sql(NULL, '1.0');
RESET ROLE;
DROP ROLE "regress_rag o'owner";

-- A version is looked up, never made into the name of a file.
CREATE FUNCTION error_of(query text) RETURNS TABLE (state text, message text, tells_versions boolean)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE query;
EXCEPTION WHEN others THEN
  state := SQLSTATE;
  message := SQLERRM;
  GET STACKED DIAGNOSTICS query = PG_EXCEPTION_DETAIL;
  SELECT bool_and(strpos(query, format('"%s"', version)) > 0) INTO tells_versions
  FROM rag_migrations();
  RETURN NEXT;
END $$;
SELECT e.* FROM (VALUES (''), ('9.9'), ('1.0 '), ('1.0--1.1'), ('../../../etc/passwd'),
  ('/etc/passwd'), ('1.0.sql'), ('%s'), ('..'), ('head')) AS bad (version),
  error_of(format('SELECT rag_migration_sql(NULL, %L)', version)) AS e;
SELECT * FROM error_of($$SELECT rag_migration_sql('../1.0', '1.0')$$);
SELECT * FROM error_of($$SELECT rag_migration_sql('1.0', NULL)$$);
SELECT * FROM error_of($$SELECT rag_migration_sql(NULL, NULL)$$);

-- Leaving, with the tables and their rows, as docs/migrations.md says.
SELECT rag_create_session(user_id => 'ada', session_id => '00000000-0000-0000-0000-000000000001');
SELECT rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'Hello!');
ALTER EXTENSION rag_events DROP TABLE sessions;
ALTER EXTENSION rag_events DROP TABLE messages;
ALTER EXTENSION rag_events DROP SEQUENCE messages_id_seq;
DROP EXTENSION rag_events;
INSERT INTO messages (session_id, role, content)
  VALUES ('00000000-0000-0000-0000-000000000001', 'assistant', 'Hello, Ada!') RETURNING id;

-- And coming back, which takes the tables over. That version is not in the list:
-- nothing leads back to it.
CREATE EXTENSION rag_events VERSION '001_initial_schema';
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT version, previous_version FROM rag_migration_log ORDER BY id;
SELECT version, down_version, is_current, applied_by = SESSION_USER AS by_me
FROM rag_migrations() LIMIT 1;
SELECT rag_next_version(-1);
SELECT headings(rag_migration_sql(NULL, '001_initial_schema')),
       headings(rag_migration_sql('001_initial_schema', '1.0'));
SELECT * FROM error_of($$SELECT rag_migration_sql('1.0', '001_initial_schema')$$);
SELECT rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'I am back.');
SELECT id, role, content FROM messages ORDER BY id;

DROP FUNCTION walk, headings, error_of;
DROP EXTENSION rag_events;
