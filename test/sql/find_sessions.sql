--
-- rag_find_sessions(): the search box and the folders of a list of sessions.
-- (find_sessions_1.out is of a server without the ICU library: there, in a database with
-- the locale C, letters beyond ASCII have no case.)
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname = 'rag_find_sessions';

-- Sessions 1 to 6 of alice, the latest activity last; one of bob, and one of nobody.
CREATE FUNCTION pg_temp.session(n int, owner text, metadata jsonb, VARIADIC messages text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  s uuid := format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'));
BEGIN
  PERFORM rag_create_session(owner, metadata, s);
  PERFORM rag_add_messages(s, (SELECT jsonb_agg(jsonb_build_object('role', CASE o % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'content', m) ORDER BY o)
                               FROM unnest(messages) WITH ORDINALITY AS u (m, o)));
  UPDATE sessions SET created_at = '2026-01-01'::timestamp, updated_at = '2026-01-01'::timestamp + n * interval '1 day' WHERE id = s;
END $$;
SELECT pg_temp.session(1, 'alice', '{"title": "Rain in Spain", "folder": "weather"}', 'Will it rain?', 'It will RAIN all day.', 'Thanks');
SELECT pg_temp.session(2, 'alice', '{"folder": "taxes", "archived": true, "tags": ["a", "b"]}', 'How much is 50% of 100_000?', 'It is 50,000.');
SELECT pg_temp.session(3, 'alice', '{"title": "50%", "folder": "taxes", "archived": null}', 'Steuern für ÄRZTE in der Straße?', 'Ja: § 1.');
SELECT pg_temp.session(4, 'alice', NULL, '日本語の文章です。東京タワー', '絵文字 🎉 ok');
SELECT pg_temp.session(5, 'alice', NULL, 'say "hello world" again', E'tab\tand\nnew line');
SELECT pg_temp.session(6, 'alice', '{"title": "Empty"}', '');
SELECT pg_temp.session(7, 'bob', '{"title": "rain"}', 'rain');
SELECT pg_temp.session(8, NULL, NULL, 'rain of nobody');
UPDATE sessions SET metadata = '[1]' WHERE right(id::text, 1) = '5';

-- What is found: session, message, role, snippet.
CREATE FUNCTION pg_temp.find(query text, filter jsonb DEFAULT NULL, owner text DEFAULT 'alice', max int DEFAULT 20)
RETURNS TABLE (s text, message_id bigint, role text, snippet text) LANGUAGE sql AS $$
  SELECT right(session_id::text, 1), message_id, role, snippet FROM rag_find_sessions(owner, query, filter, max)
$$;

--
-- All columns
--
SELECT * FROM rag_find_sessions('alice', 'rain') \gx
-- Without query and filter it is the list.
SELECT count(*) FROM rag_find_sessions('alice') AS f JOIN rag_list_sessions('alice') AS l
  ON row(f.session_id, f.title, f.preview, f.created_at, f.updated_at, f.metadata, f.cursor) IS NOT DISTINCT FROM row(l.session_id, l.title, l.preview, l.created_at, l.updated_at, l.metadata, l.cursor);
SELECT * FROM pg_temp.find(NULL);

--
-- Words
--
SELECT * FROM pg_temp.find('ALL day');
SELECT * FROM pg_temp.find('day all');
-- All in one message, or all in the title: not some here and some there.
SELECT * FROM pg_temp.find('rain thanks');
SELECT * FROM pg_temp.find('spain RAIN');
-- The title alone.
SELECT * FROM pg_temp.find('spain');
-- Within words; the newest message with all of them.
SELECT * FROM pg_temp.find('i');
-- % and _ are letters, and so are backslash and quote.
SELECT * FROM pg_temp.find('50%');
SELECT * FROM pg_temp.find('100_');
SELECT * FROM pg_temp.find('%');
SELECT * FROM pg_temp.find('_');
SELECT * FROM pg_temp.find('\');
SELECT * FROM pg_temp.find('''');
-- Phrases, also one that does not end.
SELECT * FROM pg_temp.find('"hello world"');
SELECT * FROM pg_temp.find('"world hello"');
SELECT * FROM pg_temp.find('world hello');
SELECT * FROM pg_temp.find('"hello wor');
SELECT * FROM pg_temp.find('say"hello');
SELECT * FROM pg_temp.find(E'"tab\tand\nnew"');
-- Every language; two characters, one; white space of others.
SELECT * FROM pg_temp.find('東京');
SELECT * FROM pg_temp.find('文　章');
SELECT * FROM pg_temp.find('🎉');
SELECT * FROM pg_temp.find('日本 タワー');
-- Letters beyond ASCII in any case. (A server without ICU may not know them.)
SELECT * FROM pg_temp.find('für');
SELECT * FROM pg_temp.find('ärzte FÜR');
SELECT * FROM pg_temp.find('STRASSE');
SELECT * FROM pg_temp.find('straße');
-- Characters are compared as they are stored: an Ä of two characters is another one.
SELECT * FROM pg_temp.find(U&'A\0308RZTE');
-- Whose
SELECT * FROM pg_temp.find('rain', owner => 'bob');
SELECT * FROM pg_temp.find('rain', owner => NULL);
SELECT * FROM pg_temp.find('rain', owner => 'carol');

--
-- Snippets: 200 characters around the first hit
--
SELECT rag_create_session('dave', session_id => :'alice');
SELECT rag_add_message(:'alice', 'user', repeat('ü', 500) || 'needle' || repeat('ä', 500)),
       rag_add_message(:'alice', 'user', 'first ' || repeat('x', 500)),
       rag_add_message(:'alice', 'user', repeat('y', 500) || ' last'),
       rag_add_message(:'alice', 'user', repeat('z', 400) || repeat('long', 100));
SELECT length(snippet), position('needle' IN snippet), left(snippet, 3), right(snippet, 3) FROM rag_find_sessions('dave', 'NEEDLE');
SELECT length(snippet), position('first' IN snippet) FROM rag_find_sessions('dave', 'first');
SELECT length(snippet), position('last' IN snippet) FROM rag_find_sessions('dave', 'last');
SELECT length(snippet), position('last' IN snippet) FROM rag_find_sessions('dave', 'y last');
SELECT length(snippet), left(snippet, 8) FROM rag_find_sessions('dave', repeat('long', 100));

-- Characters of another length in upper case, before the hit and after it.
SELECT rag_create_session('erin', session_id => :'bob');
SELECT rag_add_message(:'bob', 'user', repeat('ß', 500) || ' köln ' || repeat('x', 1000)),
       rag_add_message(:'bob', 'user', repeat('ﬁ', 300) || ' Ödev ' || repeat('ß', 1000)),
       rag_add_message(:'bob', 'user', repeat('ı', 300) || ' Ærø ' || repeat('ɑ', 300));
SELECT length(snippet), position('köln' IN snippet) FROM rag_find_sessions('erin', 'köln');
SELECT length(snippet), position('Ödev' IN snippet) FROM rag_find_sessions('erin', 'Ödev');
-- The whole text has the same length in upper case, but not what is before the hit.
SELECT length(snippet), position('Ærø' IN snippet) FROM rag_find_sessions('erin', 'Ærø');

--
-- Filters
--
-- A JSON null, which some ORMs store, has no keys.
SELECT rag_create_session('nina', 'null', :'nobody');
SELECT count(*) FILTER (WHERE f = '{"archived": null}') AS absent, count(*) FILTER (WHERE f = '{}') AS any, count(*) FILTER (WHERE f = '{"a": 1}') AS a
FROM unnest(ARRAY['{"archived": null}', '{}', '{"a": 1}']::jsonb[]) AS f, rag_find_sessions('nina', filter => f);
SELECT s FROM pg_temp.find(NULL, '{"folder": "taxes"}');
SELECT s FROM pg_temp.find(NULL, '{"folder": "taxes", "archived": null}');
SELECT s FROM pg_temp.find(NULL, '{"archived": null}');
SELECT s FROM pg_temp.find(NULL, '{"folder": null, "title": null}');
SELECT s FROM pg_temp.find(NULL, '{"tags": ["b"]}');
SELECT s FROM pg_temp.find(NULL, '{}');
SELECT * FROM pg_temp.find('50', '{"folder": "taxes", "archived": null}');

--
-- Pages: order and cursor are those of the list
--
SELECT right(session_id::text, 1) AS s, cursor FROM rag_find_sessions('alice', 'i', max_sessions => 1) \gset
SELECT :'s' AS s;
SELECT right(session_id::text, 1) AS s FROM rag_find_sessions('alice', 'i', after_cursor => :'cursor');
SELECT cursor FROM rag_list_sessions('alice', 2) OFFSET 1 \gset
SELECT right(session_id::text, 1) AS s FROM rag_find_sessions('alice', 'i', after_cursor => :'cursor');
SELECT right(session_id::text, 1) AS s FROM rag_find_sessions('alice', max_sessions => 2, after_cursor => :'cursor');
SELECT count(*) FROM rag_find_sessions('alice', 'i', max_sessions => 0);
SELECT count(*) FROM rag_find_sessions('alice', max_sessions => 0);
SELECT count(*) FROM rag_find_sessions('alice', 'i', max_sessions => NULL);
SELECT count(*) FROM rag_find_sessions('alice', max_sessions => NULL);

--
-- Errors
--
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', '''')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_find_sessions(''alice'', '' "" '')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_find_sessions(''alice'', ''"'')');
SELECT code, message FROM pg_temp.diagnose('SELECT rag_find_sessions(''alice'', U&''\3000\00A0'')');
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', filter => ''[]'')');
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', filter => ''null'')');
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', filter => ''"{}"'')');
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', max_sessions => -1)');
SELECT * FROM pg_temp.error('SELECT rag_find_sessions(''alice'', after_cursor => ''x'')');
-- Many different words; the same ones count once.
SELECT * FROM pg_temp.error(format('SELECT rag_find_sessions(''alice'', %L)', (SELECT string_agg('w' || n, ' ') FROM generate_series(1, 101) AS n)));
SELECT count(*) FROM rag_find_sessions('alice', (SELECT string_agg('w' || n, ' ') FROM generate_series(1, 100) AS n));
-- A long query, and many words.
SELECT count(*) FROM rag_find_sessions('alice', repeat('x', 1000000));
SELECT count(*) FROM rag_find_sessions('alice', repeat('i ', 500000));

--
-- The same by a SELECT of the messages, and what row security hides is not found
--
CREATE TEMP TABLE found AS SELECT q, f.* FROM unnest(ARRAY['rain', 'i', '50', 'für', '東京']) AS q, rag_find_sessions('alice', q) AS f;
ALTER TABLE messages ADD own integer GENERATED ALWAYS AS (1) STORED;
CREATE RULE nothing AS ON UPDATE TO messages WHERE false DO INSTEAD NOTHING;
SELECT count(*) FROM (SELECT q, f.* FROM unnest(ARRAY['rain', 'i', '50', 'für', '東京']) AS q, rag_find_sessions('alice', q) AS f EXCEPT SELECT * FROM found) AS d;
CREATE ROLE regress_rag_find;
GRANT SELECT ON sessions, messages TO regress_rag_find;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON messages USING (content !~ 'RAIN');
SET ROLE regress_rag_find;
SELECT * FROM pg_temp.find('rain');
RESET ROLE;

DROP EXTENSION rag_events;
DROP OWNED BY regress_rag_find;
DROP ROLE regress_rag_find;
