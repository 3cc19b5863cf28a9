--
-- rag_add_messages(): what is stored, ids in order, every error with the element
-- and the field, the session created with its first messages. All or nothing.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

SELECT rag_create_session('alice', session_id => :'alice'),
       rag_create_session('bob', session_id => :'bob'),
       rag_create_session(session_id => :'nobody');

-- Parameters are API: their names, order and defaults.
SELECT regexp_split_to_table(pg_get_function_arguments(oid), ', ') AS argument
FROM pg_proc WHERE proname = 'rag_add_messages';
SELECT pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel
FROM pg_proc WHERE proname = 'rag_add_messages';

-- Without a session's lock no id is drawn and nothing is touched: both tables and
-- the sequence as one value, for "nothing was written".
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s),
                    (SELECT array_agg(m ORDER BY id) FROM messages m),
                    pg_temp.ids_drawn('messages_id_seq')))
$$;

-- Adds messages given as a JSON text; the error in short.
CREATE FUNCTION pg_temp.try(messages text, OUT code text, OUT message text, OUT detail text, OUT "column" text)
LANGUAGE sql AS $$
  SELECT code, message, detail, "column"
  FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L)', '00000000-0000-4000-8000-00000000000a', messages))
$$;

--
-- What is stored
--
SELECT rag_add_messages(:'alice', '[
  {"role": "user", "content": "How to pay with cash when car shopping?"},
  {"role": "assistant", "content": "By cashier''s check.", "sources": [{"id": "doc-1", "score": 0.87, "text": "A cashier''s check …"}],
   "latency_ms": 812.5, "top_k": 5, "query_type": "semantic", "token_count": 7, "metadata": {"model": "m-1", "finish_reason": "stop"},
   "idempotency_key": "turn-1", "created_at": "2024-02-29 12:34:56.789012"},
  {"content": "", "role": "user", "sources": "a string", "latency_ms": 0, "top_k": 0, "query_type": "", "token_count": 0, "metadata": {}},
  {"role": "user", "content": "\"\\ \t \u00e9 😀", "sources": {}, "latency_ms": 1.7976931348623157e308, "top_k": 2147483647, "token_count": 2147483647}
]');
SELECT id, role, content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key
FROM messages ORDER BY id;
SELECT DISTINCT session_id, created_at = '2024-02-29 12:34:56.789012' AS dated FROM messages ORDER BY 2;
SELECT pg_typeof(rag_add_messages(:'alice', '[{"role": "user", "content": "x"}]'));

-- The same as rag_add_message() stores.
BEGIN;
TRUNCATE messages;
SELECT rag_add_messages(:'alice', '[{"role": "assistant", "content": "same", "sources": [1], "latency_ms": 0.1, "top_k": 3, "query_type": "q",
                                     "token_count": 4, "metadata": {"a": null}, "idempotency_key": "k1"}]') IS NOT NULL AS added;
SELECT rag_add_message(:'alice', 'assistant', 'same', '[1]', 0.1, 3, 'q', NULL, 4, '{"a": null}', 'k2') > 0 AS added;
SELECT count(*) AS rows, count(DISTINCT (session_id, role, content, created_at, sources, latency_ms, top_k, query_type, token_count, metadata)) AS different
FROM messages;
ROLLBACK;
TRUNCATE messages;

-- JSON null is the same as leaving the field out; where there must be a value it is
-- an error.
SELECT cardinality(rag_add_messages(:'alice', '[
  {"role": "user", "content": "nulls", "sources": null, "latency_ms": null, "top_k": null, "query_type": null,
   "token_count": null, "metadata": null, "idempotency_key": null, "created_at": null},
  {"role": "user", "content": "nothing"}]'));
SELECT content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key, created_at IS NULL AS no_time
FROM messages ORDER BY id;

-- Of a name that is given twice JSON takes the last.
SELECT rag_add_messages(:'alice', '[{"role": "ai", "role": "user", "content": 1, "content": "the last"}]') IS NOT NULL AS added;
SELECT role, content FROM messages ORDER BY id DESC LIMIT 1;

-- Ids are those of the elements in their order, whatever the number of elements and
-- however many are stored at once.
TRUNCATE messages;
CREATE TEMPORARY TABLE added AS
SELECT n, rag_add_messages(:'alice', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', i::text, 'top_k', i, 'query_type', 'of ' || n) ORDER BY i)
                                      FROM generate_series(1, n) i)) AS ids
FROM (VALUES (1), (2), (999), (1000), (1001), (2500)) AS v (n);
SELECT n, ids = ARRAY(SELECT id::bigint FROM messages WHERE query_type = 'of ' || n ORDER BY top_k) AS in_order,
       ids = ARRAY(SELECT unnest(ids) ORDER BY 1) AS ascending
FROM added ORDER BY n;
SELECT query_type, count(*), count(DISTINCT content), bool_and(content = top_k::text) AS all_there FROM messages GROUP BY 1 ORDER BY 2;
DROP TABLE added;
TRUNCATE messages;

-- {"messages": [...]}, for drivers that cannot send a list as JSON.
SELECT cardinality(rag_add_messages(:'alice', '{"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}'));
SELECT role, content FROM messages ORDER BY id;
SELECT rag_add_messages(:'alice', '{"messages": []}');
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '{"messages": [], "more": 1}'));
SELECT messages, d.code, d.message
FROM (VALUES (1, '{}'), (2, '{"message": []}'), (3, '{"messages": {}}'), (4, '{"messages": "[]"}'), (5, '{"messages": null}'),
             (6, '{"messages": [{"messages": []}]}'),
             (7, 'null'), (8, '1'), (9, '"[]"'), (10, 'true'), (11, '{"role": "user", "content": "x"}')) AS v (n, messages),
     pg_temp.try(messages) d ORDER BY n;
TRUNCATE messages;

-- An empty array writes nothing, and the session must be there all the same.
SELECT pg_temp.state() AS before \gset
SELECT rag_add_messages(:'alice', '[]'), rag_add_messages(:'alice', '[]', 'alice');
SELECT pg_typeof(rag_add_messages(:'alice', '[]'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L)', :'none', '[]'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L)', :'alice', '[]', 'bob'));
SELECT pg_temp.state() = :'before' AS untouched;

--
-- The touch: as rag_add_message() does
--
UPDATE sessions SET created_at = '2001-01-01', updated_at = '2001-01-01';
BEGIN;
SELECT rag_add_messages(:'alice', '[{"role": "user", "content": "Hello"}, {"role": "user", "content": "long ago", "created_at": 0}]') IS NOT NULL AS added;
SELECT m.content, s.updated_at = CURRENT_TIMESTAMP::timestamp AS touched, s.created_at = '2001-01-01' AS created_at_stays,
       m.created_at = CURRENT_TIMESTAMP::timestamp AS created_now
FROM sessions s JOIN messages m ON m.session_id = s.id ORDER BY m.id;
SELECT user_id, updated_at = '2001-01-01' AS untouched FROM sessions ORDER BY id;
ROLLBACK;

--
-- created_at: a time without a zone is local time, one with a zone becomes local
-- time, a number is seconds since 1970.
--
SET TimeZone = 'Europe/Berlin';
SET DateStyle = 'ISO, MDY';
SELECT n, created_at AS given, d.code, d.message
FROM (VALUES (1, '"2024-07-01 12:00:00"'),
             (2, '"2024-07-01T12:00:00Z"'),
             (3, '"2024-07-01T12:00:00.123456789+05:30"'),
             (4, '"2024-07-01 12:00 America/New_York"'),
             (5, '"July 1, 2024 12:00 PM EST"'),
             (6, '"2024-07-01"'),
             (7, '"20240701T120000"'),
             (8, '"2024-07-01 24:00:00"'),
             (9, '"  2024-07-01 12:00  "'),
             -- Neither the hour that the clock skips nor the one that it repeats is moved.
             (10, '"2024-03-31 02:30:00"'),
             (11, '"2024-10-27 02:30:00"'),
             (12, '"2024-10-27 00:30:00Z"'),
             (13, '"2024-10-27 01:30:00Z"'),
             (14, '"0044-03-15 12:00 BC"'),
             (15, '"4713-01-01 00:00 BC"'),
             (16, '"294276-12-31 23:59:59.999999"'),
             (20, '0'), (21, '1719828000'), (22, '1719828000.123456'), (23, '1719828000.1234564'), (24, '-1'), (25, '-1e10'), (26, '1e-400')) AS v (n, created_at)
     CROSS JOIN LATERAL pg_temp.try(format('[{"role": "user", "content": "x", "top_k": %s, "created_at": %s}]', n, created_at)) d
ORDER BY n;
SELECT top_k AS n, created_at FROM messages WHERE content = 'x' ORDER BY n;
-- Whatever PostgreSQL itself reads as a timestamp is stored as it would be.
SELECT top_k AS n, created_at FROM messages
WHERE content = 'x' AND created_at <> (ARRAY['2024-07-01 12:00:00', '2024-07-01T12:00:00Z'::timestamptz::timestamp::text,
                                             '2024-07-01T12:00:00.123456789+05:30'::timestamptz::timestamp::text,
                                             '2024-07-01 12:00 America/New_York'::timestamptz::timestamp::text,
                                             'July 1, 2024 12:00 PM EST'::timestamptz::timestamp::text])[top_k]::timestamp;
TRUNCATE messages;
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset
SELECT left(created_at, 40) AS given, d.code, d.message
FROM (VALUES (1, '""'), (2, '"yesterday noon-ish"'), (3, '"infinity"'), (4, '"-infinity"'), (5, '"epoch"'),
             (30, '"now"'), (31, '"Yesterday"'), (32, '"today 12:00"'), (33, '"tomorrow"'), (34, '1719828000000'), (35, '1719828000000000'), (36, '253402300800'), (37, '-62135596801'),
             (6, '"2024-02-30"'), (7, '"2024-13-01"'), (8, '"2024-07-01 25:00"'), (9, '"12:00"'), (10, '"2024-07-01 12:00 Nowhere/Land"'),
             (11, '"294277-01-01"'), (12, '"4714-01-01 BC"'), (13, '"NaN"'), (14, '"1719828000"'), (15, '"2024-07-01 12:00:00+99"'),
             -- Within the range as it is, and out of it as local time.
             (16, '"294276-12-31 23:59:59Z"'),
             (17, '9224318015999'), (18, '9224318016000'), (19, '-210866803201'), (20, '1e300'), (21, '1e400'), (22, '-1e400'),
             (23, 'true'), (24, '[]'), (25, '{}'), (26, to_json(repeat('2024-07-01 ', 100))::text)) AS v (n, created_at),
     pg_temp.try(format('[{"role": "user", "content": "x", "created_at": %s}]', created_at)) d
ORDER BY n;
SELECT pg_temp.state() = :'before' AS untouched;
-- West of Greenwich it is the other end.
SET TimeZone = 'America/New_York';
SELECT code, message FROM pg_temp.try('[{"role": "user", "content": "x", "created_at": -210866803200}]');
RESET TimeZone;
RESET DateStyle;

--
-- What an element may not be: 22023, with its number
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, {"role": "user", "contents": "x"}]'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, {"role": "user", "content": 1}]'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, 1]'));
SELECT element, d.code, d.message
FROM (VALUES (1, '1'), (2, '"x"'), (3, 'true'), (4, 'null'), (5, '[]'), (6, '[{"role": "user", "content": "x"}]')) AS v (n, element),
     pg_temp.try(format('[%s]', element)) d
ORDER BY n;
-- Each field with each type of JSON. (sources may be anything.)
SELECT field, t.value, d.code, d.message
FROM unnest('{role,content,sources,latency_ms,top_k,query_type,token_count,metadata,idempotency_key,created_at}'::text[]) WITH ORDINALITY AS f (field, n),
     unnest('{"\"2001-01-01\"",1,true,"[]","{}"}'::text[]) WITH ORDINALITY AS t (value, i),
     pg_temp.try(jsonb_build_array('{"role": "user", "content": "x"}'::jsonb || jsonb_build_object(field, t.value::jsonb))::text) d
WHERE d.code <> '00000' ORDER BY n, i;
-- A name that is none: unknown, never ignored; matched exactly; only a beginning of a
-- long one is repeated.
SELECT name, d.code, d.message
FROM (VALUES (1, 'Role'), (2, 'role '), (3, ''), (4, 'id'), (5, 'session_id'), (6, 'user_id'), (7, 'updated_at'), (8, '%s%n'), (9, 'rôle')) AS v (n, name),
     pg_temp.try(jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', name, NULL))::text) d
ORDER BY n;
SELECT d.code, octet_length(d.message), d.message LIKE 'message 1: unknown field "aéé%é"' AS cut_between_characters
FROM pg_temp.try(jsonb_build_array(jsonb_build_object('a' || repeat('é', 1000), 1))::text) d;
TRUNCATE messages;
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset

--
-- Numbers
--
SELECT field, value, d.code, d.message
FROM (VALUES (1, 'top_k', '1.5'), (2, 'top_k', '-1'), (3, 'top_k', '2147483648'), (4, 'top_k', '-2147483649'), (5, 'top_k', '1e400'),
             (6, 'top_k', '1e-400'), (7, 'top_k', '1.00000000000000000000001'), (8, 'top_k', '2147483647.0000001'),
             (11, 'token_count', '1.5'), (12, 'token_count', '-1'), (13, 'token_count', '2147483648'), (14, 'token_count', '-1e400'),
             (21, 'latency_ms', '-1'), (22, 'latency_ms', '1e400'), (23, 'latency_ms', '-1e400'), (24, 'latency_ms', '-1e-300'),
             (25, 'latency_ms', '"NaN"'), (26, 'latency_ms', '"Infinity"'), (27, 'latency_ms', '"1"')) AS v (n, field, value),
     pg_temp.try(format('[{"role": "user", "content": "x"}, {"role": "user", "content": "x", "%s": %s}]', field, value)) d
ORDER BY n;
SELECT pg_temp.state() = :'before' AS untouched;
-- Whole numbers however they are written; and what is too small for a double is zero.
SELECT cardinality(rag_add_messages(:'alice', '[{"role": "user", "content": "x", "top_k": 5.000, "token_count": 1e3, "latency_ms": 1e-400},
                                                {"role": "user", "content": "x", "top_k": -0.0, "latency_ms": -0.0}]'));
SELECT top_k, token_count, latency_ms FROM messages ORDER BY id;
TRUNCATE messages;
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset

--
-- The rules of rag_add_message(), with the number of the element
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, {"content": "x"}]'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, {"role": "AI", "content": "x"}]'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x"}, {"role": "user", "content": "x", "top_k": -1}]'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', 'idempotency_key', repeat('k', 256)))));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[{"role": "user", "content": "x", "idempotency_key": ""}]'));
SELECT element, d.code, d.message, d."column"
FROM (VALUES (1, '{}'), (2, '{"role": "user"}'), (3, '{"role": null, "content": "x"}'), (4, '{"role": "user", "content": null}'),
             (5, '{"role": "", "content": "x"}'), (6, '{"role": "system", "content": "x"}'),
             (7, '{"role": "user", "content": "x", "latency_ms": -0.5}'), (8, '{"role": "user", "content": "x", "token_count": -5}')) AS v (n, element),
     pg_temp.try(format('[{"role": "user", "content": "x"}, {"role": "user", "content": "x"}, %s]', element)) d
ORDER BY n;
-- The first of several mistakes is told.
SELECT code, message FROM pg_temp.try('[{"role": "user", "content": "x"}, {"role": "ai", "content": "x"}, {"role": "bot", "content": "x"}]');
-- An error in the last of many: nothing is written, no id drawn, the session untouched.
SELECT code, message FROM pg_temp.try((SELECT jsonb_agg(jsonb_build_object('role', CASE WHEN n < 5000 THEN 'user' ELSE 'ai' END, 'content', 'x') ORDER BY n)
                                       FROM generate_series(1, 5000) n)::text);
SELECT pg_temp.state() = :'before' AS untouched;
-- One that the table finds, in the last: the ids are gone, as with any INSERT.
ALTER TABLE messages ADD CONSTRAINT brief CHECK (length(content) < 5);
SELECT code, message FROM pg_temp.try((SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', CASE WHEN n < 2500 THEN 'x' ELSE 'too long' END) ORDER BY n)
                                       FROM generate_series(1, 2500) n)::text);
ALTER TABLE messages DROP CONSTRAINT brief;
SELECT count(*) AS messages, (SELECT bool_and(updated_at = '2001-01-01') FROM sessions) AS untouched FROM messages;

-- NULL arguments: 22004; user_id and create_session may be NULL.
SELECT * FROM pg_temp.error($$SELECT rag_add_messages(NULL, '[]')$$);
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, NULL)', :'alice'));
SELECT code FROM pg_temp.diagnose('SELECT rag_add_messages(NULL, NULL, NULL, NULL)');
SELECT cardinality(rag_add_messages(:'alice', '[{"role": "user", "content": "x"}]', NULL, NULL));
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, NULL, NULL)', :'none', '[{"role": "user", "content": "x"}]'));
TRUNCATE messages;

--
-- Whose session: to the letter the same error as that of a session that is not there
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'none', '[{"role": "user", "content": "x"}]'));
CREATE TEMPORARY TABLE answers AS
SELECT 'of another user' AS session, d.*
FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L)', :'bob', '[{"role": "user", "content": "x"}]', 'alice')) d;
BEGIN;
DELETE FROM sessions WHERE id = :'bob';
INSERT INTO answers
SELECT asking, d.*
FROM (VALUES ('alice', '[{"role": "user", "content": "x"}]'), ('bob', '[{"role": "user", "content": "x"}]'), (NULL, '[{"role": "user", "content": "x"}]'),
             ('alice', '[]'), (NULL, '[]'), ('alice', '[{"role": "user", "content": "x", "idempotency_key": "k"}]')) AS v (asking, messages),
     pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L)', :'bob', messages, asking)) d;
INSERT INTO answers
SELECT 'one message', d.* FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'bob', 'user', 'x', 'alice')) d;
SELECT count(*) AS answers,
       count(DISTINCT (code, message, detail, hint, "schema", "table", "column", "constraint")) AS different
FROM answers;
ROLLBACK;
DROP TABLE answers;
SELECT owner, asking, d.code, d.message
FROM (VALUES (1, 'alice', :'alice'::uuid, 'alice'), (2, 'alice', :'alice', 'bob'), (3, 'alice', :'alice', 'Alice'), (4, 'alice', :'alice', ''),
             (5, 'alice', :'alice', NULL), (6, NULL, :'nobody', NULL), (7, NULL, :'nobody', 'alice'), (8, NULL, :'nobody', '')) AS t (n, owner, id, asking),
     pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L)', id, '[{"role": "user", "content": "x"}]', asking)) d
ORDER BY n;
TRUNCATE messages;
-- What is wrong in itself is told first.
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L)', :'bob', '[{"role": "ai", "content": "x"}]', 'alice'));

--
-- create_session: a first turn in one call
--
BEGIN;
-- Missing: created for user_id, or for nobody.
SELECT cardinality(rag_add_messages('00000000-0000-4000-8000-000000000101', '[{"role": "user", "content": "first"}]', 'erin', true));
SELECT cardinality(rag_add_messages('00000000-0000-4000-8000-000000000102', '[{"role": "user", "content": "first"}]', create_session => true));
SELECT cardinality(rag_add_messages('00000000-0000-4000-8000-000000000103', '[]', 'erin', true));
-- With keys, and again.
SELECT rag_add_messages('00000000-0000-4000-8000-000000000104', '[{"role": "user", "content": "first", "idempotency_key": "k"}]', 'erin', true)
     = rag_add_messages('00000000-0000-4000-8000-000000000104', '[{"role": "user", "content": "first", "idempotency_key": "k"}]', 'erin', true) AS same_id;
SELECT id, user_id, metadata, created_at = CURRENT_TIMESTAMP::timestamp AS created_now, updated_at = CURRENT_TIMESTAMP::timestamp AS touched,
       (SELECT count(*) FROM messages m WHERE m.session_id = s.id) AS messages
FROM sessions s WHERE id >= '00000000-0000-4000-8000-000000000100' ORDER BY id;
-- One's own: it is as without create_session.
UPDATE sessions SET updated_at = '2001-01-01';
SELECT cardinality(rag_add_messages('00000000-0000-4000-8000-000000000101', '[{"role": "user", "content": "second"}]', 'erin', true));
SELECT user_id, created_at = CURRENT_TIMESTAMP::timestamp AS created_at_stays, updated_at > '2001-01-01' AS touched
FROM sessions WHERE id = '00000000-0000-4000-8000-000000000101';
-- Without user_id nobody is asked whose it is.
SELECT cardinality(rag_add_messages(:'alice', '[{"role": "user", "content": "x"}]', NULL, true)),
       cardinality(rag_add_messages(:'nobody', '[{"role": "user", "content": "x"}]', NULL, true));
ROLLBACK;
SELECT pg_temp.ids_drawn('messages_id_seq') AS ids \gset
-- Another's: it exists.
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L, %L, true)', :'bob', '[{"role": "user", "content": "x"}]', 'alice'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'nobody', '[{"role": "user", "content": "x"}]', 'alice'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'bob', '[]', 'alice'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'bob', '[{"role": "user", "content": "x", "idempotency_key": "k"}]', 'alice'));
SELECT pg_temp.ids_drawn('messages_id_seq') = :ids AS no_id_drawn;
-- No session is left where the messages are refused.
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'none', '[{"role": "user", "content": "x"}, {"role": "ai", "content": "x"}]', 'erin'));
ALTER TABLE messages ADD CONSTRAINT brief CHECK (length(content) < 5);
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'none', '[{"role": "user", "content": "x"}, {"role": "user", "content": "too long"}]', 'erin'));
ALTER TABLE messages DROP CONSTRAINT brief;
SELECT count(*) AS sessions, (SELECT count(*) FROM messages) AS messages FROM sessions;
-- A trigger that discards the session: an error, not a message without it.
CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'none', '[{"role": "user", "content": "x"}]', 'erin'));
DROP TRIGGER swallow ON sessions;
-- Row security: a hidden session exists, and nothing more is said.
DROP ROLE IF EXISTS regress_rag_alice;
CREATE ROLE regress_rag_alice;
GRANT SELECT, INSERT, UPDATE ON sessions, messages TO regress_rag_alice;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_alice;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = 'alice');
SET ROLE regress_rag_alice;
SELECT cardinality(rag_add_messages('00000000-0000-4000-8000-000000000105', '[{"role": "user", "content": "x"}]', 'alice', true));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L, %L, true)', :'bob', '[{"role": "user", "content": "x"}]', 'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'bob', '[{"role": "user", "content": "x"}]'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L, %L, true)', :'none', '[{"role": "user", "content": "x"}]', 'bob'));
RESET ROLE;

-- Read-only transactions: 25006
BEGIN READ ONLY;
SELECT * FROM pg_temp.error(format('SELECT rag_add_messages(%L, %L)', :'alice', '[]'));
ROLLBACK;

-- Only from 1.1 on.
ALTER EXTENSION rag_events UPDATE TO '1.0';
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_messages(%L, %L)', :'alice', '[]'));
SELECT n, d.code, d.message, d.hint
FROM (VALUES (1, 'token_count => 1'), (2, 'metadata => ''{}'''), (3, 'idempotency_key => ''k''')) AS v (n, argument),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, %s)', :'alice', 'user', 'x', argument)) d
ORDER BY n;
SELECT rag_add_message(:'alice', 'user', 'x') > 0 AS stored;

DROP EXTENSION rag_events;
DROP ROLE regress_rag_alice;
