--
-- rag_set_feedback(), rag_get_feedback(), and what becomes of feedback when messages,
-- sessions and users go.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters and columns are API: their names, order and defaults.
SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname IN ('rag_set_feedback', 'rag_get_feedback') ORDER BY 1;
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'rag_feedback'::regclass AND attnum > 0 ORDER BY attnum;

CREATE FUNCTION pg_temp.start() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM sessions;
  ALTER SEQUENCE messages_id_seq RESTART;
  PERFORM rag_create_session('alice', NULL, '00000000-0000-4000-8000-00000000000a'), rag_create_session('bob', '{"hold": true}', '00000000-0000-4000-8000-00000000000b');
  PERFORM rag_add_messages('00000000-0000-4000-8000-00000000000a', '[{"role": "user", "content": "q1"},
    {"role": "assistant", "content": "a1", "sources": [{"document_id": "d1"}, null, {"document_id": "d2"}]},
    {"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2", "sources": {"document_id": "d3"}},
    {"role": "assistant", "content": "a3", "sources": null}]');
  PERFORM rag_add_messages('00000000-0000-4000-8000-00000000000b', '[{"role": "user", "content": "q3"}, {"role": "assistant", "content": "a4", "sources": "d4"}]');
  UPDATE sessions SET updated_at = '2026-01-02', created_at = '2026-01-01';
END $$;
CREATE VIEW pg_temp.judged AS SELECT right(session_id::text, 1) AS s, message_id AS m, source_no AS no, name, rater, score, label, comment, metadata FROM rag_feedback
ORDER BY session_id, message_id, source_no NULLS FIRST, name, rater NULLS FIRST;

-- A vote is replaced as a whole: a comment never outlives it.
SELECT pg_temp.start();
SELECT rag_set_feedback(:'alice', 2, -1, 'bad', 'Wrong year.', metadata => '{"ui": "web"}');
TABLE pg_temp.judged;
SELECT rag_set_feedback(:'alice', 2, 1);
TABLE pg_temp.judged;
-- It has the time of the first vote and that of the last one.
BEGIN;
UPDATE rag_feedback SET created_at = '2026-01-01', updated_at = '2026-01-01';
SELECT rag_set_feedback(:'alice', 2, 0);
SELECT created_at, updated_at = LOCALTIMESTAMP AS updated FROM rag_get_feedback(:'alice');
ROLLBACK;
-- Taken back, also twice; and one that never was.
SELECT rag_set_feedback(:'alice', 2), rag_set_feedback(:'alice', 2), rag_set_feedback(:'alice', 4, rater => 'carol');
TABLE pg_temp.judged;
-- Names, raters and sources are judged apart.
SELECT rag_set_feedback(:'alice', 2, 1), rag_set_feedback(:'alice', 2, 2, name => 'faithfulness', rater => 'judge'),
       rag_set_feedback(:'alice', 2, 3, rater => 'carol'), rag_set_feedback(:'alice', 2, label => 'relevant', name => 'relevance', source_no => 1, rater => 'carol'),
       rag_set_feedback(:'alice', 2, 0, name => 'relevance', source_no => 3, rater => 'carol'), rag_set_feedback(:'alice', 4, comment => '', source_no => 1),
       rag_set_feedback(:'bob', 7, metadata => '{}', source_no => 1, user_id => 'bob');
SELECT message_id, source_no, name, rater, score, label, comment, metadata FROM rag_get_feedback(:'alice');
SELECT message_id, source_no, name, score FROM rag_get_feedback(:'alice', rater => 'carol');
SELECT count(*) FROM rag_get_feedback(:'bob', 'bob');
-- An empty name of a rater is a name.
SELECT rag_set_feedback(:'bob', 7, 1, rater => ''), rag_set_feedback(:'bob', 7, 1);
SELECT rater FROM rag_get_feedback(:'bob', rater => '');
-- The session's activity is that of its messages.
SELECT DISTINCT created_at, updated_at FROM sessions;

-- Errors
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(NULL, 1, 1)'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, NULL, 1)', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, name => NULL)', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, name => '''')', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, name => repeat(''é'', 128))', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, rater => repeat(''x'', 1000000))', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, ''NaN'')', :'alice'));
SELECT code, message FROM unnest('{Infinity,-Infinity}'::text[]) AS v, pg_temp.diagnose(format('SELECT rag_set_feedback(%L, 2, %L)', :'alice', v));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, source_no => 0)', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, source_no => 4)', :'alice'));
SELECT code, message, detail FROM unnest('{1,4,5}'::int[], '{1,2,1}'::int[]) AS v (m, no), pg_temp.diagnose(format('SELECT rag_set_feedback(%L, %s, 1, source_no => %s)', :'alice', m, no));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, metadata => ''[]'')', :'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1)', :'none'));
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1, user_id => ''bob'')', :'alice'));
-- A message of another session, and one that is not there: to judge, and to take back.
SELECT code, message, detail FROM unnest('{7,99}'::int[]) AS m, unnest('{"",", 1",", 1, source_no => 1"}'::text[]) AS a,
  pg_temp.diagnose(format('SELECT rag_set_feedback(%L, %s%s)', :'alice', m, a));
SELECT * FROM pg_temp.error('SELECT * FROM rag_get_feedback(NULL)');
SELECT * FROM pg_temp.error(format('SELECT * FROM rag_get_feedback(%L, ''bob'')', :'alice'));
-- The longest names fit.
SELECT rag_set_feedback(:'alice', 2, 1, name => (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 7) AS n), rater => left((SELECT string_agg(md5(n::text), '') FROM generate_series(1, 63) AS n), 2000));
-- A trigger that discards it
CREATE FUNCTION pg_temp.discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE INSERT OR UPDATE ON rag_feedback FOR EACH ROW EXECUTE FUNCTION pg_temp.discard();
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 1, 1)', :'alice'));
DROP TRIGGER discard ON rag_feedback;
-- Plain SQL cannot judge twice either.
SELECT code, "constraint" FROM pg_temp.diagnose(format('INSERT INTO rag_feedback (session_id, message_id, name) VALUES (%L, 2, ''user'')', :'alice'));

--
-- It goes with its message, as by a foreign key: whatever the caller's rights on it are,
-- and also where the messages are not deleted directly.
--
CREATE ROLE regress_rag_chat;
GRANT SELECT, UPDATE, DELETE ON sessions, messages TO regress_rag_chat;
CREATE FUNCTION pg_temp.pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
GRANT EXECUTE ON FUNCTION pg_temp.pass() TO regress_rag_chat;
CREATE FUNCTION pg_temp.vote() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  m record;
BEGIN
  PERFORM pg_temp.start();
  FOR m IN SELECT session_id, id FROM messages LOOP
    PERFORM rag_set_feedback(m.session_id, m.id, m.id), rag_set_feedback(m.session_id, m.id, m.id, rater => 'alice'), rag_set_feedback(m.session_id, m.id, m.id, rater => 'bob');
  END LOOP;
END $$;
CREATE FUNCTION pg_temp.count_judged() RETURNS TABLE (s text, first int8, last int8, n int8) LANGUAGE sql AS
  'SELECT right(session_id::text, 1), min(message_id), max(message_id), count(*) FROM rag_feedback GROUP BY session_id ORDER BY 1';
SELECT pg_temp.vote();
SET ROLE regress_rag_chat;
SELECT rag_delete_messages(:'alice', 4);
RESET ROLE;
SELECT * FROM pg_temp.count_judged();
CREATE TRIGGER pass BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION pg_temp.pass();
SET ROLE regress_rag_chat;
SELECT rag_delete_messages(:'alice', 3);
SELECT rag_delete_session(:'alice');
RESET ROLE;
DROP TRIGGER pass ON messages;
SELECT * FROM pg_temp.count_judged();
-- With its session, by each function and by plain SQL; directly, and not.
SELECT pg_temp.vote();
SET ROLE regress_rag_chat;
SELECT rag_delete_session(:'alice');
RESET ROLE;
SELECT * FROM pg_temp.count_judged();
SELECT pg_temp.vote();
SET ROLE regress_rag_chat;
SELECT sessions, messages FROM rag_expire_sessions('1 second', keep => '{"hold": true}');
RESET ROLE;
SELECT * FROM pg_temp.count_judged();
SELECT pg_temp.vote();
DELETE FROM sessions WHERE user_id = 'alice';
SELECT * FROM pg_temp.count_judged();
-- A trigger of the user sees it go, after its session, as by the foreign key.
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE INFO 'feedback on % goes, its session is there: %', OLD.message_id, EXISTS (SELECT FROM sessions WHERE id = OLD.session_id);
  RETURN OLD;
END $$;
GRANT EXECUTE ON FUNCTION pg_temp.tell() TO regress_rag_chat;
DELETE FROM rag_feedback WHERE message_id < 7 OR rater IS NOT NULL;
CREATE TRIGGER tell BEFORE DELETE ON rag_feedback FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT rag_delete_session(:'bob');
DROP TRIGGER tell ON rag_feedback;

--
-- Erasing a user: what they judged in other sessions goes, but for what is held.
--
SELECT pg_temp.vote();
SELECT * FROM rag_erase_user('alice', dry_run => true);
SELECT s, rater, count(*) FROM pg_temp.judged GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM rag_erase_user('alice', keep => '{"hold": true}');
SELECT s, rater, count(*) FROM pg_temp.judged GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM rag_erase_user('alice');
SELECT s, rater, count(*) FROM pg_temp.judged GROUP BY 1, 2 ORDER BY 1, 2;
-- Without the right: an error where there is something to erase, and nothing is lost.
SELECT pg_temp.vote();
SET ROLE regress_rag_chat;
SELECT * FROM pg_temp.error('SELECT rag_erase_user(''alice'')');
SELECT * FROM rag_erase_user('carol');
RESET ROLE;
SELECT count(*) FROM rag_feedback;
-- After erasing, no value of any table of the extension is the user's name.
SELECT rag_erase_user('alice');
SELECT t, count(*) FROM (SELECT 'sessions', to_jsonb(s) FROM sessions s UNION ALL SELECT 'messages', to_jsonb(m) FROM messages m UNION ALL
  SELECT 'rag_feedback', to_jsonb(f) FROM rag_feedback f UNION ALL SELECT 'rag_usage_daily', to_jsonb(u) FROM rag_usage_daily u) AS rows (t, r)
WHERE r::text LIKE '%alice%' GROUP BY 1;

-- Only that of messages that are gone, be it that a policy or a trigger keeps some.
SELECT rag_create_session('dora') AS kept \gset
SELECT rag_add_messages(:'kept', '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "sources": ["a", "b"]}]') AS ids \gset
SELECT rag_set_feedback(:'kept', id, 1) FROM unnest(:'ids'::bigint[]) AS id;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON messages USING (true);
CREATE POLICY answers_stay ON messages AS RESTRICTIVE FOR DELETE USING (role = 'user');
SET ROLE regress_rag_chat;
SELECT rag_delete_messages(:'kept', (:'ids'::bigint[])[1]);
RESET ROLE;
ALTER TABLE messages DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON messages;
DROP POLICY answers_stay ON messages;
SELECT f.message_id IS NOT NULL AS judged FROM messages LEFT JOIN rag_feedback AS f ON message_id = id WHERE messages.session_id = :'kept';
-- A document has feedback on its messages only, and goes in again when sources became fewer.
SELECT rag_set_feedback(:'kept', (:'ids'::bigint[])[2], 1, name => 'relevance', source_no => 2);
SELECT rag_update_message(:'kept', (:'ids'::bigint[])[2], sources => '[]');
INSERT INTO rag_feedback (session_id, message_id, name, score) VALUES (:'kept', 1000000, 'user', 1);
SELECT rag_import_session(rag_export_session(:'kept')) AS copy \gset
SELECT name, source_no, score FROM rag_get_feedback(:'copy');
-- What is judged in a session that must be kept stays, also where somebody does not see it.
SELECT rag_update_session(:'kept', '{"hold": 1}');
UPDATE rag_feedback SET rater = 'paul' WHERE session_id = :'kept';
SET ROLE regress_rag_chat;
SELECT * FROM rag_erase_user('paul', keep => '{"hold": 1}');
RESET ROLE;
GRANT SELECT, DELETE ON rag_feedback TO regress_rag_chat;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON sessions USING (user_id = 'paul');
SET ROLE regress_rag_chat;
SELECT * FROM rag_erase_user('paul', keep => '{"hold": 1}');
RESET ROLE;
ALTER TABLE sessions DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON sessions;
REVOKE SELECT, DELETE ON rag_feedback FROM regress_rag_chat;
SELECT count(*) FROM rag_feedback WHERE rater = 'paul';
DELETE FROM sessions WHERE user_id = 'dora';

--
-- In documents: the ids of messages are the new ones, nothing else changes.
--
SELECT pg_temp.vote();
SELECT rag_set_feedback(:'alice', 2, 0.1, 'a "label"', E'a\ncomment', 'relevance', 3, 'carol', '{"a": null}');
UPDATE rag_feedback SET created_at = '2026-01-03 04:05:06.789', updated_at = '2026-01-04';
CREATE FUNCTION pg_temp.with_places(doc jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_agg(f || jsonb_build_object('message_id', m.place) ORDER BY n)
  FROM jsonb_array_elements(doc -> 'feedback') WITH ORDINALITY AS f (f, n)
  JOIN jsonb_array_elements(doc -> 'messages') WITH ORDINALITY AS m (m, place) ON f -> 'message_id' = m -> 'id'
$$;
SELECT rag_export_session(:'alice') AS doc \gset
SELECT jsonb_array_length(:'doc'::jsonb -> 'feedback'), jsonb_pretty(:'doc'::jsonb #> '{feedback,6}');
SELECT rag_import_session(:'doc') AS copy \gset
SELECT pg_temp.with_places(rag_export_session(:'copy')) = pg_temp.with_places(:'doc') AS same,
       rag_export_session(:'copy') #> '{feedback,0,message_id}' = :'doc'::jsonb #> '{feedback,0,message_id}' AS same_id;
-- A session without feedback has no such field, and a copy has none.
SELECT rag_copy_session(:'alice') AS copy, rag_import_session('{"messages": [], "feedback": []}') AS empty, rag_import_session('{"messages": [], "feedback": null}') AS without \gset
SELECT rag_export_session(s::uuid) ? 'feedback' AS any FROM unnest(ARRAY[:'copy', :'empty', :'without']) AS s;
-- Names default to "user", ids may be strings, as for JavaScript.
SELECT rag_import_session('{"messages": [{"id": 7, "role": "user", "content": "x"}, {"id": "9007199254740993", "role": "assistant", "content": "y", "sources": [1]}],
  "feedback": [{"message_id": "9007199254740993", "score": 1, "source_no": 1}, {"message_id": 7, "label": "x", "rater": null, "created_at": "2026-02-03"}]}') AS copy \gset
SELECT dense_rank() OVER (ORDER BY message_id) AS message, source_no, name, rater, score, label, CASE WHEN created_at < '2026-03-01' THEN created_at END AS created_at, updated_at = created_at AS same
FROM rag_get_feedback(:'copy');
-- Errors, with the place
CREATE FUNCTION pg_temp.context_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m text; d text; c text; s text;
BEGIN
  EXECUTE statement;
  RETURN 'success';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, c = PG_EXCEPTION_CONTEXT;
  RETURN concat_ws(' | ', SQLSTATE, m, NULLIF(d, ''), split_part(c, E'\n', 1));
END $$;
SELECT pg_temp.context_of(format('SELECT rag_import_session(%L)', '{"user_id": "u", "messages": [{"id": 7, "role": "user", "content": "x", "sources": [1]}], "feedback": ' || f || '}'))
FROM unnest(ARRAY['1', '{}', '[1]', '[{}]', '[{"message_id": 7}]', '[{"message_id": 7, "score": 1}, {"message_id": 8, "score": 1}]', '[{"message_id": 7, "score": "1"}]',
  '[{"message_id": 7.5, "score": 1}]', '[{"message_id": 7, "score": 1e400}]', '[{"message_id": 7, "score": 1, "source_no": 2}]', '[{"message_id": 7, "score": 1, "source_no": 1.5}]',
  '[{"message_id": 7, "score": 1, "name": ""}]', '[{"message_id": 7, "metadata": []}]', '[{"message_id": 7, "stars": 5}]', '[{"message_id": 7, "score": 1, "created_at": "soon"}]']) AS f;
SELECT code, "constraint" FROM pg_temp.diagnose('SELECT rag_import_session(''{"messages": [{"id": 7, "role": "user", "content": "x"}], "feedback": [{"message_id": 7, "score": 1}, {"message_id": 7, "score": 2}]}'')');
-- What another program calls so is kept.
SELECT rag_import_session('{"messages": [{"role": "user", "content": "x"}], "feedback": "helpful"}') AS other \gset
SELECT metadata FROM sessions WHERE id = :'other';
-- Without the right to read it, an export is refused where there is some.
SET ROLE regress_rag_chat;
SELECT * FROM pg_temp.error(format('SELECT rag_export_session(%L)', :'alice'));
SELECT rag_delete_messages(:'copy', 0);
SELECT rag_export_session(:'copy') ? 'feedback' AS any;
RESET ROLE;
-- Row security: what a policy hides is neither shown, nor exported.
ALTER TABLE rag_feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON rag_feedback USING (rater = 'bob');
GRANT SELECT, INSERT, UPDATE, DELETE ON rag_feedback TO regress_rag_chat;
SET ROLE regress_rag_chat;
SELECT DISTINCT rater FROM rag_get_feedback(:'alice');
SELECT DISTINCT f -> 'rater' AS rater FROM jsonb_array_elements(rag_export_session(:'alice') -> 'feedback') AS f;
SELECT * FROM pg_temp.error(format('SELECT rag_set_feedback(%L, 2, 1)', :'alice'));
SELECT rag_set_feedback(:'alice', 2, 5, rater => 'bob');
-- It goes with its message nevertheless.
SELECT rag_delete_messages(:'alice', 2);
RESET ROLE;
SELECT min(message_id), max(message_id), count(*) FROM rag_feedback WHERE session_id = :'alice';
DROP OWNED BY regress_rag_chat;
DROP ROLE regress_rag_chat;

--
-- On earlier versions
--
ALTER TABLE rag_feedback DISABLE ROW LEVEL SECURITY;
SELECT * FROM pg_temp.error('ALTER EXTENSION rag_events UPDATE TO ''1.3''');
DELETE FROM rag_feedback;
DROP VIEW pg_temp.judged;
ALTER EXTENSION rag_events UPDATE TO '1.3';
SELECT * FROM pg_temp.error('SELECT rag_import_session(''{"messages": [{"id": 7, "role": "user", "content": "x"}], "feedback": [{"message_id": 7, "score": 1}]}'')');
SELECT rag_export_session(:'bob') ? 'feedback' AS any, rag_delete_messages(:'bob', 7);
SELECT sessions FROM rag_erase_user('alice');
-- A table of the user's that happens to have the name is left alone.
CREATE TABLE rag_feedback (session_id uuid, message_id int8, rater text, name text);
INSERT INTO rag_feedback SELECT :'bob', 6, 'bob';
SELECT rag_delete_messages(:'bob', 1);
SELECT sessions FROM rag_erase_user('bob');
SELECT count(*) FROM rag_feedback;
SELECT * FROM pg_temp.error('ALTER EXTENSION rag_events UPDATE TO ''1.4''');
DROP TABLE rag_feedback;
