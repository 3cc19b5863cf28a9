-- The sessions of standard input, with :all, or those of them that this node has, in a table of
-- the node's own for draw.sql. Returns their number.
\set ON_ERROR_STOP 1
SET citus.enable_ddl_propagation = off;
SET client_min_messages = warning;
CREATE TEMP TABLE every (session uuid, user_id text);
\copy every FROM PSTDIN
DROP TABLE IF EXISTS bench_session;
CREATE TABLE bench_session AS
SELECT row_number() OVER () AS n, session, user_id FROM every
WHERE :all OR EXISTS (SELECT FROM pg_dist_placement
  WHERE shardid = get_shard_id_for_distribution_column('sessions', session)
    AND groupid = (SELECT groupid FROM pg_dist_local_group));
ALTER TABLE bench_session ADD PRIMARY KEY (n);
VACUUM ANALYZE bench_session;
SELECT count(*) FROM bench_session;
