--
-- rag_close_days() and rag_usage(): numbers of days that outlive what they count; and
-- rag_latency_sum() and rag_latency_percentile(), which read their histograms.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname IN ('rag_close_days', 'rag_usage', 'rag_open_usage', 'rag_latency_sum', 'rag_latency_percentile') ORDER BY 1;
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'rag_usage_daily'::regclass AND attnum > 0 ORDER BY attnum;

-- Whole numbers of days ago: what is told of them does not depend on today.
CREATE FUNCTION pg_temp.ago(day date) RETURNS int LANGUAGE sql AS 'SELECT LOCALTIMESTAMP::date - $1';
CREATE FUNCTION pg_temp.usage(from_day int, to_day int) RETURNS TABLE (ago int, user_id text, model text, query_type text, s int8, q int8, a int8, without int8, input int8, output int8, latency int[]) LANGUAGE sql AS $$
  SELECT pg_temp.ago(u.day), u.user_id, u.model, u.query_type, u.sessions, u.questions, u.answers, u.answers_without_sources, u.input_tokens, u.output_tokens, u.latency
  FROM rag_usage(LOCALTIMESTAMP::date - $1, LOCALTIMESTAMP::date - $2) AS u ORDER BY u.day, u.user_id, u.model, u.query_type
$$;
CREATE FUNCTION pg_temp.add_at(session uuid, ago int, messages jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE ids int8[] := rag_add_messages(session, messages);
BEGIN
  UPDATE messages SET created_at = LOCALTIMESTAMP::date - ago + time '12:00' WHERE id = ANY (ids);
END $$;
SELECT rag_create_session('alice', NULL, :'alice'), rag_create_session('bob', NULL, :'bob'), rag_create_session(NULL, NULL, :'nobody');
SELECT pg_temp.add_at(:'alice', 3, '[{"role": "user", "content": "q", "token_count": 5},
  {"role": "assistant", "content": "a", "sources": [{"id": "d"}], "latency_ms": 100, "query_type": "fact", "metadata": {"model": "m1", "input_tokens": 1000, "output_tokens": 50}},
  {"role": "user", "content": "q", "token_count": 7},
  {"role": "assistant", "content": "a", "latency_ms": 200, "token_count": 11, "metadata": {"model": "m1"}}]');
SELECT pg_temp.add_at(:'alice', 1, '[{"role": "user", "content": "q", "token_count": 1}]');
SELECT pg_temp.add_at(:'bob', 3, '[{"role": "assistant", "content": "a", "sources": [], "metadata": {"model": "m2"}}, {"role": "assistant", "content": "a", "sources": null}, {"role": "assistant", "content": "a", "sources": {}}, {"role": "assistant", "content": "a", "sources": "x"}]');
SELECT pg_temp.add_at(:'nobody', 0, '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "latency_ms": 0}]');
-- All is counted now, and nothing is kept.
SELECT * FROM pg_temp.usage(100, 0);
SELECT count(*) FROM rag_usage_daily;
SELECT * FROM pg_temp.usage(2, 1);
SELECT * FROM pg_temp.usage(1, 2);
SELECT (SELECT count(*) FROM rag_usage(NULL, NULL)) AS "all", (SELECT count(*) FROM rag_usage('-infinity', 'infinity')) AS infinite, (SELECT count(*) FROM rag_usage(NULL, '2000-01-01')) AS none;
-- PostgreSQL puts the query in the place of the call.
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END$$;
SELECT bool_or(line ~ 'on rag_usage_daily') AS reads, bool_or(line ~ 'Function Scan on rag_usage( |$)') AS as_a_function
FROM (SELECT pg_temp.plan('SELECT sum(answers) FROM rag_usage(NULL, ''2026-01-01'')')) AS p (line);
-- Closed days are kept, also when what they count goes; twice is as once.
SELECT rag_close_days(LOCALTIMESTAMP::date - 2), rag_close_days(LOCALTIMESTAMP::date - 2);
SELECT array_agg(DISTINCT pg_temp.ago(day)) FROM rag_usage_daily;
CREATE TABLE before AS SELECT * FROM rag_usage(NULL, NULL);
SELECT rag_delete_session(:'alice');
SELECT * FROM pg_temp.usage(100, 0);
-- So is a day without messages.
SELECT pg_temp.ago(day), user_id, answers, latency FROM rag_usage_daily WHERE pg_temp.ago(day) = 2;
-- What is added to a closed day later does not count; an earlier or later call does not change it.
SELECT pg_temp.add_at(:'bob', 3, '[{"role": "user", "content": "late"}]'), pg_temp.add_at(:'bob', 2, '[{"role": "user", "content": "late"}]'), pg_temp.add_at(:'bob', 1, '[{"role": "user", "content": "q"}]');
SELECT rag_close_days(LOCALTIMESTAMP::date - 3), rag_close_days('2000-01-01'), rag_close_days('-infinity'), rag_close_days(), rag_close_days();
SELECT ago, user_id, s, q, a FROM pg_temp.usage(100, 0);
-- Erased: the numbers are nobody's, and add up as before.
SELECT sessions, messages FROM rag_erase_user('alice');
SELECT ago, user_id, model, q, a FROM pg_temp.usage(100, 2);
SELECT count(*) FROM rag_usage(NULL, NULL) WHERE user_id = 'alice';
SELECT (SELECT sum(answers) FROM rag_usage_daily WHERE pg_temp.ago(day) = 3) = (SELECT sum(answers) FROM before WHERE pg_temp.ago(day) = 3) AS same;

-- What is no number of tokens or milliseconds counts as if it were not there.
DELETE FROM sessions;
DELETE FROM rag_usage_daily;
SELECT rag_create_session('carol', NULL, :'alice') IS NOT NULL AS created;
INSERT INTO messages (session_id, role, content, created_at, latency_ms, token_count, sources, metadata, query_type)
SELECT :'alice', 'assistant', 'x', LOCALTIMESTAMP::date - 1, l, t, s, m, q FROM (VALUES
  ('NaN'::float8, -5, '[]'::jsonb, '{"model": null}'::jsonb, NULL), ('Infinity', NULL, 'null', '{"input_tokens": "7"}', NULL), ('-Infinity', 2147483647, '[null]', '{"input_tokens": 1e400, "output_tokens": -1}', NULL),
  (-1, NULL, NULL, '[]', NULL), (1e300, NULL, NULL, '"x"', NULL), (5e-324, 1, NULL, 'null', NULL), (0, NULL, NULL, '{"model": 7, "input_tokens": 1.5, "output_tokens": 2.5}', ''),
  (1, NULL, (SELECT jsonb_agg(n) FROM generate_series(1, 5000) AS n), jsonb_build_object('model', repeat('m', 100000)), repeat('é', 1000))) AS v (l, t, s, m, q);
INSERT INTO messages (session_id, role, content, created_at) SELECT :'alice', 'user', 'x', t FROM unnest('{-infinity,infinity,"2020-02-29 23:59:59.999999","2020-03-01"}'::timestamp[]) AS t;
SELECT rag_close_days();
SELECT CASE WHEN user_id = 'carol' AND day < '2021-01-01' THEN day END AS day, left(model, 5) AS model, length(model) AS l, left(query_type, 3) AS type, length(query_type) AS l, sessions AS s, questions AS q, answers AS a, answers_without_sources AS without, input_tokens AS input, output_tokens AS output, latency
FROM rag_usage_daily ORDER BY rag_usage_daily.day, rag_usage_daily.model, rag_usage_daily.query_type;
SELECT count(*) FROM rag_usage(NULL, NULL);
SELECT * FROM pg_temp.error('SELECT * FROM rag_usage(''5874897-12-31'', NULL)');
SELECT count(*) FROM rag_usage('4714-11-24 BC', '294276-12-30');

-- An answer's input_tokens are those of the whole prompt; else the question's count.
DELETE FROM sessions;
DELETE FROM rag_usage_daily;
SELECT rag_create_session('dora', NULL, :'alice') IS NOT NULL AS created;
INSERT INTO messages (session_id, role, content, created_at, token_count, metadata, query_type)
SELECT :'alice', CASE i WHEN 1 THEN 'user' ELSE 'assistant' END, 'x', t, CASE i WHEN 1 THEN 10 END, m::jsonb, q FROM (VALUES
  ('both', '{"input_tokens": 7}', '{"input_tokens": 100}'), ('question', '{"input_tokens": 7}', NULL), ('count', NULL, NULL), ('answer', NULL, '{"input_tokens": 100}')) AS v (q, m1, m2),
  LATERAL (VALUES (1, m1), (2, m2)) AS w (i, m), LATERAL (SELECT timestamp '2026-01-02 12:00') AS x (t);
INSERT INTO messages (session_id, role, content, created_at, token_count, metadata, query_type)
VALUES (:'alice', 'user', 'x', '2026-01-03 23:59:59', 10, NULL, 'midnight'), (:'alice', 'assistant', 'x', '2026-01-04 00:00:01', NULL, '{"input_tokens": 100}', 'midnight');
SELECT query_type, sum(input_tokens) FROM rag_usage('2026-01-02', '2026-01-04') GROUP BY 1 ORDER BY 1;
-- A row of plain SQL at the end of time closes everything.
INSERT INTO rag_usage_daily (day, sessions, questions, answers, answers_without_sources, input_tokens, output_tokens) VALUES ('infinity', 0, 0, 0, 0, 0, 0);
SELECT count(*) FROM rag_usage(NULL, NULL);
SELECT rag_close_days();
DELETE FROM rag_usage_daily;
-- Days are closed for everybody, whoever sees the row that says so.
CREATE ROLE regress_rag_closer;
GRANT SELECT ON sessions, messages, rag_usage_daily TO regress_rag_closer;
SELECT rag_close_days('2026-01-08');
INSERT INTO messages (session_id, role, content, created_at) VALUES (:'alice', 'user', 'late', '2026-01-07');
ALTER TABLE rag_usage_daily ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON rag_usage_daily USING (day = '2026-01-02');
SET ROLE regress_rag_closer;
SELECT DISTINCT day FROM rag_usage(NULL, NULL);
RESET ROLE;
ALTER TABLE rag_usage_daily DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON rag_usage_daily;
DROP OWNED BY regress_rag_closer;
DROP ROLE regress_rag_closer;

-- Errors
SELECT * FROM pg_temp.error('SELECT rag_close_days(LOCALTIMESTAMP::date)');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_close_days(''infinity'')');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.error('SELECT rag_close_days()');
ROLLBACK;
BEGIN READ ONLY;
SELECT code, message FROM pg_temp.diagnose('SELECT rag_close_days()');
SELECT count(*) FROM rag_usage(NULL, NULL);
ROLLBACK;
-- Rights: those of the caller; who sees only some of the rows does not close a day.
CREATE ROLE regress_rag_closer;
SET ROLE regress_rag_closer;
SELECT * FROM pg_temp.error('SELECT rag_close_days()');
SELECT * FROM pg_temp.error('SELECT * FROM rag_usage(NULL, NULL)');
RESET ROLE;
GRANT SELECT ON sessions, messages, rag_usage_daily TO regress_rag_closer;
GRANT INSERT ON rag_usage_daily TO regress_rag_closer;
SET ROLE regress_rag_closer;
SELECT rag_close_days();
RESET ROLE;
CREATE FUNCTION pg_temp.under_policy(tab text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
  SET LOCAL ROLE regress_rag_closer;
  SELECT * INTO d FROM pg_temp.diagnose('SELECT rag_close_days()');
  RESET ROLE;
  EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', tab);
  RETURN concat_ws(' | ', d.code, d.message, d.hint);
END $$;
SELECT pg_temp.under_policy(t) FROM unnest('{sessions,messages,rag_usage_daily}'::text[]) AS t;
DROP OWNED BY regress_rag_closer;
DROP ROLE regress_rag_closer;

--
-- Histograms
--
SELECT rag_latency_sum(h) FROM unnest(ARRAY['{5,1}', '{3,2,7,1}', NULL, '{}', '{5,4}', '{1,1,3,1,5,1,7,1,9,1}']) AS v (h0), LATERAL (SELECT h0::int[]) AS x (h);
SELECT rag_latency_sum(h::int[]) IS NULL AS null, rag_latency_sum('{}'::int[]) AS empty FROM (VALUES (NULL), (NULL)) AS v (h);
-- Each order gives the same, over groups and frames, and in parallel.
SELECT count(DISTINCT h) FROM (SELECT rag_latency_sum(ARRAY[b, 1] ORDER BY k) AS h FROM generate_series(1, 5) AS run, LATERAL (SELECT n * 7919 % 100 - 50, md5(n::text || run) FROM generate_series(1, 500) AS n) AS v (b, k) GROUP BY run) AS r;
SELECT n, rag_latency_sum(ARRAY[n % 3, 1]) OVER (ORDER BY n ROWS 3 PRECEDING) FROM generate_series(1, 6) AS n;
CREATE TABLE many AS SELECT n, ARRAY[n * 7919 % 100 - 50, 1] AS h FROM generate_series(1, 100000) AS n;
SELECT rag_latency_sum(h) AS alone FROM many \gset
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT bool_or(line ~ 'Partial Aggregate') AS parallel FROM (SELECT pg_temp.plan('SELECT rag_latency_sum(h) FROM many')) AS p (line);
SELECT rag_latency_sum(h) = :'alone' AS same FROM many;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- Counts stay at the largest integer.
SELECT rag_latency_sum(h::int[]) FROM unnest(ARRAY['{1,2147483647}', '{1,1,2,1}']) AS h;
-- Within 2 percent of percentile_cont(), over many magnitudes.
WITH latencies AS (SELECT d, exp(CASE d WHEN 1 THEN n / 1000.0 WHEN 2 THEN 3 + sin(n) WHEN 3 THEN 0 ELSE n % 7 END) AS ms FROM generate_series(1, 4) AS d, generate_series(0, 9999) AS n),
histograms AS (SELECT d, rag_latency_sum(ARRAY[round(ln(ms) / ln(1.04))::int, 1]) AS h FROM latencies GROUP BY d)
SELECT p, bool_and(abs(rag_latency_percentile(h, p) / exact - 1) < 0.021) AS close FROM unnest('{0,0.01,0.5,0.9,0.95,0.99,1}'::float8[]) AS p, histograms,
LATERAL (SELECT percentile_cont(p) WITHIN GROUP (ORDER BY ms) FROM latencies WHERE latencies.d = histograms.d) AS e (exact) GROUP BY p ORDER BY p;
SELECT rag_latency_percentile('{}', 0.5) AS empty, rag_latency_percentile(NULL, 0.5) AS null, rag_latency_percentile('{0,1}', 0) AS one, rag_latency_percentile('{0,1,100,1}', 0.5) AS between;
SELECT * FROM pg_temp.error('SELECT rag_latency_percentile(''{1,1}'', 1.5)');
SELECT code, message FROM unnest('{-0.1,NaN,Infinity}'::text[]) AS f, pg_temp.diagnose(format('SELECT rag_latency_percentile(''{1,1}'', %L)', f));
SELECT * FROM pg_temp.error('SELECT rag_latency_percentile(''{1}'', 0.5)');
SELECT h, a.code, p.code, s.code FROM unnest('{"{1,2,3}","{1,NULL}","{{1,1},{2,1}}","{2,1,1,1}","{1,1,1,1}","{1,0}","{1,-1}"}'::text[]) AS h, pg_temp.diagnose(format('SELECT rag_latency_add(NULL, %L)', h)) AS a,
  pg_temp.diagnose(format('SELECT rag_latency_percentile(%L, 0.5)', h)) AS p, pg_temp.diagnose(format('SELECT rag_latency_add(%L, ''{1,1}'')', h)) AS s;
SELECT rag_latency_percentile(ARRAY[-2147483648, 1], 0.5) AS least, rag_latency_percentile(ARRAY[2147483647, 1], 0.5) AS greatest, rag_latency_percentile(('[5:6]={1,1}')::int[], 0.5) > 1 AS bounds;

--
-- What holds the numbers: a step down refuses to lose them.
--
SELECT * FROM pg_temp.error('ALTER EXTENSION rag_events UPDATE TO ''1.3''');
SET rag_events.allow_data_loss = on;
ALTER EXTENSION rag_events UPDATE TO '1.3';
RESET rag_events.allow_data_loss;
-- The index is taken over where it was built beforehand, and only one that is right.
CREATE INDEX ix_messages_created_at ON messages (created_at);
SELECT * FROM pg_temp.error('ALTER EXTENSION rag_events UPDATE TO ''1.4''');
DROP INDEX ix_messages_created_at;
CREATE INDEX CONCURRENTLY ix_messages_created_at ON messages USING brin (created_at) WITH (pages_per_range = 32);
SELECT 'ix_messages_created_at'::regclass::oid AS index \gset
ALTER EXTENSION rag_events UPDATE TO '1.4';
SELECT 'ix_messages_created_at'::regclass::oid = :index AS same;
SELECT object, kind FROM rag_check_schema();
DROP TABLE before, many;
