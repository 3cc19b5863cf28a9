-- The sessions of standard input, each with the number of the node that has it; :port is the coordinator's.
\set ON_ERROR_STOP 1
\pset fieldsep ' '
SET citus.enable_ddl_propagation = off;
CREATE TEMP TABLE every (session uuid);
\copy every FROM PSTDIN
SELECT session, nodeport - :port FROM every
JOIN pg_dist_shard_placement ON shardid = get_shard_id_for_distribution_column('sessions', session);
