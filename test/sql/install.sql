--
-- Installation: as an ordinary owner of a database, in public and in a named
-- schema, version 1.0 gives the original schema to the letter. What it makes
-- belongs to whom it should, is dumped, is described, and goes without a trace.
-- Who may not create objects in a schema cannot install there, and what is
-- already there is never taken over.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
DROP ROLE IF EXISTS regress_rag_owner, regress_rag_guest, "regress rag Owner";

-- Two roles that may install extensions in this database, neither a superuser.
CREATE ROLE regress_rag_owner;
CREATE ROLE "regress rag Owner";
CREATE ROLE regress_rag_guest;
SELECT current_database() AS db \gset
GRANT CREATE ON DATABASE :"db" TO regress_rag_owner, "regress rag Owner", regress_rag_guest;
GRANT CREATE ON SCHEMA public TO regress_rag_owner;

--
-- What PostgreSQL is told about the extension
--
SELECT version, superuser, trusted, relocatable, schema, requires
FROM pg_available_extension_versions
WHERE name = 'rag_events' AND version = '1.0';

--
-- In public, which is where it goes without a SCHEMA clause
--
SET SESSION AUTHORIZATION regress_rag_owner;
CREATE EXTENSION rag_events VERSION '1.0';
SELECT rag_version();
SELECT extname, extowner::regrole, extnamespace::regnamespace, extrelocatable, extversion
FROM pg_extension WHERE extname = 'rag_events';

\d sessions
\d messages
\d rag_migration_log
\d messages_id_seq

-- It works for the owner.
SELECT rag_create_session('alice', session_id => '00000000-0000-4000-8000-000000000001');
SELECT rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'Hello');

-- The installing user owns the tables and the sequence of the messages; nobody
-- but a superuser owns the log (scripts write to it) and the functions.
SELECT c.relname, c.relkind,
       CASE WHEN r.rolsuper THEN 'a superuser' ELSE r.rolname END AS owner
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'public'::regnamespace
  AND (c.relname IN ('sessions', 'messages', 'messages_id_seq')
       OR c.relname LIKE 'rag\_migration\_log%')
ORDER BY c.relname COLLATE "C";
SELECT DISTINCT CASE WHEN r.rolsuper THEN 'a superuser' ELSE r.rolname END AS owner_of_functions
FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'rag\_%';

-- Everything in the schema belongs to the extension, helpers of the script are gone.
SELECT p.oid::regprocedure AS not_a_member
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'rag\_%'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
SELECT p.proname FROM pg_proc p WHERE p.proname = 'rag_check_install';

-- The log: who ran the script, which one, when. Everybody reads, nobody writes.
SELECT id, version, previous_version, applied_by FROM rag_migration_log;
SELECT has_table_privilege('regress_rag_guest', 'rag_migration_log', 'SELECT') AS guest_reads,
       has_table_privilege('regress_rag_owner', 'rag_migration_log', 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AS owner_writes;
SELECT * FROM pg_temp.error('INSERT INTO rag_migration_log (version) VALUES (''9.9'')');

-- pg_dump keeps the rows of the tables and the state of the sequence, without any
-- condition; the log tells of this database alone and is left out.
SELECT t.relation::regclass, t.condition
FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS t (relation, condition)
WHERE e.extname = 'rag_events'
ORDER BY t.relation::regclass::text COLLATE "C";

-- Every object has a description: members, columns, constraints (NOT NULL
-- constraints are objects from PostgreSQL 18 on, and speak for themselves), indexes.
CREATE TEMPORARY VIEW described AS
WITH members AS (
  SELECT d.classid, d.objid
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'rag_events'
), tables AS (
  SELECT c.oid FROM pg_class c JOIN members m ON m.objid = c.oid
  WHERE m.classid = 'pg_class'::regclass AND c.relkind = 'r'
), objects (classid, objid, objsubid) AS (
  SELECT classid, objid, 0 FROM members WHERE classid <> 'pg_type'::regclass
  UNION
  SELECT 'pg_class'::regclass, a.attrelid, a.attnum
  FROM pg_attribute a JOIN tables t ON t.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT 'pg_constraint'::regclass, c.oid, 0
  FROM pg_constraint c JOIN tables t ON t.oid = c.conrelid WHERE c.contype <> 'n'
  UNION
  SELECT 'pg_class'::regclass, i.indexrelid, 0 FROM pg_index i JOIN tables t ON t.oid = i.indrelid
  UNION
  SELECT 'pg_class'::regclass, d.objid, 0
  FROM pg_depend d JOIN tables t ON t.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND c.relkind = 'S'
)
SELECT (pg_identify_object(o.classid, o.objid, o.objsubid)).type,
       (pg_identify_object(o.classid, o.objid, o.objsubid)).identity,
       d.description
FROM objects o
LEFT JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid AND d.objsubid = o.objsubid;
SELECT type, identity AS without_description FROM described WHERE description IS NULL OR description = '';
SELECT type, count(description) > 0 AS described FROM described GROUP BY type ORDER BY type COLLATE "C";
DROP VIEW described;

-- It cannot be moved: the scripts name the schema.
CREATE SCHEMA elsewhere;
SELECT * FROM pg_temp.error('ALTER EXTENSION rag_events SET SCHEMA elsewhere');
DROP SCHEMA elsewhere;

-- Its owner drops it, and nothing is left.
DROP EXTENSION rag_events;
SELECT to_regclass('public.sessions'), to_regclass('public.messages'),
       to_regclass('public.messages_id_seq'), to_regclass('public.rag_migration_log'),
       (SELECT count(*) FROM pg_proc WHERE proname LIKE 'rag\_%') AS functions;

-- Without VERSION it is the default version.
BEGIN;
CREATE EXTENSION rag_events;
SELECT rag_version() = default_version AS is_default, default_version = installed_version AS is_installed
FROM pg_available_extensions WHERE name = 'rag_events';
SELECT bool_and(applied_at = transaction_timestamp()) AS applied_now FROM rag_migration_log;
ROLLBACK;
RESET SESSION AUTHORIZATION;

--
-- In a schema of its own. Both the schema and the role have names that need quotes.
--
SET SESSION AUTHORIZATION "regress rag Owner";
CREATE SCHEMA "Chat Store";
CREATE EXTENSION rag_events SCHEMA "Chat Store" VERSION '1.0';
SELECT extowner::regrole, extnamespace::regnamespace FROM pg_extension WHERE extname = 'rag_events';
SELECT oid::regclass, relowner::regrole
FROM pg_class WHERE relnamespace = '"Chat Store"'::regnamespace AND relkind IN ('r', 'S')
  AND relname IN ('sessions', 'messages', 'messages_id_seq')
ORDER BY relname COLLATE "C";
SELECT applied_by FROM "Chat Store".rag_migration_log;
SELECT to_regclass('public.sessions') AS in_public;
-- Default and sequence belong together.
SELECT pg_get_serial_sequence('"Chat Store".messages', 'id');
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
WHERE adrelid = '"Chat Store".messages'::regclass AND adnum = 1;
-- Qualified calls need no search_path.
SELECT "Chat Store".rag_create_session(session_id => '00000000-0000-4000-8000-000000000002');
SELECT "Chat Store".rag_add_message('00000000-0000-4000-8000-000000000002', 'user', 'Hello');
SELECT id, session_id, role, content FROM "Chat Store".messages;
SELECT "Chat Store".rag_version();
DROP EXTENSION rag_events;
DROP SCHEMA "Chat Store";
RESET SESSION AUTHORIZATION;

--
-- As a superuser who acts for another role: the tables are that role's
--
SET ROLE regress_rag_owner;
CREATE EXTENSION rag_events;
SELECT relowner::regrole FROM pg_class WHERE oid = 'sessions'::regclass;
SELECT applied_by = session_user AS session_user_is_logged FROM rag_migration_log WHERE id = 1;
DROP EXTENSION rag_events;
RESET ROLE;

--
-- Who may not create in the schema cannot install there, though a superuser
-- runs the script, and leaves nothing behind.
--
CREATE SCHEMA closed;
GRANT USAGE ON SCHEMA closed TO regress_rag_guest;
SET SESSION AUTHORIZATION regress_rag_guest;
SELECT * FROM pg_temp.error('CREATE EXTENSION rag_events SCHEMA closed');
RESET SESSION AUTHORIZATION;
GRANT CREATE ON SCHEMA closed TO regress_rag_guest;
REVOKE CREATE ON DATABASE :"db" FROM regress_rag_guest;
-- Nor he who may not create in the database: that is PostgreSQL's own rule.
SET SESSION AUTHORIZATION regress_rag_guest;
SELECT code, message FROM pg_temp.diagnose('CREATE EXTENSION rag_events SCHEMA closed');
RESET SESSION AUTHORIZATION;
SELECT count(*) AS extensions FROM pg_extension WHERE extname = 'rag_events';
SELECT count(*) AS relations FROM pg_class WHERE relnamespace = 'closed'::regnamespace;
SELECT count(*) AS functions FROM pg_proc WHERE pronamespace = 'closed'::regnamespace;
DROP SCHEMA closed;

--
-- Whatever of ours is already there is an error that names it: it is neither
-- taken over nor replaced, and nothing of the extension is left behind.
--
CREATE FUNCTION pg_temp.install_beside(object text, OUT code text, OUT message text, OUT extensions bigint)
LANGUAGE plpgsql AS $$
BEGIN
  CREATE SCHEMA occupied;
  SET LOCAL search_path = occupied;
  EXECUTE object;
  SELECT d.code, d.message INTO code, message
  FROM pg_temp.diagnose('CREATE EXTENSION rag_events SCHEMA occupied') d;
  SELECT count(*) INTO extensions FROM pg_extension WHERE extname = 'rag_events';
  DROP SCHEMA occupied CASCADE;
END $$;

SELECT * FROM pg_temp.install_beside('CREATE TABLE sessions (id int)');
SELECT * FROM pg_temp.install_beside('CREATE TABLE messages (id int)');
SELECT * FROM pg_temp.install_beside('CREATE TABLE rag_migration_log (id int)');
SELECT * FROM pg_temp.install_beside('CREATE VIEW sessions AS SELECT 1 AS id');
SELECT * FROM pg_temp.install_beside('CREATE SEQUENCE messages_id_seq');
SELECT * FROM pg_temp.install_beside('CREATE TABLE messages_id_seq (id int)');
SELECT * FROM pg_temp.install_beside('CREATE TABLE other (user_id text); CREATE INDEX ix_sessions_user_id ON other (user_id)');
SELECT * FROM pg_temp.install_beside('CREATE TABLE other (id int CONSTRAINT messages_pkey PRIMARY KEY)');
SELECT * FROM pg_temp.install_beside('CREATE TYPE messages AS ENUM (''user'', ''assistant'')');
SELECT * FROM pg_temp.install_beside('CREATE FUNCTION rag_version() RETURNS text LANGUAGE sql AS $f$ SELECT NULL::text $f$');
SELECT * FROM pg_temp.install_beside('CREATE FUNCTION rag_create_session(text, jsonb, uuid, boolean) RETURNS uuid LANGUAGE sql AS $f$ SELECT NULL::uuid $f$');
SELECT * FROM pg_temp.install_beside('CREATE FUNCTION rag_check_install(regrole) RETURNS void LANGUAGE sql AS $f$ SELECT $f$');
-- Beside anything else it is installed.
SELECT * FROM pg_temp.install_beside('CREATE TABLE conversations (id int); CREATE FUNCTION rag_version(text) RETURNS text LANGUAGE sql AS $f$ SELECT $1 $f$');

--
-- Helpers of the scripts refuse to work for anybody else.
--
CREATE FUNCTION pg_temp.rag_check_install(owner regrole) RETURNS void
LANGUAGE c AS '$libdir/rag_events', 'rag_check_install';
SELECT * FROM pg_temp.error($$SELECT pg_temp.rag_check_install('regress_rag_owner')$$);
DROP FUNCTION pg_temp.rag_check_install(regrole);

REVOKE CREATE ON DATABASE :"db" FROM regress_rag_owner, "regress rag Owner";
REVOKE CREATE ON SCHEMA public FROM regress_rag_owner;
DROP ROLE regress_rag_owner, regress_rag_guest, "regress rag Owner";
