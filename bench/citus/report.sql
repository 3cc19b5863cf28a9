-- The report, in Markdown, of the measurements on standard input. A ratio is taken within a
-- round; the tables have the medians.
\set ON_ERROR_STOP 1
CREATE TEMP TABLE result (part text, at text, round int, way text, us float8);
\copy result FROM PSTDIN

CREATE TEMP TABLE way (part text, way text, label text);
INSERT INTO way VALUES
  ('add', 'function', '`rag_add_message()`'),
  ('add', 'statements', 'BEGIN; UPDATE; INSERT; COMMIT'),
  ('add', 'with', 'WITH … UPDATE … INSERT'),
  ('add', 'insert', 'INSERT, session not touched'),
  ('last', 'function', '`rag_get_messages()`'),
  ('last', 'select', 'SELECT … ORDER BY id DESC LIMIT 20'),
  ('list', 'function', '`rag_list_sessions()`'),
  ('list', 'select', 'SELECT with a subquery for the preview'),
  ('bulk', 'many', '`rag_add_conversations()`'),
  ('bulk', 'many_there', '`rag_add_conversations()`, a client at each worker'),
  ('bulk', 'calls', '`rag_add_messages()`, one transaction'),
  ('bulk', 'each', '`rag_add_messages()`, a transaction each'),
  ('bulk', 'copy', 'COPY and touch'),
  ('bulk', 'calls_there', '`rag_add_messages()`, a client at each worker'),
  ('bulk', 'copy_there', 'COPY and touch, a client at each worker'),
  ('import', 'new', '`rag_add_conversations()`'),
  ('import', 'import', '`rag_import_session()`, one transaction'),
  ('import', 'rows', 'COPY of sessions and messages'),
  ('nodes', 'function', '`rag_add_message()`'),
  ('nodes', 'statements', 'BEGIN; UPDATE; INSERT; COMMIT');

-- How often ours is as fast as theirs.
CREATE TEMP TABLE target (n float8, part text, at text, ours text, theirs text, target float8, work text);
INSERT INTO target VALUES
  (1, 'add', 'coordinator', 'function', 'statements', 1.5, 'one message'),
  (2, 'add', 'coordinator', 'function', 'with', NULL, 'one message'),
  (3, 'add', 'coordinator', 'function', 'insert', NULL, 'one message'),
  (4, 'add', 'node', 'function', 'statements', 1, 'one message'),
  (5, 'add', 'node', 'function', 'with', NULL, 'one message'),
  (6, 'add', 'node', 'function', 'insert', NULL, 'one message'),
  (7, 'last', 'coordinator', 'function', 'select', 0.83, 'last 20'),
  (8, 'last', 'node', 'function', 'select', 0.83, 'last 20'),
  (9, 'list', 'coordinator', 'function', 'select', NULL, 'list of sessions'),
  (10, 'list', 'node', 'function', 'select', NULL, 'list of sessions'),
  (11, 'bulk', 'small', 'many', 'copy', 2, 'bulk, small rows'),
  (12, 'bulk', 'real', 'many', 'copy', 2, 'bulk, real rows'),
  (13, 'bulk', 'small', 'many_there', 'copy', 2, 'bulk, small rows, a client at each worker'),
  (14, 'bulk', 'small', 'many_there', 'copy_there', NULL, 'bulk, small rows, a client at each worker'),
  (15, 'bulk', 'real', 'many_there', 'copy', 2, 'bulk, real rows, a client at each worker'),
  (16, 'bulk', 'real', 'many_there', 'copy_there', NULL, 'bulk, real rows, a client at each worker'),
  (17, 'bulk', 'small', 'calls', 'copy', NULL, 'bulk, small rows, a call each'),
  (17.1, 'bulk', 'small', 'each', 'copy', NULL, 'bulk, small rows, a transaction each'),
  (17.2, 'bulk', 'real', 'calls', 'copy', NULL, 'bulk, real rows, a call each'),
  (17.3, 'bulk', 'real', 'each', 'copy', NULL, 'bulk, real rows, a transaction each'),
  (18, 'bulk', 'small', 'calls_there', 'copy', NULL, 'bulk, small rows, a call each, a client at each worker'),
  (18.1, 'bulk', 'real', 'calls_there', 'copy', NULL, 'bulk, real rows, a call each, a client at each worker'),
  (19, 'import', 'small', 'new', 'rows', NULL, 'new conversations, small rows'),
  (20, 'import', 'real', 'new', 'rows', NULL, 'new conversations, real rows'),
  (21, 'import', 'small', 'import', 'rows', NULL, 'new conversations, small rows, a call each'),
  (22, 'import', 'real', 'import', 'rows', NULL, 'new conversations, real rows, a call each');

SET client_min_messages = error; -- Citus says of each view over a temporary table that it is local
CREATE TEMP VIEW ratio AS
SELECT t.*, w.label, percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us / ours.us) AS ratio,
  percentile_cont(0.25) WITHIN GROUP (ORDER BY theirs.us / ours.us) AS low,
  percentile_cont(0.75) WITHIN GROUP (ORDER BY theirs.us / ours.us) AS high
FROM target AS t JOIN way AS w ON w.part = t.part AND w.way = t.theirs
  JOIN result AS ours ON ours.part = t.part AND ours.at = t.at AND ours.way = t.ours
  JOIN result AS theirs ON theirs.part = t.part AND theirs.at = t.at AND theirs.way = t.theirs
    AND theirs.round = ours.round
GROUP BY t.n, t.part, t.at, t.ours, t.theirs, t.target, t.work, w.label;

SELECT EXISTS (SELECT FROM ratio) AS measured \gset
\if :measured
\qecho '| work | at | against | aimed at | measured | |'
\qecho '| --- | --- | --- | ---: | ---: | --- |'
SELECT format('| %s | %s | %s | %s | **%s** (%s to %s) | %s |', work, CASE WHEN ours LIKE '%there' THEN 'node' WHEN part IN ('bulk', 'import') THEN 'coordinator' ELSE at END,
  label, coalesce('≥ ' || target, ''), round(ratio::numeric, 2), round(low::numeric, 2), round(high::numeric, 2),
  CASE WHEN ratio < target THEN 'missed' WHEN ratio >= target THEN 'reached' ELSE '' END)
FROM ratio ORDER BY n;

\qecho
\qecho '| work | at, or rows | by | µs (bulk: a message) | fastest round |'
\qecho '| --- | --- | --- | ---: | ---: |'
SELECT format('| %s | %s | %s | %s | %s |', part, at, label, round(us::numeric, 1), round(fastest::numeric, 1))
FROM (
  SELECT part, at, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us, min(us) AS fastest
  FROM result WHERE part <> 'nodes' GROUP BY part, at, way
) AS r JOIN (SELECT row_number() OVER () AS n, * FROM way) AS w USING (part, way)
ORDER BY array_position('{add,last,list,bulk,import}', part), at, n;
\endif

SELECT EXISTS (SELECT FROM result WHERE part = 'nodes') AS nodes \gset
\if :nodes
\qecho
\qecho '| nodes | by | messages a second | against one node |'
\qecho '| ---: | --- | ---: | ---: |'
SELECT format('| %s | %s | %s | **%s** (%s to %s) |', at, label, round((1e6 / percentile_cont(0.5) WITHIN GROUP (ORDER BY r.us))::numeric),
  round((percentile_cont(0.5) WITHIN GROUP (ORDER BY one.us / r.us))::numeric, 2), round((percentile_cont(0.25) WITHIN GROUP (ORDER BY one.us / r.us))::numeric, 2),
  round((percentile_cont(0.75) WITHIN GROUP (ORDER BY one.us / r.us))::numeric, 2))
FROM result AS r JOIN way USING (part, way) JOIN (SELECT way, round, us FROM result WHERE part = 'nodes' AND at = '1') AS one USING (way, round)
WHERE part = 'nodes' GROUP BY way, label, at ORDER BY way, at;
\endif

\qecho
SELECT format('%s, Citus %s: a coordinator and %s workers on one machine with %s cores, %s shards, Unix sockets; medians of %s rounds '
    'taken side by side (in brackets: the middle half of the rounds); synchronous_commit = %s, fsync = %s.',
    regexp_replace(version(), ' on .*| \(.*', ''), (SELECT extversion FROM pg_extension WHERE extname = 'citus'),
    :workers, :cores, :shards, :rounds, current_setting('synchronous_commit'), current_setting('fsync'));
