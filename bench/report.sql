-- The report, in Markdown, of the measurements on standard input; and the file
-- :bars for the picture. A ratio is taken within a round; the tables have the medians.
\set ON_ERROR_STOP 1
CREATE TEMP TABLE result (part text, rows text, round int, way text, us float8);
\copy result FROM PSTDIN

CREATE TEMP TABLE way (part text, way text, label text);
INSERT INTO way VALUES
  ('message', 'function', '`rag_add_message()`'),
  ('message', 'statements', 'BEGIN; INSERT; UPDATE; COMMIT'),
  ('message', 'with', 'WITH … UPDATE … INSERT'),
  ('message', 'plpgsql', 'PL/pgSQL function'),
  ('message', 'statements@1.0', 'BEGIN; INSERT; UPDATE; COMMIT on 1.0'),
  ('message', 'insert@1.0', 'INSERT on 1.0, session not touched'),
  ('turn', 'rag_events', '`rag_add_messages()` by `pg`'),
  ('turn', 'langchain', '`@langchain/community`'),
  ('turn', 'mastra', '`@mastra/pg`'),
  ('bulk', 'calls', '`rag_add_messages()`'),
  ('bulk', 'many', '`rag_add_conversations()`'),
  ('bulk', 'copy', 'COPY and touch'),
  ('bulk', 'copy@1.0', 'COPY and touch on 1.0'),
  ('bulk', 'recordset', '`jsonb_to_recordset()` and touch'),
  ('growth', '10000', '10 thousand messages'),
  ('growth', '1000000', '1 million messages'),
  ('growth', '10000000', '10 million messages'),
  ('last', 'function', '`rag_get_messages()`'),
  ('last', 'sql', 'SELECT … ORDER BY id DESC LIMIT 20'),
  ('last', 'checked', 'the same, joined with its session'),
  ('last_growth', '10000', '10 thousand messages'),
  ('last_growth', '1000000', '1 million messages'),
  ('last_growth', '10000000', '10 million messages'),
  ('last_growth_any', '10000', '10 thousand messages'),
  ('last_growth_any', '1000000', '1 million messages'),
  ('last_growth_any', '10000000', '10 million messages'),
  ('history', 'rag_events', '`rag_get_messages()` by `pg`'),
  ('history', 'langchain', '`@langchain/community`'),
  ('history', 'mastra', '`@mastra/pg`'),
  ('context', 'rag_events', '`rag_get_context()` by `pg`'),
  ('context', 'fetch', 'all fetched, trimmed in Node'),
  ('window', 'context', '`rag_get_context()`'),
  ('window', 'select', 'SELECT with a window sum'),
  ('window', 'last', '`rag_get_messages()`'),
  ('prompt', 'prompt', '`rag_get_prompt()`'),
  ('prompt', 'context', '`rag_get_context()`'),
  ('budget', 'context', '`rag_get_context()`'),
  ('budget', 'select', 'SELECT with a window sum of 200'),
  ('edit', 'function', '`rag_update_message()`'),
  ('edit', 'with', 'WITH … UPDATE … UPDATE'),
  ('edit', 'put', '`rag_put_message()`'),
  ('put', 'put', '`rag_put_message()`'),
  ('put', 'key', '`rag_add_message()` with a key'),
  ('grow', 'put', '`rag_put_message()`'),
  ('grow', 'function', '`rag_update_message()`'),
  ('session', 'function', '`rag_add_message()`'),
  ('session', 'with', 'WITH … UPDATE … INSERT'),
  ('find', 'function', '`rag_find_sessions()`'),
  ('find', 'select', 'SELECT … ILIKE'),
  ('regenerate', 'function', '`rag_delete_messages()`'),
  ('regenerate', 'with', 'WITH … UPDATE … DELETE'),
  ('delete', 'function', '`rag_delete_session()`'),
  ('delete', 'delete', 'DELETE'),
  ('expire', 'function', '`rag_expire_sessions()`'),
  ('expire', 'delete', 'DELETE … LIMIT 1000'),
  ('cold', 'clustered', 'after CLUSTER'),
  ('cold', 'spread', 'as it was written'),
  ('sidebar', 'function', '`rag_list_sessions()`'),
  ('sidebar', 'join', 'JOIN … GROUP BY'),
  ('import', 'import', '`rag_import_session()`'),
  ('import', 'calls', '`rag_add_message()`, row by row'),
  ('import', 'transactions', '`rag_add_message()`, a transaction each'),
  ('feedback', 'function', '`rag_set_feedback()`'),
  ('feedback', 'upsert', 'INSERT … SELECT … ON CONFLICT'),
  ('brin', 'asis', 'with the index'),
  ('brin', 'minmax', 'with a plain minmax index'),
  ('brin', 'none', 'without an index'),
  ('close', 'function', '`rag_close_days()`'),
  ('close', 'select', 'INSERT … SELECT … GROUP BY'),
  ('usage', 'all', '`rag_usage()`, all rows fetched'),
  ('usage', 'count', '`rag_usage()`, rows counted'),
  ('usage', 'months', '`rag_usage()`, percentiles by month and model'),
  ('usage', 'raw', '`percentile_cont()` over the messages'),
  ('clients', 'function', '`rag_add_message()`'),
  ('clients', 'statements@1.0', 'BEGIN; INSERT; UPDATE; COMMIT on 1.0');

-- How often ours is as fast as theirs; in growth, how often ours is as slow.
CREATE TEMP TABLE target (n float8, part text, rows text, ours text, theirs text, target float8, work text);
INSERT INTO target VALUES
  (1, 'message', 'real', 'function', 'statements@1.0', 3, 'one message'),
  (2, 'message', 'real', 'function', 'insert@1.0', 1.2, 'one message'),
  (3, 'message', 'real', 'function', 'statements', 2.5, 'one message'),
  (4, 'message', 'real', 'function', 'with', 0.95, 'one message'),
  (5, 'message', 'real', 'function', 'plpgsql', 1, 'one message'),
  (6, 'message', 'small', 'function', 'statements@1.0', 3, 'one message'),
  (7, 'message', 'small', 'function', 'insert@1.0', 1.2, 'one message'),
  (8, 'message', 'small', 'function', 'statements', 2.5, 'one message'),
  (9, 'message', 'small', 'function', 'with', 0.95, 'one message'),
  (10, 'message', 'small', 'function', 'plpgsql', 1, 'one message'),
  (11, 'turn', 'real', 'rag_events', 'langchain', 2, 'a turn, from Node'),
  (12, 'turn', 'real', 'rag_events', 'mastra', 2, 'a turn, from Node'),
  (13, 'bulk', 'real', 'calls', 'copy@1.0', 2, 'bulk'),
  (16, 'bulk', 'small', 'calls', 'copy@1.0', 2, 'bulk'),
  (14, 'bulk', 'real', 'calls', 'recordset', 1.25, 'bulk'),
  (17, 'bulk', 'small', 'calls', 'recordset', NULL, 'bulk'),
  (15, 'bulk', 'real', 'calls', 'copy', NULL, 'bulk'),
  (15.1, 'bulk', 'real', 'many', 'copy@1.0', NULL, 'bulk, one call'),
  (18.1, 'bulk', 'small', 'many', 'copy@1.0', NULL, 'bulk, one call'),
  (18, 'bulk', 'small', 'calls', 'copy', NULL, 'bulk'),
  (19, 'growth', 'small', '1000000', '10000', 1.3, 'growth'),
  (20, 'growth', 'small', '10000000', '10000', 1.3, 'growth'),
  (21, 'clients', 'real', 'function', 'statements@1.0', 2, '8 clients, fsync'),
  (31, 'last', 'small', 'function', 'sql', 0.95, 'last 20'),
  (32, 'last', 'small', 'function', 'checked', NULL, 'last 20'),
  (33, 'last', 'real', 'function', 'sql', 0.95, 'last 20'),
  (34, 'last', 'real', 'function', 'checked', NULL, 'last 20'),
  (35, 'last_growth', 'small', '1000000', '10000', 1.2, 'last 20, growth'),
  (36, 'last_growth', 'small', '10000000', '10000', 1.2, 'last 20, growth'),
  (36.1, 'last_growth_any', 'small', '1000000', '10000', 1.2, 'last 20, growth, any session'),
  (36.2, 'last_growth_any', 'small', '10000000', '10000', 1.2, 'last 20, growth, any session'),
  (37, 'history', 'small', 'rag_events', 'langchain', NULL, 'last 20, from Node'),
  (38, 'history', 'small', 'rag_events', 'mastra', NULL, 'last 20, from Node'),
  (39, 'context', 'real', 'rag_events', 'fetch', 20, '4000 tokens of 5000 messages'),
  (39.1, 'window', 'small', 'context', 'select', 1.5, 'context of 20 messages'),
  (39.2, 'window', 'real', 'context', 'select', 1.5, 'context of 20 messages'),
  (39.3, 'window', 'small', 'context', 'last', 0.87, 'context of 20 messages'),
  (39.4, 'window', 'real', 'context', 'last', 0.87, 'context of 20 messages'),
  (39.41, 'prompt', 'small', 'prompt', 'context', 0.77, 'prompt of 20 messages'),
  (39.42, 'prompt', 'real', 'prompt', 'context', 0.77, 'prompt of 20 messages'),
  (39.421, 'prompt', 'large', 'prompt', 'context', 0.77, 'prompt of 20 messages'),
  (39.43, 'budget', 'real', 'context', 'select', 1.5, 'context of 4000 tokens'),
  (39.5, 'edit', 'small', 'function', 'with', 1.2, 'an update of a message'),
  (39.6, 'edit', 'real', 'function', 'with', 1.2, 'an update of a message'),
  (39.61, 'edit', 'small', 'put', 'function', 0.95, 'a message put again'),
  (39.62, 'edit', 'real', 'put', 'function', 0.95, 'a message put again'),
  (39.63, 'put', 'small', 'put', 'key', 0.95, 'a new message with a key'),
  (39.64, 'put', 'real', 'put', 'key', 0.95, 'a new message with a key'),
  (39.645, 'grow', 'small', 'put', 'function', 0.95, 'an answer that grows'),
  (39.65, 'session', 'small', 'function', 'with', 1.8, '8 connections, one session'),
  (39.66, 'session', 'real', 'function', 'with', 1.8, '8 connections, one session'),
  (39.7, 'find', 'nothing', 'function', 'select', 2, 'search, nothing found'),
  (39.71, 'find', 'common', 'function', 'select', NULL, 'search, a common word'),
  (39.8, 'regenerate', 'small', 'function', 'with', 1, 'an answer deleted'),
  (39.81, 'delete', 'small', 'function', 'delete', 1, 'a session of 50 deleted'),
  (39.82, 'expire', 'small', 'function', 'delete', 1.5, '1000 old sessions of 28'),
  (39.9, 'cold', 'small', 'clustered', 'spread', NULL, 'last 20, nothing cached'),
  (40, 'sidebar', 'small', 'function', 'join', 5, 'list of 1000 sessions'),
  (41, 'import', 'real', 'import', 'calls', 3, 'import'),
  (42, 'import', 'real', 'import', 'transactions', NULL, 'import'),
  (50, 'feedback', 'new', 'function', 'upsert', 0.9, 'a vote'),
  (50.1, 'feedback', 'again', 'function', 'upsert', 0.9, 'a vote'),
  (51, 'brin', 'end', 'asis', 'none', 0.98, 'one message, index on created_at'),
  (51.1, 'brin', 'end', 'minmax', 'none', NULL, 'one message, plain minmax index'),
  (51.2, 'brin', 'emptied', 'asis', 'none', 0.98, 'one message, index on created_at'),
  (51.3, 'brin', 'emptied', 'minmax', 'none', NULL, 'one message, plain minmax index'),
  (52, 'close', 'small', 'function', 'select', NULL, 'a day of 100000 messages'),
  (53, 'usage', '1000000', 'months', 'raw', NULL, 'percentiles of a year'),
  (53.1, 'usage', '10000000', 'months', 'raw', NULL, 'percentiles of a year');

CREATE TEMP VIEW ratio AS
SELECT t.*, w.label, percentile_cont(0.5) WITHIN GROUP (ORDER BY r) AS ratio,
  percentile_cont(0.25) WITHIN GROUP (ORDER BY r) AS low,
  percentile_cont(0.75) WITHIN GROUP (ORDER BY r) AS high
FROM target AS t JOIN way AS w ON w.part = t.part AND w.way = t.theirs
  JOIN result AS ours ON ours.part = t.part AND ours.rows = t.rows AND ours.way = t.ours
  JOIN result AS theirs ON theirs.part = t.part AND theirs.rows = t.rows AND theirs.way = t.theirs
    AND theirs.round = ours.round,
  LATERAL (VALUES (CASE WHEN t.part ~ 'growth' THEN ours.us / theirs.us ELSE theirs.us / ours.us END)) AS v (r)
GROUP BY t.n, t.part, t.rows, t.ours, t.theirs, t.target, t.work, w.label;

\qecho '| work | rows | against | aimed at | measured | |'
\qecho '| --- | --- | --- | ---: | ---: | --- |'
SELECT format('| %s | %s | %s | %s | **%s** (%s to %s) | %s |', work, rows,
  CASE WHEN part ~ 'growth' THEN (SELECT label FROM way AS w WHERE w.part = ratio.part AND way = ours) || ' : ' || label ELSE label END,
  coalesce(CASE WHEN part ~ 'growth' THEN '≤ ' ELSE '≥ ' END || target, ''),
  round(ratio::numeric, 2), round(low::numeric, 2), round(high::numeric, 2),
  CASE WHEN target IS NULL THEN '' WHEN ratio = target OR (ratio < target) = (part ~ 'growth') THEN 'reached' ELSE 'missed' END)
FROM ratio ORDER BY n;

SELECT EXISTS (SELECT FROM result WHERE part = ANY ('{message,turn,bulk,growth,clients}')) AS writing \gset
\if :writing
\qecho
\qecho '| work | rows | written by | µs a message | fastest round | messages a second |'
\qecho '| --- | --- | --- | ---: | ---: | ---: |'
SELECT format('| %s | %s | %s | %s | %s | %s |', CASE part WHEN 'turn' THEN 'turn of 2' ELSE part END, rows, label,
  round(us::numeric, 1), round(fastest::numeric, 1), round(1e6 / us))
FROM (
  SELECT part, rows, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY m) AS us, min(m) AS fastest
  FROM result, LATERAL (VALUES (CASE part WHEN 'turn' THEN us / 2 ELSE us END)) AS v (m)
  GROUP BY part, rows, way
) AS r JOIN (SELECT row_number() OVER () AS n, * FROM way) AS w USING (part, way)
WHERE part = ANY ('{message,turn,bulk,growth,clients}')
ORDER BY array_position('{message,turn,bulk,growth,clients}', part), rows DESC, n;
\endif

SELECT EXISTS (SELECT FROM result WHERE part = ANY ('{last,last_growth,last_growth_any,history,context,window,prompt,budget,edit,put,grow,session,find,regenerate,delete,expire,cold,sidebar,import,feedback,brin,close,usage}')) AS reading \gset
\if :reading
\qecho
\qecho '| work | rows | by | µs a call (import: a message) | fastest round |'
\qecho '| --- | --- | --- | ---: | ---: |'
SELECT format('| %s | %s | %s | %s | %s |', replace(part, '_', ', '), rows, label, round(us::numeric, 1), round(fastest::numeric, 1))
FROM (
  SELECT part, rows, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us, min(us) AS fastest
  FROM result GROUP BY part, rows, way
) AS r JOIN (SELECT row_number() OVER () AS n, * FROM way) AS w USING (part, way)
WHERE part = ANY ('{last,last_growth,last_growth_any,history,context,window,prompt,budget,edit,put,grow,session,find,regenerate,delete,expire,cold,sidebar,import,feedback,brin,close,usage}')
ORDER BY array_position('{last,last_growth,last_growth_any,history,context,window,prompt,budget,edit,put,grow,session,find,regenerate,delete,expire,cold,sidebar,import,feedback,brin,close,usage}', part), rows DESC, n;
\endif

\qecho
SELECT format('%s over %s%s; medians of %s rounds (bulk: twice as many) taken side by side (in brackets: the middle half '
    'of the rounds); message and growth: %s messages a round, to %s sessions at random; synchronous_commit = %s, fsync = %s.',
    regexp_replace(version(), ' on .*| \(.*', ''),
    CASE WHEN inet_server_addr() IS NULL THEN 'a Unix socket' ELSE 'TCP' END, :'cpus',
    :'rounds', :'messages', :'sessions',
    current_setting('synchronous_commit'), current_setting('fsync'));

\o :bars
SELECT concat_ws(E'\t', part, work || CASE WHEN part IN ('message', 'bulk', 'last') THEN ', ' || rows || ' rows' ELSE '' END,
  CASE WHEN part ~ 'growth' THEN ours || ' : ' || theirs || ' messages' ELSE translate(label, '`', '') END,
  round(ratio::numeric, 2), round(low::numeric, 2), round(high::numeric, 2), coalesce(target::text, '-'))
FROM ratio ORDER BY n;
\o
