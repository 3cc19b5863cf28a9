--
-- rag_get_prompt(): what a model is asked with; the inverse of an import of OpenAI's form.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/opening.psql

-- Parameters are API: their names, order and defaults.
SELECT pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
FROM pg_proc WHERE proname = 'rag_get_prompt';

-- A session of these messages, as a prompt.
CREATE FUNCTION pg_temp.prompt(conversation jsonb, max_tokens int DEFAULT NULL, max_messages int DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  s uuid := rag_import_session(conversation);
BEGIN
  RETURN rag_get_prompt(s, max_tokens, max_messages);
END $$;

--
-- What goes in comes out
--
CREATE TEMP TABLE conversations (name text, messages jsonb);
INSERT INTO conversations VALUES
('plain', '[{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]'),
('system', '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello", "name": "maya"}, {"role": "assistant", "content": "Hi.", "name": "bot"}]'),
('developer', '[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]'),
('several instructions', '[{"role": "system", "content": "Be brief."}, {"role": "developer", "name": "ops", "content": [{"type": "text", "text": "Cite "}, {"type": "text", "text": "sources."}]}, {"role": "user", "content": "Hello"}]'),
('instructions in parts', '[{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, {"role": "user", "content": "Hello"}]'),
('a call', '[{"role": "user", "content": "Weather?"},
  {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}}]},
  {"role": "tool", "tool_call_id": "call_1", "content": "snow"}, {"role": "assistant", "content": "Snow."}]'),
('parallel calls', '[{"role": "user", "content": "Weather?"},
  {"role": "assistant", "content": "Let me see.", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}, {"id": "b", "type": "custom", "custom": {"name": "code", "input": "1 + 1"}}]},
  {"role": "tool", "tool_call_id": "b", "content": "2"}, {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "snow"}, {"type": "text", "text": ", rain"}]},
  {"role": "assistant", "content": "Done.", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
  {"role": "tool", "tool_call_id": "c", "content": ""}, {"role": "assistant", "content": "Really."}]'),
('a function', '[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "function_call": {"name": "weather", "arguments": "{}"}},
  {"role": "function", "name": "weather", "content": "snow"}, {"role": "assistant", "content": "Snow."}]'),
('images', '[{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}]},
  {"role": "assistant", "content": "A dot."},
  {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://example.com/1.png"}}, {"type": "text", "text": "And this"}, {"type": "image_url", "image_url": {"url": "http://example.com/2.png"}}, {"type": "text", "text": "?"}]},
  {"role": "assistant", "content": [{"type": "text", "text": "Two dots."}]},
  {"role": "user", "content": [{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Thanks"}]},
  {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, {"type": "file", "file": {"file_id": "f"}}]}]'),
('refusals', '[{"role": "user", "content": "Bad"}, {"role": "assistant", "content": null, "refusal": "I cannot say."}, {"role": "user", "content": "Worse"},
  {"role": "assistant", "content": [{"type": "text", "text": "Well, "}, {"type": "refusal", "refusal": "no."}]}]'),
('only a refusal', '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, {"role": "user", "content": "why"}]'),
('sound', '[{"role": "user", "content": "Sing"}, {"role": "assistant", "content": null, "audio": {"id": "audio_1"}}]'),
('empty', '[{"role": "user", "content": ""}, {"role": "assistant", "content": "?"}]');
SELECT name, pg_temp.prompt(messages) = messages AS same FROM conversations;
SELECT name, jsonb_pretty(pg_temp.prompt(messages)) FROM conversations WHERE pg_temp.prompt(messages) <> messages;
-- The same by an export and an import of it.
CREATE TEMP TABLE first AS SELECT name, messages, rag_import_session(messages) AS s FROM conversations;
SELECT count(*) AS same FROM first WHERE pg_temp.prompt(rag_export_session(s)) = messages;
-- LangChain's form comes out as OpenAI's.
SELECT jsonb_pretty(pg_temp.prompt('[{"type": "system", "data": {"content": "Be brief."}},
  {"type": "human", "data": {"content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}, "!"]}},
  {"type": "ai", "data": {"content": [{"type": "text", "text": "Looking"}, {"type": "tool_use", "id": "c1", "name": "look", "input": {"deep": true}}], "tool_calls": [{"name": "look", "args": {"deep": true}, "id": "c1", "type": "tool_call"}]}},
  {"type": "tool", "data": {"content": "a dot", "tool_call_id": "c1", "name": "look", "status": "success", "artifact": {"x": 1}}}]'));
-- So do calls whose arguments are JSON and no string.
SELECT jsonb_array_elements(pg_temp.prompt('[{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}, {"id": "b", "function": {"name": "g"}}]},
  {"role": "tool", "tool_call_id": "a", "name": "f", "content": "r"}, {"role": "tool", "tool_call_id": "b", "name": "g", "content": "r"}]'));

--
-- A result needs its call, and a call its result
--
SELECT pg_temp.prompt('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}, {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}]},
  {"role": "tool", "tool_call_id": "b", "content": "g"}]');
SELECT pg_temp.prompt('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}]');
SELECT pg_temp.prompt('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "See", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}, {"role": "tool", "tool_call_id": "z", "content": "g"}]');
SELECT pg_temp.prompt('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": ""}}]');
-- Twice the same id.
SELECT pg_temp.prompt('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}, {"id": "a", "type": "function", "function": {"name": "g", "arguments": ""}}]},
  {"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "tool", "tool_call_id": "a", "content": "2"}]');
-- Metadata of other forms is left out.
SELECT rag_create_session(session_id => :'alice');
SELECT rag_add_messages(:'alice', '[{"role": "user", "content": "q", "metadata": {"content_parts": [], "name": 1}}, {"role": "assistant", "content": "a", "metadata": {"tool_calls": "x", "tool_results": [1, {"tool_call_id": "a"}], "refusal": "", "audio": 1, "function_call": "f"}},
  {"role": "user", "content": "q", "metadata": {"content_parts": {"type": "image_url"}}}, {"role": "assistant", "content": "b", "metadata": {"tool_calls": [1, {"id": 1}, {"id": "a"}, {"id": "b", "name": "f"}], "tool_results": [{"tool_call_id": "a"}, {"tool_call_id": "b", "content": 1}]}}]');
SELECT rag_get_prompt(:'alice', 1000);
-- A content that was changed after the import takes the place of the texts.
SELECT rag_import_session('[{"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "two"}]}, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "three"}]}]') AS s \gset
SELECT rag_update_message(:'s', id, 'new') FROM rag_get_messages(:'s');
SELECT rag_get_prompt(:'s', NULL);
-- Other instructions.
SELECT rag_import_session('[{"role": "developer", "content": "Be brief."}, {"role": "system", "content": "Cite."}, {"role": "user", "content": "Hello"}]') AS s \gset
SELECT rag_get_prompt(:'s', NULL);
SELECT rag_update_session(:'s', '{"system_prompt": "Be verbose."}') IS NOT NULL AS changed;
SELECT rag_get_prompt(:'s', NULL);
SELECT rag_update_session(:'s', '{"system_prompt": ""}') IS NOT NULL AS changed;
SELECT rag_get_prompt(:'s', NULL);
SELECT rag_update_session(:'s', '{"system_prompt": ["a"], "summary": 1}') IS NOT NULL AS changed;
SELECT rag_get_prompt(:'s', NULL);

--
-- The summary, and the messages after it
--
SELECT rag_create_session('bob', '{"system_prompt": "Be brief."}', :'bob');
SELECT rag_add_messages(:'bob', '[{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}, {"role": "assistant", "content": "four"}, {"role": "user", "content": "five"}]') AS ids \gset
SELECT rag_get_prompt(:'bob', 100);
SELECT rag_update_session(:'bob', jsonb_build_object('summary', 'Numbers.', 'summary_upto_id', (:'ids'::bigint[])[3])) IS NOT NULL AS changed;
-- It goes on right after the summary, here with an answer.
SELECT rag_get_prompt(:'bob', 100);
-- Where messages are left out, it goes on with a question.
SELECT rag_get_prompt(:'bob', 100, 2), rag_get_prompt(:'bob', 100, 1);
SELECT rag_get_prompt(:'bob', 6), rag_get_prompt(:'bob', 5), rag_get_prompt(:'bob', 3), rag_get_prompt(:'bob', 2), rag_get_prompt(:'bob', 0);
SELECT rag_get_prompt(:'bob', 100, 0);
-- A summary of nothing yet, and one whose message is not known.
SELECT rag_update_session(:'bob', '{"summary_upto_id": null}') IS NOT NULL AS changed;
SELECT jsonb_array_length(rag_get_prompt(:'bob', NULL));
SELECT rag_update_session(:'bob', '{"summary_upto_id": "x"}') IS NOT NULL AS changed;
SELECT jsonb_array_length(rag_get_prompt(:'bob', NULL));

--
-- Whatever the budget: no call without its result, no result without its call, at most
-- the budget, the newest kept, and the first message is the user's.
--
CREATE FUNCTION pg_temp.tokens(prompt jsonb) RETURNS numeric LANGUAGE sql AS $$
  SELECT coalesce(sum(ceil(coalesce(octet_length(m->>'content'), 0) / 4.0)), 0) FROM jsonb_array_elements(prompt) AS m
$$;
CREATE FUNCTION pg_temp.violations(whole jsonb, prompt jsonb, max_tokens int) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(', ',
    CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(prompt) AS m, jsonb_array_elements(m->'tool_calls') AS c
                      WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(prompt) AS r WHERE r->>'tool_call_id' = c->>'id')) THEN 'a call without result' END,
    CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(prompt) AS r WHERE r->>'role' = 'tool'
                      AND NOT EXISTS (SELECT FROM jsonb_array_elements(prompt) AS m, jsonb_array_elements(m->'tool_calls') AS c WHERE r->>'tool_call_id' = c->>'id')) THEN 'a result without call' END,
    CASE WHEN pg_temp.tokens(prompt) > max_tokens THEN 'too large' END,
    CASE WHEN (SELECT m->>'role' FROM jsonb_array_elements(prompt) WITH ORDINALITY AS e (m, o) WHERE m->>'role' <> 'system' ORDER BY o LIMIT 1) <> 'user' THEN 'does not begin with the user' END,
    CASE WHEN jsonb_path_query_array(prompt, '$[*] ? (@.role != "system")') <>
      (SELECT coalesce(jsonb_agg(m ORDER BY o), '[]') FROM (SELECT m, o FROM jsonb_array_elements(whole) WITH ORDINALITY AS w (m, o) ORDER BY o DESC LIMIT jsonb_array_length(jsonb_path_query_array(prompt, '$[*] ? (@.role != "system")'))) AS l)
      THEN 'not the newest' END)
$$;
SELECT setseed(0.5);
CREATE TEMP TABLE random AS
SELECT n, '[{"role": "system", "content": "Instructions"}]'::jsonb || jsonb_path_query_array(jsonb_agg(m ORDER BY turn), '$[*][*]') AS messages
FROM generate_series(1, 30) AS n, generate_series(1, 6) AS turn,
LATERAL (SELECT (random() * 3 + 0 * n * turn)::int AS calls) AS r,
LATERAL (SELECT jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('q', (random() * 50)::int)))
  || CASE WHEN calls = 0 THEN '[]'::jsonb ELSE (
    SELECT jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', NULL, 'tool_calls', jsonb_agg(jsonb_build_object('id', format('%s-%s', turn, c), 'type', 'function', 'function', jsonb_build_object('name', 'f', 'arguments', repeat('a', (random() * 20)::int))))))
      || jsonb_agg(jsonb_build_object('role', 'tool', 'tool_call_id', format('%s-%s', turn, c), 'content', repeat('r', (random() * 80)::int)))
    FROM generate_series(1, calls) AS c) END
  || jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', repeat('a', 1 + (random() * 60)::int))) AS m) AS t
GROUP BY n;
CREATE TEMP TABLE imported AS SELECT n, messages, rag_import_session(messages) AS s FROM random;
SELECT count(*) AS prompts, count(*) FILTER (WHERE rag_get_prompt(s, NULL) = messages) AS same FROM imported;
SELECT pg_temp.violations(messages, rag_get_prompt(s, budget), budget) AS violations, count(*)
FROM imported, generate_series(0, 400, 7) AS budget GROUP BY 1;
-- It holds what rag_get_context() does, as far as that counts the same: an import has set token_count.
SELECT count(*) AS differences FROM imported, generate_series(3, 400, 7) AS budget
WHERE (SELECT count(*) FROM rag_get_context(s, budget - 3)) <> (SELECT count(*) FROM jsonb_array_elements(rag_get_prompt(s, budget)) AS m WHERE m->>'role' IN ('user', 'assistant'));
SELECT token_count IS NULL AS by_content, count(*) > 0 AS there_are FROM messages WHERE session_id IN (SELECT s FROM imported) GROUP BY 1 ORDER BY 1;
-- A refusal counts as a text.
SELECT pg_temp.prompt(jsonb_build_array('{"role": "user", "content": "q"}'::jsonb, jsonb_build_object('role', 'assistant', 'content', NULL, 'refusal', repeat('r', 4000))), 999),
       jsonb_array_length(pg_temp.prompt(jsonb_build_array('{"role": "user", "content": "q"}'::jsonb, jsonb_build_object('role', 'assistant', 'content', jsonb_build_array(jsonb_build_object('type', 'refusal', 'refusal', repeat('r', 4000))))), 1001));
-- A result of 200 kB.
SELECT rag_import_session(jsonb_build_array('{"role": "user", "content": "q"}'::jsonb, '{"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}'::jsonb, jsonb_build_object('role', 'tool', 'tool_call_id', 'a', 'content', repeat('x', 200000)))) AS s \gset
SELECT count(*), sum(token_count) > 50000 AS counted FROM rag_get_context(:'s', NULL);
SELECT jsonb_array_length(rag_get_prompt(:'s', 50000)), jsonb_array_length(rag_get_prompt(:'s', 51000));
-- Without a token_count it is counted as well.
UPDATE messages SET token_count = NULL WHERE session_id = :'s';
SELECT jsonb_array_length(rag_get_prompt(:'s', 50000)), jsonb_array_length(rag_get_prompt(:'s', 51000));

--
-- Errors
--
SELECT * FROM pg_temp.error('SELECT rag_get_prompt(NULL, 1)');
SELECT * FROM pg_temp.error(format('SELECT rag_get_prompt(%L, 1)', :'none'));
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_get_prompt(%L, 1, user_id => %L)', :'bob', 'alice'));
SELECT * FROM pg_temp.error(format('SELECT rag_get_prompt(%L, -1)', :'bob'));
SELECT * FROM pg_temp.error(format('SELECT rag_get_prompt(%L, 1, -1)', :'bob'));
SELECT rag_get_prompt(:'bob', 100, 1, 'bob');
-- Metadata of a session that is no object; a session without messages.
UPDATE sessions SET metadata = '"x"' WHERE id = :'bob';
SELECT rag_get_prompt(:'bob', 100, 1);
SELECT pg_temp.prompt('[]', 100);

-- The same by a SELECT of the messages.
CREATE TEMP TABLE prompts AS SELECT n, rag_get_prompt(s, 100) AS p FROM imported;
CREATE RULE nothing AS ON UPDATE TO messages WHERE false DO INSTEAD NOTHING;
SELECT count(*) AS differences FROM prompts JOIN imported USING (n) WHERE rag_get_prompt(s, 100) <> p;

DROP EXTENSION rag_events;
