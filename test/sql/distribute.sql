--
-- Several machines, as far as one can see it without Citus: errors, the way down, and
-- the order of ids that several nodes draw. (test/citus.sh has a cluster.)
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname IN ('rag_distribute', 'rag_undistribute', 'rag_prepare_node') ORDER BY 1;

-- Without Citus
SELECT code, message, hint FROM pg_temp.diagnose('SELECT rag_distribute()');
SELECT code, message, hint FROM pg_temp.diagnose('SELECT rag_distribute(0)');
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_prepare_node(1, '{}')$$);
SELECT rag_undistribute();

-- By others than the owner
CREATE ROLE regress_rag_other;
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_rag_other;
SET ROLE regress_rag_other;
SELECT code, message FROM pg_temp.diagnose('SELECT rag_undistribute()');
RESET ROLE;
DROP OWNED BY regress_rag_other;
DROP ROLE regress_rag_other;
BEGIN READ ONLY;
SELECT code, message FROM pg_temp.diagnose('SELECT rag_distribute()');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_undistribute()');
ROLLBACK;

-- The support function changes nothing, whatever the session.
SELECT code, message FROM pg_temp.diagnose('SELECT rag_get_session(NULL)');
SELECT code, message FROM pg_temp.diagnose($$SELECT rag_add_message(NULL, 'user', 'x')$$);
SELECT rag_no_session() IS NULL AS none;

--
-- The order of ids. Here Citus seems to be loaded, and its catalog to know the tables, so
-- that ids are drawn as in a cluster.
--
ALTER DATABASE :"DBNAME" SET citus.shard_count = 32;
\c -
SET client_min_messages = warning;
\set alice  00000000-0000-4000-8000-00000000000a
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int);
RESET allow_system_table_mods;
ALTER TABLE messages ALTER COLUMN id TYPE bigint;
ALTER SEQUENCE messages_id_seq AS bigint INCREMENT BY 1024;
SELECT rag_create_session('alice', session_id => :'alice') AS alice;
SELECT rag_create_session('bob') AS bob \gset
INSERT INTO pg_dist_partition VALUES ('messages');
-- (Citus would say that the table has changed.)
ALTER TABLE messages SET (autovacuum_enabled = on);

-- This node is the second one: its ids are 2, 1026, ...
SELECT setval('messages_id_seq', 2, false);
SELECT rag_add_message(:'alice', 'user', 'here');
-- A node that is ahead has written to the session: this one goes past that.
INSERT INTO messages (id, session_id, role, content) VALUES (1024 * 1000 + 1, :'alice', 'assistant', 'there');
SELECT rag_add_message(:'alice', 'user', 'here again');
SELECT id, id % 1024 AS node, content FROM messages ORDER BY id;
-- Several at once ascend, and no id is drawn twice, whatever the session.
SELECT rag_add_messages(:'alice', '[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]');
SELECT rag_add_message(:'bob', 'user', 'another session');
-- By one: the next id is enough.
INSERT INTO messages (id, session_id, role, content) SELECT max(id) + 1, :'alice', 'user', 'just ahead' FROM messages;
SELECT rag_add_message(:'alice', 'user', 'and on');
INSERT INTO messages (id, session_id, role, content) SELECT max(id) + 1023, :'alice', 'user', 'almost a round ahead' FROM messages;
SELECT rag_add_message(:'alice', 'user', 'and on again');
INSERT INTO messages (id, session_id, role, content) SELECT max(id) + 1024, :'alice', 'user', 'a round ahead' FROM messages;
SELECT rag_add_message(:'alice', 'user', 'and once more');
SELECT row_number() OVER (ORDER BY id) AS n, id % 1024 AS node, content FROM messages WHERE session_id = :'alice' ORDER BY id;
SELECT count(*) = count(DISTINCT id) AS once FROM messages;
-- Whoever may draw ids may do that.
CREATE ROLE regress_rag_other;
GRANT SELECT, INSERT, UPDATE ON sessions, messages TO regress_rag_other;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_other;
INSERT INTO messages (id, session_id, role, content) VALUES (1024 * 5000 + 1, :'alice', 'assistant', 'far ahead');
SET ROLE regress_rag_other;
SELECT rag_add_message(:'alice', 'user', 'by another role');
RESET ROLE;
DROP OWNED BY regress_rag_other;
DROP ROLE regress_rag_other;

-- A step down is refused while the tables are distributed.
\set SHOW_CONTEXT never
ALTER EXTENSION rag_events UPDATE TO '1.4';
\set SHOW_CONTEXT errors
SELECT extversion FROM pg_extension WHERE extname = 'rag_events';

-- Usage by day is kept on the coordinator.
INSERT INTO pg_dist_local_group VALUES (2);
SELECT rag_close_days();
SELECT count(*) FROM rag_open_usage(NULL, NULL);
SELECT rag_erase_user('alice');
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition, pg_catalog.pg_dist_local_group;
RESET allow_system_table_mods;
ALTER DATABASE :"DBNAME" RESET citus.shard_count;
\c -
DROP EXTENSION rag_events;

--
-- Down and up again
--
CREATE EXTENSION rag_events VERSION '1.5';
SELECT object, kind, expected, actual FROM rag_check_schema();
ALTER EXTENSION rag_events UPDATE TO '1.4';
SELECT object, kind, expected, actual FROM rag_check_schema();
ALTER EXTENSION rag_events UPDATE TO '1.5';
SELECT object, kind, expected, actual FROM rag_check_schema();
DROP EXTENSION rag_events;
