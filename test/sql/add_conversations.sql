--
-- rag_add_conversations(): the messages of several sessions in one call, all or none;
-- every error. Each element is as a call of rag_add_messages().
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

SELECT rag_create_session('alice', session_id => :'alice'),
       rag_create_session('bob', session_id => :'bob'),
       rag_create_session(session_id => :'nobody');

-- Parameters are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel
FROM pg_proc WHERE proname IN ('rag_add_conversations', 'rag_add_shard_conversations') ORDER BY 1;

-- Both tables as one value, for "nothing was written".
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT array_agg(s ORDER BY id) FROM sessions s), (SELECT array_agg(m ORDER BY id) FROM messages m)))
$$;

-- Adds conversations; the error in short, with the context of the function's own.
CREATE FUNCTION pg_temp.try(conversations text, OUT code text, OUT message text, OUT hint text, OUT "where" text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM rag_add_conversations(conversations::jsonb);
  code := '00000';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT, "where" = PG_EXCEPTION_CONTEXT;
  "where" := array_to_string(ARRAY(SELECT line FROM regexp_split_to_table("where", E'\n') AS line WHERE line LIKE 'conversation %' OR line LIKE 'messages of %'), '; ');
  hint := nullif(hint, '');
END $$;

-- A good element, and something else after it.
CREATE FUNCTION pg_temp.after_good(element text) RETURNS text LANGUAGE sql AS $$
  SELECT format('[{"session_id": "00000000-0000-4000-8000-00000000000b", "messages": [{"role": "user", "content": "good"}]}, %s]', element)
$$;

-- What there is, by session.
CREATE VIEW pg_temp.stored AS
SELECT right(m.session_id::text, 1) AS s, s.user_id, m.role, m.content, m.sources, m.idempotency_key, row_number() OVER (ORDER BY m.id) AS place
FROM messages m JOIN sessions s ON s.id = m.session_id ORDER BY m.session_id, m.id;

--
-- What is stored
--
SELECT rag_add_conversations('[
  {"session_id": "00000000-0000-4000-8000-00000000000b", "user_id": "bob", "messages": [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "There.", "sources": [{"id": "doc-1"}]}]},
  {"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "first", "idempotency_key": "k1"}], "create_session": false},
  {"session_id": "00000000-0000-4000-8000-000000000000", "user_id": null, "create_session": null, "messages": []},
  {"session_id": "00000000-0000-4000-8000-000000000101", "user_id": "erin", "create_session": true, "messages": [{"role": "user", "content": "new"}]},
  {"session_id": "00000000-0000-4000-8000-000000000102", "create_session": true, "messages": []},
  {"session_id": "00000000-0000-4000-8000-00000000000a", "user_id": "alice", "messages": [{"role": "assistant", "content": "second"}, {"role": "user", "content": "third"}]}
]');
-- Sessions have their turn in order of their ids, and what is for one is in the order of the array.
SELECT * FROM pg_temp.stored;
SELECT right(id::text, 3) AS id, user_id, metadata FROM sessions ORDER BY sessions.id;
SELECT pg_typeof(rag_add_conversations('[]')), rag_add_conversations('[]') AS none;

-- Elements of one session are as calls one after the other: what the first created is there
-- for the second, and a key that it used is repeated.
SELECT rag_add_conversations('[
  {"session_id": "00000000-0000-4000-8000-000000000103", "user_id": "erin", "create_session": true, "messages": [{"role": "user", "content": "x", "idempotency_key": "k"}]},
  {"session_id": "00000000-0000-4000-8000-000000000103", "user_id": "erin", "messages": [{"role": "user", "content": "x", "idempotency_key": "k"}, {"role": "user", "content": "y"}]}
]');
SELECT code, message, "where" FROM pg_temp.try('[
  {"session_id": "00000000-0000-4000-8000-000000000104", "messages": []},
  {"session_id": "00000000-0000-4000-8000-000000000104", "create_session": true, "messages": []}
]');

-- Messages whose keys are there are not counted, nor stored again, and touch nothing.
TRUNCATE messages;
UPDATE sessions SET updated_at = '2001-01-01';
CREATE TEMPORARY TABLE keyed (conversations) AS VALUES ('[
  {"session_id": "00000000-0000-4000-8000-00000000000b", "messages": [{"role": "user", "content": "one", "idempotency_key": "k1"}, {"role": "user", "content": "two", "idempotency_key": "k2"}]},
  {"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "one", "idempotency_key": "k1"}]}]'::jsonb);
SELECT rag_add_conversations(conversations) FROM keyed;
SELECT right(id::text, 1) AS s, updated_at > '2001-01-01' AS touched FROM sessions WHERE id < '00000000-0000-4000-8000-000000000100' ORDER BY id;
SELECT pg_temp.state() AS before \gset
SELECT rag_add_conversations(conversations) FROM keyed;
SELECT pg_temp.state() = :'before' AS untouched;
SELECT rag_add_conversations(conversations || '[{"session_id": "00000000-0000-4000-8000-00000000000b", "messages": [{"role": "user", "content": "two", "idempotency_key": "k2"}, {"role": "user", "content": "three", "idempotency_key": "k3"}]}]') FROM keyed;
SELECT s, content, idempotency_key, place FROM pg_temp.stored;
DROP TABLE keyed;

-- {"conversations": [...]}, for drivers that cannot send a list as JSON.
TRUNCATE messages;
SELECT rag_add_conversations('{"conversations": [{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "in an object"}]}]}');
SELECT rag_add_conversations('{"conversations": []}');
SELECT s, content FROM pg_temp.stored;

-- The time of the touch is that of the transaction, and a time that is given is kept.
BEGIN;
UPDATE sessions SET updated_at = '2001-01-01', created_at = '2001-01-01';
TRUNCATE messages;
SELECT rag_add_conversations('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "now"}, {"role": "user", "content": "then", "created_at": "2024-02-29 12:34:56"}]}]');
SELECT m.content, s.updated_at = CURRENT_TIMESTAMP::timestamp AS touched, s.created_at = '2001-01-01' AS created_at_stays,
       m.created_at = CURRENT_TIMESTAMP::timestamp AS created_now, m.created_at = '2024-02-29 12:34:56' AS as_given
FROM sessions s JOIN messages m ON m.session_id = s.id ORDER BY m.id;
SELECT count(*) AS untouched FROM sessions WHERE updated_at = '2001-01-01' AND id <> :'alice';
ROLLBACK;

-- Many at once: each session has its own, in order.
TRUNCATE messages;
SELECT rag_add_conversations((SELECT jsonb_agg(jsonb_build_object('session_id', format('00000000-0000-4000-8000-%s', lpad((n * 7919 % 1000)::text, 12, '0')), 'create_session', true,
  'messages', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', i::text, 'top_k', i, 'query_type', 'of ' || n) ORDER BY i) FROM generate_series(1, n % 5) AS i)) ORDER BY n)
  FROM generate_series(1, 1000) AS n WHERE n % 5 > 0));
SELECT count(*) AS messages, count(DISTINCT session_id) AS sessions, count(DISTINCT query_type) AS conversations,
       bool_and(top_k = place) AS in_order, bool_and(query_type = first) AS of_one
FROM (SELECT session_id, top_k, query_type, first_value(query_type) OVER w AS first, row_number() OVER w AS place FROM messages WINDOW w AS (PARTITION BY session_id ORDER BY id)) AS m;
TRUNCATE sessions, messages CASCADE;
SELECT rag_create_session('alice', session_id => :'alice'),
       rag_create_session('bob', session_id => :'bob'),
       rag_create_session(session_id => :'nobody');
UPDATE sessions SET updated_at = '2001-01-01';
SELECT pg_temp.state() AS before \gset

--
-- Errors: nothing is stored of the good elements before and after
--
-- The argument.
SELECT * FROM pg_temp.error('SELECT rag_add_conversations(NULL)');
SELECT * FROM pg_temp.error($$SELECT rag_add_conversations('{}')$$);
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', to_jsonb('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": []}]'::text)));
SELECT conversations, d.code, d.message
FROM (VALUES (1, 'null'), (2, '1'), (3, 'true'), (4, '"x"'), (5, '"[]"'), (6, '{"conversation": []}'), (7, '{"conversations": [], "more": 1}'), (8, '{"conversations": {}}'),
             (9, '{"conversations": null}'), (10, '{"conversations": "[]"}'), (11, '{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": []}')) AS v (n, conversations),
     pg_temp.try(conversations) d ORDER BY n;

-- An element: 22023 or 22004, with its place in the context.
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000000a", "message": []}')));
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"messages": []}')));
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000000a"}')));
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"session_id": "x", "messages": []}')));
SELECT element, d.code, d.message, d."where"
FROM (VALUES (1, '1'), (2, '"x"'), (3, 'true'), (4, 'null'), (5, '[]'), (6, '[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": []}]'), (7, '{}'),
             (8, '{"session_id": null, "messages": []}'), (9, '{"conversations": []}')) AS v (n, element),
     pg_temp.try(pg_temp.after_good(element)) d ORDER BY n;
SELECT * FROM pg_temp.try('[1, 2, 3]');
-- Each field with each type of JSON.
SELECT field, t.value, d.code, d.message
FROM unnest('{session_id,messages,user_id,create_session,metadata,Messages,title}'::text[]) WITH ORDINALITY AS f (field, n),
     unnest('{null,"\"x\"",1,true,"[]","{}"}'::text[]) WITH ORDINALITY AS t (value, i),
     pg_temp.try(pg_temp.after_good((jsonb_build_object('session_id', :'alice'::text, 'messages', '[]'::jsonb) || jsonb_build_object(field, t.value::jsonb))::text)) d
WHERE d.code <> '00000' ORDER BY n, i;
SELECT session_id, d.code, d.message
FROM (VALUES (1, '""'), (2, '"00000000-0000-4000-8000-00000000000"'), (3, '"00000000-0000-4000-8000-00000000000a "'), (4, '"00000000-0000-4000-8000-00000000000g"'), (5, '10'), (6, '["00000000-0000-4000-8000-00000000000a"]')) AS v (n, session_id),
     pg_temp.try(pg_temp.after_good(format('{"session_id": %s, "messages": []}', session_id))) d ORDER BY n;
SELECT rag_add_conversations('[]') = 0 AS goes_on;
-- Of a name that is given twice JSON takes the last.
SELECT rag_add_conversations('[{"session_id": "x", "messages": 1, "messages": [], "session_id": "00000000-0000-4000-8000-00000000000a"}]');
TRUNCATE messages;
UPDATE sessions SET updated_at = '2001-01-01';

-- A message: the errors of rag_add_messages(), with the session in the context.
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "x"}, {"role": "bot", "content": "x"}]}')));
SELECT messages, d.*
FROM (VALUES (1, '[{"role": "bot", "content": "x"}]'), (2, '[{"role": "user"}]'), (3, '[{"role": "user", "content": 1}]'), (4, '[1]'), (5, '[{"role": "user", "content": "x", "contents": "x"}]'),
             (6, '[{"role": "user", "content": "x", "created_at": "then"}]'), (7, '[{"role": "user", "content": "x", "top_k": -1}]'), (8, '[{"role": "user", "content": "x", "idempotency_key": ""}]'),
             (9, '[{"role": "user", "content": "x", "idempotency_key": "k"}, {"role": "user", "content": "y", "idempotency_key": "k"}]'), (10, '[[]]')) AS v (n, messages),
     pg_temp.try(format('[{"session_id": "00000000-0000-4000-8000-000000000000", "messages": [{"role": "user", "content": "good"}]},
                          {"session_id": "00000000-0000-4000-8000-00000000000b", "messages": %s},
                          {"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "good"}]}]', messages)) d ORDER BY n;
SELECT pg_temp.state() = :'before' AS untouched;
-- The form of all elements is looked at before what is in any of them.
SELECT code, "where" FROM pg_temp.try('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "bot", "content": "x"}]}, {"session_id": 1}]');

-- A session that is not there, or another's: after those that are stored.
SELECT * FROM pg_temp.error(format('SELECT rag_add_conversations(%L)', pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000ffff", "messages": [{"role": "user", "content": "x"}]}')));
SELECT session, d.*
FROM (VALUES (1, '"session_id": "00000000-0000-4000-8000-00000000ffff"'),
             (2, '"session_id": "00000000-0000-4000-8000-00000000000a", "user_id": "bob"'),
             (3, '"session_id": "00000000-0000-4000-8000-000000000000", "user_id": "bob"'),
             (4, '"session_id": "00000000-0000-4000-8000-00000000000a", "user_id": ""'),
             (5, '"session_id": "00000000-0000-4000-8000-00000000ffff", "create_session": false'),
             (6, '"session_id": "00000000-0000-4000-8000-00000000000a", "user_id": "bob", "create_session": true'),
             (7, '"session_id": "00000000-0000-4000-8000-000000000000", "user_id": "bob", "create_session": true')) AS v (n, session),
     pg_temp.try(format('[{"session_id": "00000000-0000-4000-8000-000000000001", "create_session": true, "messages": [{"role": "user", "content": "good"}]}, {%s, "messages": []}]', session)) d ORDER BY n;
SELECT d.code, d.message, d."where"
FROM (VALUES (1, 2000), (2, 2001)) AS v (n, length),
     pg_temp.try(format('[{"session_id": "00000000-0000-4000-8000-00000000ffff", "create_session": true, "user_id": "%s", "messages": []}]', repeat('u', length))) d ORDER BY n;
DELETE FROM sessions WHERE id = :'none';
SELECT pg_temp.state() = :'before' AS untouched;

-- One that the table finds, in the last.
ALTER TABLE messages ADD CONSTRAINT brief CHECK (length(content) < 5);
SELECT * FROM pg_temp.try(pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000ffff", "create_session": true, "messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "too long"}]}'));
ALTER TABLE messages DROP CONSTRAINT brief;
SELECT pg_temp.state() = :'before' AS untouched;
-- What a transaction has stored before a call that fails stays.
BEGIN;
SELECT rag_add_conversations('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "stays"}]}]');
SELECT code FROM pg_temp.try(pg_temp.after_good('{"session_id": "00000000-0000-4000-8000-00000000ffff", "messages": []}'));
SELECT s, content FROM pg_temp.stored;
ROLLBACK;

-- Row security: a hidden session is not there, and nothing more is said.
DROP ROLE IF EXISTS regress_rag_alice;
CREATE ROLE regress_rag_alice;
GRANT SELECT, INSERT, UPDATE ON sessions, messages TO regress_rag_alice;
GRANT USAGE ON SEQUENCE messages_id_seq TO regress_rag_alice;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = 'alice');
SET ROLE regress_rag_alice;
SELECT rag_add_conversations('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": [{"role": "user", "content": "x"}]}, {"session_id": "00000000-0000-4000-8000-000000000105", "user_id": "alice", "create_session": true, "messages": [{"role": "user", "content": "x"}]}]');
SELECT * FROM pg_temp.try('[{"session_id": "00000000-0000-4000-8000-00000000000a", "messages": []}, {"session_id": "00000000-0000-4000-8000-00000000000b", "messages": []}]');
SELECT code, message FROM pg_temp.try('[{"session_id": "00000000-0000-4000-8000-00000000000b", "user_id": "alice", "create_session": true, "messages": []}]');
SELECT code, message FROM pg_temp.try('[{"session_id": "00000000-0000-4000-8000-00000000ffff", "user_id": "bob", "create_session": true, "messages": []}]');
RESET ROLE;

-- Read-only transactions: 25006
BEGIN READ ONLY;
SELECT * FROM pg_temp.error($$SELECT rag_add_conversations('[]')$$);
ROLLBACK;

--
-- The part of it that a cluster sends to other nodes
--
SELECT * FROM pg_temp.error($$SELECT rag_add_shard_conversations(NULL, '[]')$$);
SELECT * FROM pg_temp.error(format('SELECT rag_add_shard_conversations(%L, NULL)', :'alice'));
SELECT rag_add_shard_conversations(:'bob', '[]') AS none;
SELECT rag_add_shard_conversations(:'bob', '[{"session_id": "00000000-0000-4000-8000-00000000000b", "messages": [{"role": "user", "content": "x"}]}, {"session_id": "00000000-0000-4000-8000-000000000000", "messages": [{"role": "user", "content": "x"}]}]');
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_shard_conversations(%L, %L)', :'bob', '[{"session_id": "00000000-0000-4000-8000-00000000ffff", "messages": []}]'));

-- Only from 1.5 on.
DROP VIEW stored;
ALTER EXTENSION rag_events UPDATE TO '1.4';
SELECT code FROM pg_temp.diagnose($$SELECT rag_add_conversations('[]')$$);

DROP EXTENSION rag_events;
DROP ROLE regress_rag_alice;
