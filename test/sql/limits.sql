--
-- Large, odd and last things: what is stored is what was given, byte for byte, and
-- where something does not fit nothing is stored.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
CREATE EXTENSION rag_events;
\set s1 00000000-0000-4000-8000-000000000001
SELECT rag_create_session('alice', session_id => :'s1');

--
-- Size: text and JSON of 1 MB, compressible and not
--
CREATE TEMPORARY TABLE given (id bigint, what text, content text, sources jsonb);
INSERT INTO given (what, content, sources)
SELECT 'repeated', repeat('0123456789abcdef', 65536), jsonb_build_array(repeat('0123456789abcdef', 65536))
UNION ALL
SELECT 'random', string_agg(md5(n::text), '' ORDER BY n), jsonb_build_array(string_agg(md5((-n)::text), '' ORDER BY n))
FROM generate_series(1, 32768) AS n
UNION ALL
SELECT 'multibyte', repeat('Žluťoučký kůň – 日本語 – 👩🏽‍💻🇨🇿 ', 20000), to_jsonb(repeat('日本語👩🏽‍💻', 20000))
UNION ALL
SELECT 'many sources', 'x', jsonb_agg(jsonb_build_object('id', 'doc-' || n, 'score', n / 7.0, 'text', md5(n::text)))
FROM generate_series(1, 10000) AS n
UNION ALL
SELECT 'deep', '', (repeat('[', 1000) || repeat(']', 1000))::jsonb;
UPDATE given SET id = rag_add_message(:'s1', 'user', content, sources);
SELECT g.what, octet_length(m.content) AS bytes, length(m.content) AS characters, octet_length(m.sources::text) AS bytes_of_sources,
       m.content = g.content AND m.sources = g.sources AS same
FROM given g JOIN messages m USING (id) ORDER BY g.what COLLATE "C";
-- The same as metadata of a session, and a long user_id.
SELECT count(rag_create_session(left(content, 500), jsonb_build_object('s', sources))) AS created FROM given;
SELECT g.what, count(*) AS same FROM given g JOIN sessions s ON s.user_id = left(g.content, 500) AND s.metadata = jsonb_build_object('s', g.sources)
GROUP BY g.what ORDER BY g.what COLLATE "C";
-- user_id is indexed: one that no index can hold is an error that says so, at each entry.
SELECT code, message, detail, "column" FROM pg_temp.diagnose($$SELECT rag_create_session((SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n))$$);
SELECT n, code FROM (VALUES (1, 'rag_create_session(u, if_not_exists => true, session_id => gen_random_uuid())'), (2, $$rag_add_messages(gen_random_uuid(), '[]', u, true)$$),
  (3, $$rag_import_session('[]', u)$$), (4, $$rag_import_session(jsonb_build_object('user_id', u, 'messages', '[]'::jsonb))$$),
  (5, $$rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', gen_random_uuid(), 'user_id', u, 'messages', '[]'::jsonb, 'create_session', true)))$$)) AS c (n, call),
  pg_temp.diagnose(format('SELECT %s FROM repeat(%L, 2001) AS u', call, 'u')) ORDER BY n;
SELECT rag_delete_session(rag_create_session(string_agg(chr(8364), ''))) FROM generate_series(1, 666);

--
-- Odd characters: quotes, backslashes, controls, escapes as text, emoji
--
TRUNCATE given, messages;
INSERT INTO given (what, content, sources) VALUES
  ('quotes', $q$it's "quoted" `thus` $$ $1 ''$q$, '["it''s \"quoted\""]'),
  ('backslashes', $q$\ \\ \n \t \x41 \u0041 C:\temp\$q$, '["\\", "\\\\", "\\n"]'),
  ('format', '%s %d %n %% {} {0} ${x} :name ?', '"%s %n"'),
  ('controls', E'tab\t newline\n return\r\n bell\a escape\x1b[31m delete\x7f', '"\t\n\r\u001b"'),
  ('escaped NUL as text', '\u0000 \0', '"\\u0000"'),
  ('statement', $q$'); DROP TABLE messages; --$q$, '"''); DROP TABLE messages; --"'),
  ('spaces', E'  \t\n ', '" "'),
  ('emoji', '👩🏽‍💻 🇨🇿 👨‍👩‍👧‍👦 é é', '{"👩🏽‍💻": "🇨🇿"}'),
  ('right to left', 'שלום ‮ مرحبا', '"שלום"'),
  ('last code points', U&'\FFFD \+10FFFF', '"\udbff\udfff"'),
  ('numbers', '0', '[1.10, 1e30, -0, 0.1, 12345678901234567890.123456789]');
UPDATE given SET id = rag_add_message(:'s1', 'user', content, sources, query_type => content);
SELECT g.what, m.content = g.content AND m.query_type = g.content AND m.sources::text = g.sources::text AS same
FROM given g JOIN messages m USING (id) ORDER BY g.what COLLATE "C";
SELECT m.sources FROM given g JOIN messages m USING (id) WHERE g.what = 'numbers';
-- NUL itself is nothing that PostgreSQL's text or jsonb can hold.
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L, %L)', :'s1', 'user', 'x', '["\u0000"]'));
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, convert_from(%L, %L))', :'s1', 'user', '\x00', 'UTF8'));
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, convert_from(%L, %L))', :'s1', 'user', '\xff', 'UTF8'));
-- A byte sequence that breaks off is not taken for a role, nor is it passed on.
SELECT code FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, convert_from(%L, %L), %L)', :'s1', '\xf09f99', 'UTF8', 'x'));

--
-- The last of the 32-bit ids: then there are no more, and nothing is stored.
--
UPDATE sessions SET updated_at = '2001-01-01';
TRUNCATE messages;
SELECT setval('messages_id_seq', 2147483646);
SELECT rag_add_message(:'s1', 'user', 'the last one');
UPDATE sessions SET updated_at = '2001-01-01';
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'one too many'));
-- With a sequence that goes on where the column does not.
ALTER SEQUENCE messages_id_seq AS bigint;
SELECT * FROM pg_temp.error(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'one too many'));
SELECT id, content FROM messages;
SELECT bool_and(updated_at = '2001-01-01') AS untouched FROM sessions;
-- An id that is taken already.
SELECT setval('messages_id_seq', 2147483646);
SELECT code, message, "constraint" FROM pg_temp.diagnose(format('SELECT rag_add_message(%L, %L, %L)', :'s1', 'user', 'the last one again'));

DROP EXTENSION rag_events;
