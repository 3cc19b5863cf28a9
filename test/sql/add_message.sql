--
-- rag_add_message(): what is stored, the touch of the session, whose session it
-- is, and every error. A message that is rejected leaves no trace.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

SELECT rag_create_session('alice', session_id => :'alice'),
       rag_create_session('bob', session_id => :'bob'),
       rag_create_session(session_id => :'nobody');

-- Parameters are API: their names, order and defaults.
SELECT regexp_split_to_table(pg_get_function_arguments(oid), ', ') AS argument
FROM pg_proc WHERE proname = 'rag_add_message';
SELECT pg_get_function_result(oid), provolatile, proisstrict, prosecdef, proparallel
FROM pg_proc WHERE proname = 'rag_add_message';

--
-- What is stored
--
SELECT rag_add_message(:'alice', 'user', 'How to pay with cash when car shopping?');
SELECT rag_add_message(:'alice', 'assistant', 'By cashier''s check.',
                       '[{"id": "doc-1", "score": 0.87, "text": "A cashier''s check …"}]', 812.5, 5, 'semantic');
SELECT rag_add_message(user_id => 'alice', query_type => 'keyword', top_k => 0, latency_ms => 0,
                       sources => '[]', content => '', role => 'user', session_id => :'alice');
SELECT rag_add_message(:'alice', 'assistant', content => 'Mixed.', sources => 'null', query_type => '',
                       top_k => 2147483647, latency_ms => '-0');
SELECT rag_add_message(:'alice', 'user', 'Extremes', NULL, 1.7976931348623157e308, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT rag_add_message(:'alice', 'user', 'Extremes', latency_ms => 4.9e-324);
SELECT id, role, content, sources, latency_ms, top_k, query_type FROM messages ORDER BY id;
SELECT DISTINCT session_id FROM messages;
DELETE FROM messages;

-- The id is a bigint, whatever the width of the column.
SELECT pg_typeof(rag_add_message(:'alice', 'user', 'Hello'));
DELETE FROM messages;

-- A session made in the same statement is there.
BEGIN;
SELECT rag_add_message(rag_create_session('erin'), 'user', 'Hello', user_id => 'erin') > 0 AS stored;
WITH new AS MATERIALIZED (SELECT rag_create_session('erin') AS id)
SELECT rag_add_message(id, 'user', 'Hello', user_id => 'erin') > 0 AS stored FROM new;
ROLLBACK;

-- A conversation in one statement: ids ascend in the order of the rows.
SELECT bool_and(id > previous) AS ascending
FROM (SELECT id, lag(id, 1, 0::bigint) OVER (ORDER BY n) AS previous
      FROM (SELECT n, rag_add_message(:'alice', CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'Turn ' || n) AS id
            FROM generate_series(1, 6) AS n OFFSET 0) AS added) AS numbered;
SELECT role, content FROM messages ORDER BY id;
DELETE FROM messages;

--
-- The touch: the session's updated_at is the time of the message's transaction,
-- and so is the message's created_at; created_at of the session stays.
--
UPDATE sessions SET created_at = '2001-01-01', updated_at = '2001-01-01';
BEGIN;
SELECT rag_add_message(:'alice', 'user', 'Hello') > 0 AS stored;
SELECT s.updated_at = CURRENT_TIMESTAMP::timestamp AS touched, s.created_at = '2001-01-01' AS created_at_stays,
       m.created_at = CURRENT_TIMESTAMP::timestamp AS created_now
FROM sessions s JOIN messages m ON m.session_id = s.id;
SELECT user_id, updated_at = '2001-01-01' AS untouched FROM sessions ORDER BY id;
ROLLBACK;
SELECT bool_and(updated_at = '2001-01-01') AS rolled_back FROM sessions;

--
-- NULL where there must be a value: 22004. Nothing is silently not stored.
--
SELECT * FROM pg_temp.error($$SELECT rag_add_message(NULL, 'user', 'Hello')$$);
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, NULL, %L)', :'alice', 'Hello'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, NULL)', :'alice', 'user'));

--
-- Roles are matched exactly: 23514
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'alice', 'Assistant', 'Hello'));
SELECT quote_literal(role) AS role, d.code, d.message, d.hint
FROM (VALUES (1, 'user'), (2, 'assistant'),
             (3, 'USER'), (4, ' user'), (5, E'user\n'), (6, E'\tuser '), (7, 'users'),
             (8, 'human'), (9, 'Human'), (10, 'customer'),
             (11, 'ASSISTANT'), (12, 'assistant '), (13, 'ai'), (14, 'AI'), (15, 'bot'), (16, 'model'),
             (17, 'system'), (18, 'developer'), (19, 'tool'), (20, 'function'),
             (21, ''), (22, ' '), (23, 'usr'), (24, 'use'), (25, 'user2'), (26, 'user assistant'),
             (27, 'usér'), (28, 'ｕｓｅｒ'), (29, 'utilisateur'), (30, '%s%n'), (31, 'us"er')) AS r (n, role),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'alice', role, 'Hello')) d
ORDER BY n;
-- Only a beginning of a huge role is repeated, cut between characters.
SELECT n, d.code, d.message = format('invalid message role "%s"', shown) AS as_expected, octet_length(shown)
FROM (VALUES (1, repeat('x', 63), repeat('x', 63)),
             (2, repeat('x', 64), repeat('x', 63) || '...'),
             (3, repeat('user', 250000), repeat('user', 15) || 'use...'),
             (4, 'a' || repeat('é', 100), 'a' || repeat('é', 31) || '...'),
             (5, repeat('€', 100), repeat('€', 21) || '...'),
             (6, repeat('🙂', 100), repeat('🙂', 15) || '...')) AS r (n, role, shown),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'alice', role, 'Hello')) d
ORDER BY n;
-- The table's own constraint is of the same name and says the same.
SELECT * FROM pg_temp.error(format('INSERT INTO messages (id, session_id, role, content, created_at) VALUES (7, %L, %L, %L, %L)',
                                   :'alice', 'Assistant', 'Hello', '2001-01-01'));
DELETE FROM messages;
UPDATE sessions SET updated_at = '2001-01-01';

--
-- Figures out of range: 22003
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L, latency_ms => %L)', :'alice', 'user', 'Hello', 'NaN'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L, top_k => -1)', :'alice', 'user', 'Hello'));
SELECT latency_ms, d.code, d.message
FROM (VALUES (1, 'Infinity'), (2, '-Infinity'), (3, '-1'), (4, '-4.9e-324')) AS l (n, latency_ms),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, latency_ms => %L)', :'alice', 'user', 'Hello', latency_ms)) d
ORDER BY n;
SELECT code, message
FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, top_k => -2147483648)', :'alice', 'user', 'Hello'));

--
-- No such session: 23503, as for the foreign key
--
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'none', 'user', 'Hello'));
SELECT * FROM pg_temp.error(format('INSERT INTO messages (id, session_id, role, content) VALUES (7, %L, %L, %L)', :'none', 'user', 'Hello'));

-- Whose session: only its owner's user_id fits; without one, no question is asked.
SELECT owner, asking, d.code, d.message
FROM (VALUES (1, 'alice', :'alice'::uuid, 'alice'),
             (2, 'alice', :'alice', 'bob'),
             (3, 'alice', :'alice', 'Alice'),
             (4, 'alice', :'alice', 'alice '),
             (5, 'alice', :'alice', 'alic_'),
             (6, 'alice', :'alice', ''),
             (7, 'alice', :'alice', NULL),
             (8, NULL,    :'nobody', NULL),
             (9, NULL,    :'nobody', 'alice'),
             (10, NULL,   :'nobody', ''),
             (11, 'bob',  :'bob', 'bob')) AS t (n, owner, id, asking),
     pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', id, 'user', 'Hello', asking)) d
ORDER BY n;
DELETE FROM messages;
UPDATE sessions SET updated_at = '2001-01-01';

-- Another user's session, and then no session at all under the same id: every
-- field of the error is the same, so that nobody learns which it was.
CREATE TEMPORARY TABLE answers AS
SELECT 'of another user' AS session, d.*
FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'bob', 'user', 'Hello', 'alice')) d;
BEGIN;
DELETE FROM sessions WHERE id = :'bob';
INSERT INTO answers
SELECT 'missing', d.*
FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'bob', 'user', 'Hello', 'alice')) d;
INSERT INTO answers
SELECT 'missing, no user_id', d.*
FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'bob', 'user', 'Hello')) d;
SELECT count(*) AS answers,
       count(DISTINCT (code, message, detail, hint, "schema", "table", "column", "constraint")) AS different
FROM answers;
ROLLBACK;
DROP TABLE answers;

-- What is wrong in itself is told first, before any session is looked at.
SELECT code, message
FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, user_id => %L)', :'none', 'Assistant', 'Hello', 'alice'));

--
-- None of the rejected messages left a trace: sessions are untouched, no message
-- is stored, and no id was drawn.
--
SELECT bool_and(updated_at = '2001-01-01') AS untouched FROM sessions;
SELECT count(*) AS messages FROM messages;
SELECT pg_temp.ids_drawn('messages_id_seq') AS before \gset
SELECT d.code
FROM (VALUES (1, 'NULL, ''user'', ''Hello'''),
             (2, quote_literal(:'alice') || ', NULL, ''Hello'''),
             (3, quote_literal(:'alice') || ', ''user'', NULL'),
             (4, quote_literal(:'alice') || ', ''ai'', ''Hello'''),
             (5, quote_literal(:'alice') || ', ''user'', ''Hello'', latency_ms => ''NaN'''),
             (6, quote_literal(:'alice') || ', ''user'', ''Hello'', top_k => -1'),
             (7, quote_literal(:'none') || ', ''user'', ''Hello'''),
             (8, quote_literal(:'alice') || ', ''user'', ''Hello'', user_id => ''bob'''),
             (9, quote_literal(:'nobody') || ', ''user'', ''Hello'', user_id => ''bob''')) AS c (n, arguments),
     pg_temp.diagnose('SELECT rag_add_message(' || arguments || ')') d
ORDER BY n;
SELECT pg_temp.ids_drawn('messages_id_seq') - :before AS ids_drawn;
SELECT rag_add_message(:'alice', 'user', 'Hello') - :before AS ids_drawn;

DROP EXTENSION rag_events;

--
-- Parameters of the signature that need a later version: 0A000 and what to do
--
CREATE EXTENSION rag_events VERSION '1.0';
SELECT rag_create_session('alice', session_id => :'alice');
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L, token_count => 0)', :'alice', 'user', 'Hello'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L, metadata => %L)', :'alice', 'user', 'Hello', '{}'));
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L, idempotency_key => %L)', :'alice', 'user', 'Hello', ''));
SELECT rag_add_message(:'alice', 'user', 'Hello', token_count => NULL, metadata => NULL, idempotency_key => NULL);
DROP EXTENSION rag_events;
