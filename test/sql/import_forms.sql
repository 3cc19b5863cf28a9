--
-- rag_import_session() and the forms that other programs keep conversations in: what is
-- text for a person becomes the content, what is not known is kept, and what is ours is
-- read strictly.
--
\getenv test_dir PG_ABS_SRCDIR
\i :test_dir/sql/helpers.psql
DROP EXTENSION IF EXISTS rag_events CASCADE;
CREATE EXTENSION rag_events;
\pset null ''
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'UTC';

-- What an import makes of it: the metadata of the session, and its messages.
CREATE FUNCTION pg_temp.import(conversation jsonb) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
DECLARE
  imported uuid := rag_import_session(conversation);
  now timestamp := CURRENT_TIMESTAMP;
BEGIN
  RETURN QUERY SELECT 'session: ' || s.metadata::text FROM sessions s WHERE s.id = imported AND s.metadata IS NOT NULL;
  RETURN QUERY SELECT concat_ws(' | ', m.role, m.content, nullif(m.created_at, now), m.token_count, m.sources, m.metadata) FROM messages m WHERE m.session_id = imported ORDER BY m.id;
END $$;
CREATE FUNCTION pg_temp.try(conversation text, OUT message text) LANGUAGE sql AS $$
  SELECT concat_ws(' ', code, message) FROM pg_temp.diagnose(format('SELECT rag_import_session(%L)', conversation))
$$;

--
-- OpenAI's Responses, and the items of its Agents SDK
--
SELECT pg_temp.import('[
  {"role": "developer", "content": "Be brief."},
  {"role": "user", "content": [{"type": "input_text", "text": "6*7?"}, {"type": "input_image", "image_url": "http://example.com/a.png"}], "type": "message"},
  {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Multiply."}]},
  {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "mul", "arguments": "{\"a\": 6}"},
  {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "log", "arguments": "{}"},
  {"type": "function_call_output", "call_id": "c2", "output": "logged"},
  {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "42"}]},
  {"type": "web_search_call", "id": "ws_1", "status": "completed", "a_field_of_tomorrow": 1},
  {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "It is ", "annotations": []}, {"type": "output_text", "text": "42."}]},
  {"type": "message", "id": "msg_2", "role": "assistant", "content": [{"type": "refusal", "refusal": "No more."}]}]');
-- The Agents SDK in JavaScript; and a call whose result is all there is.
SELECT pg_temp.import('[{"type": "message", "role": "user", "content": "hi"}, {"type": "function_call", "callId": "c1", "name": "f", "status": "completed", "arguments": "{}"},
  {"type": "function_call_result", "callId": "c1", "name": "f", "status": "completed", "output": {"type": "text", "text": "done"}}, {"type": "hosted_tool_call", "id": "h1", "name": "search"}]');
SELECT pg_temp.import('{"items": [{"type": "function_call_output", "call_id": "c9", "output": "alone"}], "instructions": "Be kind."}');

-- What has a text and no role is no item: nobody knows who said it.
SELECT pg_temp.try('[{"id": "1", "type": "TextMessage", "source": "user", "content": "2+2?"}, {"id": "2", "type": "TextMessage", "source": "bot", "content": "4"}]');

--
-- Fields of providers, and provider options in every role
--
SELECT pg_temp.import('[
  {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}], "cache_control": {"type": "ephemeral"}},
  {"role": "user", "content": [{"type": "text", "text": "2+2?", "cache_control": {"type": "ephemeral"}}]},
  {"role": "assistant", "content": "4", "reasoning": "sum", "reasoning_content": "add", "reasoning_details": [{"type": "reasoning.text", "text": "sum"}],
   "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}], "a_field_of_tomorrow": false, "nothing": null},
  {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "r", "cache_control": {"type": "ephemeral"}}], "providerOptions": {"x": 1}}]');
-- Files for fine-tuning
SELECT pg_temp.import('{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x", "weight": 0}], "tools": [{"type": "function"}], "parallel_tool_calls": false}');
-- OpenAI's threads, and a chat without types
SELECT pg_temp.import('[{"id": "msg_1", "object": "thread.message", "created_at": 1700000000, "role": "user", "content": [{"type": "text", "text": {"value": "hi", "annotations": []}}], "attachments": []}, {"role": "assistant", "content": [{"text": "hello"}, {"image": {"format": "png"}}]}]');
SELECT pg_temp.import('[{"role": "assistant", "content": null, "audio": {"id": "a", "transcript": "la la"}}, {"role": "assistant", "refusal": "No."}]');

-- Times in seconds and in milliseconds
SELECT pg_temp.import('[{"role": "user", "content": "x", "created_at": 1700000000.5}, {"role": "assistant", "content": "y", "created_at": 1700000001500}, {"type": "human", "content": "z", "created_at": 1700000002000}]');

--
-- Anthropic's messages, and the AI SDK's ModelMessage
--
SELECT pg_temp.import('{"model": "m-1", "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}], "messages": [
  {"role": "user", "content": "Weather?"},
  {"role": "assistant", "content": [{"type": "thinking", "thinking": "Look.", "signature": "s"}, {"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}, "cache_control": {"type": "ephemeral"}}]},
  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "snow"}, {"type": "image", "source": {"type": "url"}}], "is_error": false}]},
  {"role": "assistant", "content": [{"type": "text", "text": "Snow."}]},
  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "late"}, {"type": "text", "text": "And here?"}]}]}');
SELECT pg_temp.import('[{"role": "user", "content": [{"type": "text", "text": "hi", "providerOptions": {"x": {"y": 1}}}, {"type": "file", "data": "AAAA", "mediaType": "image/png"}]},
  {"role": "assistant", "content": [{"type": "reasoning", "text": "hm"}, {"type": "tool-call", "toolCallId": "t1", "toolName": "f", "input": {"a": 1}}, {"type": "tool-call", "toolCallId": "t2", "toolName": "g", "input": {}}]},
  {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "t1", "toolName": "f", "output": {"type": "json", "value": {"b": 2}}}, {"type": "tool-result", "toolCallId": "t2", "toolName": "g", "output": {"type": "text", "value": "two"}}]}]');

--
-- The AI SDK's UIMessage
--
SELECT pg_temp.import('{"id": "chat-1", "createdAt": "2026-01-02T03:04:05.000Z", "messages": [
  {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
  {"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}, {"type": "file", "mediaType": "image/png", "url": "data:,"}], "createdAt": 1700000000000},
  {"id": "m2", "role": "assistant", "metadata": {"model": "m-1"}, "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "hm", "state": "done"},
    {"type": "tool-weather", "toolCallId": "t1", "state": "output-available", "input": {"city": "Oslo"}, "output": {"t": -3}},
    {"type": "dynamic-tool", "toolName": "any", "toolCallId": "t2", "state": "output-error", "input": {}, "errorText": "failed"},
    {"type": "tool-later", "toolCallId": "t3", "state": "input-streaming"},
    {"type": "step-start"}, {"type": "text", "text": "Cold", "state": "done"}, {"type": "text", "text": "."}, {"type": "source-url", "sourceId": "1", "url": "http://example.com"}, {"type": "data-x", "data": 1}]},
  {"id": "m3", "role": "assistant", "metadata": {"id": "other"}, "parts": []},
  {"id": "m4", "role": "assistant", "metadata": "a text", "content": "an older form", "created_at": "2026-01-02T03:04:05", "parts": []}]}');

-- Older ones, as Mastra keeps them; and with keys and sources.
SELECT pg_temp.import('[{"role": "assistant", "idempotency_key": "k", "sources": [{"id": "s"}], "content": "b", "parts": [{"type": "tool-invocation", "toolInvocation": {"state": "result", "toolCallId": "t1", "toolName": "f", "args": {"a": 1}, "result": "r"}}]}, {"type": "human", "content": "x", "idempotency_key": "l"}]');
SELECT idempotency_key FROM messages WHERE idempotency_key IS NOT NULL ORDER BY id;
-- Bedrock
SELECT pg_temp.import('[{"role": "assistant", "content": [{"text": "a"}, {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]}, {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "r"}], "status": "success"}}]}]');

--
-- pydantic-ai, LlamaIndex in Python, and Gemini
--
SELECT pg_temp.import('[{"kind": "request", "parts": [{"part_kind": "system-prompt", "content": "Be brief.", "timestamp": "2026-01-01T00:00:00Z"}, {"part_kind": "user-prompt", "content": ["Look: ", {"kind": "image-url", "url": "http://example.com/a.png"}, "here"], "timestamp": "2026-01-01T00:00:00Z"}], "instructions": null},
  {"kind": "response", "parts": [{"part_kind": "thinking", "content": "hm"}, {"part_kind": "tool-call", "tool_name": "f", "args": {"a": 1}, "tool_call_id": "c1"}], "usage": {"input_tokens": 5, "output_tokens": 7}, "model_name": "m-1", "timestamp": "2026-01-01T00:00:01Z"},
  {"kind": "request", "parts": [{"part_kind": "tool-return", "tool_name": "f", "content": {"b": 2}, "tool_call_id": "c1", "timestamp": "2026-01-01T00:00:02Z"}]},
  {"kind": "response", "parts": [{"part_kind": "text", "content": "done"}], "timestamp": "2026-01-01T00:00:03Z"}]');
SELECT pg_temp.import('[{"role": "user", "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": "hi"}]}, {"role": "assistant", "additional_kwargs": {"x": 1}, "blocks": [{"block_type": "text", "text": "hel"}, {"block_type": "text", "text": "lo"}]}]');
SELECT pg_temp.import('[{"role": "assistant", "additional_kwargs": {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, "blocks": []}, {"role": "tool", "additional_kwargs": {"name": "f", "tool_call_id": "c1"}, "blocks": [{"block_type": "text", "text": "42"}]},
  {"role": "assistant", "additional_kwargs": {}, "blocks": [{"block_type": "tool_call", "tool_call_id": "c2", "tool_name": "g", "tool_kwargs": {"a": 1}}]}, {"role": "tool", "additional_kwargs": {"tool_call_id": "c2"}, "blocks": [{"block_type": "text", "text": "43"}]}]');
SELECT pg_temp.import('[{"role": "memory", "content": "Be brief.", "options": {}}, {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "options": {"toolCall": [{"name": "weather", "input": {"city": "Oslo"}, "id": "c1"}]}},
  {"role": "user", "content": "snow", "options": {"toolResult": {"id": "c1", "result": {"sky": "snow"}, "isError": false}}}, {"role": "assistant", "content": [{"type": "text", "text": "Snow."}], "options": {"x": 1}}]');
SELECT pg_temp.import('{"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "hello"}]}]}');
-- A thought is no answer.
SELECT pg_temp.import('[{"role": "user", "parts": [{"text": "hi", "thought": null}]}, {"role": "model", "parts": [{"text": "Greet back.", "thought": true}, {"text": "hello", "thought": false}]}]');
-- Gemini's calls are mostly known by the name of the function alone. A message with results only is none.
SELECT pg_temp.import('[{"role": "user", "parts": [{"text": "Weather?"}]}, {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "s"}, {"functionCall": {"id": "c1", "name": "clock", "args": {}}}]},
  {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "snow"}}}, {"functionResponse": {"id": "c1", "name": "clock", "response": {"hour": 9}, "scheduling": "SILENT"}}]}, {"role": "model", "parts": [{"text": "Snow."}]}]');
SELECT pg_temp.import('[{"role": "model", "parts": [{"text": null, "function_call": {"id": null, "name": "f", "args": {"a": 1}}}]}, {"role": "function", "parts": [{"text": null, "function_response": {"id": null, "name": "f", "response": {"b": 2}}}]}]');

--
-- Calls without arguments, and results that say nothing: they are there, but in a user interface they may still come
--
SELECT pg_temp.import('[{"role": "user", "content": "x"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "tool-call", "toolCallId": "t2", "toolName": "g"}]},
  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]}, {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "t2", "toolName": "g", "result": null}]}]');
SELECT pg_temp.import('[{"kind": "response", "parts": [{"part_kind": "tool-call", "tool_name": "f", "args": null, "tool_call_id": "c1"}]}, {"kind": "request", "parts": [{"part_kind": "tool-return", "tool_name": "f", "content": null, "tool_call_id": "c1"}]}]');
SELECT rag_import_session('[{"role": "assistant", "parts": [{"type": "tool-f", "toolCallId": "t1", "state": "output-available", "input": {}}, {"type": "dynamic-tool", "toolName": "g", "toolCallId": "t2", "state": "output-available", "output": null},
    {"type": "tool-h", "toolCallId": "t3", "state": "output-error", "rawInput": "{", "errorText": "no JSON"}, {"type": "tool-i", "toolCallId": "t4", "state": "input-available", "input": 1}, {"type": "tool-j", "toolCallId": "t5", "state": "input-streaming"}, {"type": "tool-k", "toolCallId": "t6"},
    {"type": "tool-invocation", "toolInvocation": {"state": "result", "toolCallId": "t7", "toolName": "l", "args": {}}}, {"type": "tool-invocation", "toolInvocation": {"state": "call", "toolCallId": "t8", "toolName": "m", "args": {}}}]}]') AS id \gset
SELECT metadata - 'parts' FROM messages WHERE session_id = :'id';

-- An object that a tool returned is kept whole, though it has a type; one that says what a result is, is not.
SELECT rag_import_session('[{"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "t1", "toolName": "f", "args": {}}, {"type": "tool-call", "toolCallId": "t2", "toolName": "f", "args": {}}, {"type": "tool-call", "toolCallId": "t3", "toolName": "f", "args": {}}]},
  {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "t1", "result": {"type": "temperature", "value": 21, "unit": "C"}}, {"type": "tool-result", "toolCallId": "t2", "result": {"type": "article", "text": "short", "url": "u"}}, {"type": "tool-result", "toolCallId": "t3", "output": {"type": "error-text", "value": "no"}}]}]') AS id \gset
SELECT jsonb_path_query_array(metadata, '$.tool_results[*].content') FROM messages WHERE session_id = :'id';

--
-- LangChain's: a field that is not known is kept
--
SELECT pg_temp.import('[{"type": "human", "data": {"content": "hi", "a_field_of_tomorrow": [1]}}, {"type": "ai", "data": {"content": [{"type": "text", "text": "a"}, {"type": "reasoning", "reasoning": "hm"}], "sources": 1}}]');

-- As it kept calls before it had a field for them
SELECT pg_temp.import('[{"type": "ai", "data": {"content": "", "additional_kwargs": {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}}, {"type": "tool", "data": {"content": "r", "tool_call_id": "c1"}}]');

--
-- ShareGPT
--
SELECT pg_temp.import('{"id": "x", "system": "Be brief.", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello", "weight": 1}, {"from": "tool", "value": "42"}]}');
SELECT pg_temp.import('[{"from": "system", "value": "Be brief."}, {"from": "user", "value": "hi"}]');

--
-- ChatGPT's export: a tree. What an assistant does before it answers, and other answers.
--
\set chatgpt '{"title": "T", "create_time": 1700000000.5, "update_time": 1700000009, "conversation_id": "00000000-0000-4000-8000-0000000000cc", "is_archived": false, "current_node": "a2", "mapping": {"r": {"id": "r", "message": null, "parent": null, "children": ["s"]}, "s": {"id": "s", "parent": "r", "children": ["c"], "message": {"id": "s", "author": {"role": "system"}, "content": {"content_type": "text", "parts": [""]}}}, "c": {"id": "c", "parent": "s", "children": ["q"], "message": {"id": "c", "author": {"role": "user"}, "content": {"content_type": "user_editable_context", "user_profile": "I am Ada.", "user_instructions": "Be brief."}}}, "q": {"id": "q", "parent": "c", "children": ["t1", "t2"], "message": {"id": "q", "author": {"role": "user"}, "create_time": 1700000001, "content": {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer", "asset_pointer": "file-service://1"}, "What is it?"]}}}, "t1": {"id": "t1", "parent": "q", "children": ["a1"], "message": {"id": "t1", "author": {"role": "assistant"}, "content": {"content_type": "thoughts", "thoughts": [{"summary": "x", "content": "y"}]}, "recipient": "all"}}, "a1": {"id": "a1", "parent": "t1", "children": [], "message": {"id": "a1", "author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["A cat."]}}}, "t2": {"id": "t2", "parent": "q", "children": ["k"], "message": {"id": "t2", "author": {"role": "assistant"}, "create_time": 1700000002, "content": {"content_type": "code", "language": "unknown", "text": "look()"}, "recipient": "python"}}, "k": {"id": "k", "parent": "t2", "children": ["a2"], "message": {"id": "k", "author": {"role": "tool", "name": "python"}, "create_time": 1700000003, "content": {"content_type": "execution_output", "text": "dog"}}}, "a2": {"id": "a2", "parent": "k", "children": [], "message": {"id": "a2", "author": {"role": "assistant"}, "create_time": 1700000004, "content": {"content_type": "text", "parts": ["A dog."]}, "status": "finished_successfully", "end_turn": true, "weight": 1.0, "recipient": "all", "metadata": {"model_slug": "m-1"}}}}}'
SELECT pg_temp.import(:'chatgpt');
SELECT created_at, updated_at FROM sessions WHERE metadata ->> 'title' = 'T';
-- Another leaf; and without one, the newest.
SELECT pg_temp.import(:'chatgpt'::jsonb || '{"current_node": "a1"}');
SELECT (SELECT array_agg(i) FROM pg_temp.import(:'chatgpt'::jsonb - 'current_node') AS i) = (SELECT array_agg(i) FROM pg_temp.import(:'chatgpt') AS i) AS same;
-- With its id, once.
SELECT rag_import_session(:'chatgpt', keep_id => true);
SELECT code, message FROM pg_temp.diagnose(format('SELECT rag_import_session(%L, keep_id => true)', :'chatgpt'));

--
-- Claude's export, and Open WebUI's
--
SELECT pg_temp.import('{"uuid": "00000000-0000-4000-8000-0000000000dd", "name": "T", "created_at": "2026-01-01T00:00:00.5Z", "updated_at": "2026-01-02T00:00:00Z", "account": {"uuid": "a"}, "chat_messages": [
  {"uuid": "1", "sender": "human", "text": "hi", "content": [{"type": "text", "text": "hi", "start_timestamp": "2026-01-01T00:00:00Z", "citations": []}], "created_at": "2026-01-01T00:00:00Z", "attachments": [{"file_name": "a.txt", "extracted_content": "x"}], "files": []},
  {"uuid": "2", "sender": "assistant", "text": "This block is not supported.", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": null, "name": "f", "input": {}}, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "tool_result", "tool_use_id": "t1", "name": "f", "content": "r"}, {"type": "text", "text": "hello"}]},
  {"uuid": "3", "sender": "human", "text": "again", "content": []}]}');
SELECT user_id, created_at, updated_at FROM sessions WHERE metadata ->> 'uuid' IS NOT NULL;
SELECT pg_temp.import('{"id": "00000000-0000-4000-8000-0000000000ee", "user_id": "u-1", "title": "T", "created_at": 1700000000, "updated_at": 1700000009, "archived": false, "pinned": true, "share_id": null, "chat": {"title": "T", "models": ["m-1"], "timestamp": 1700000000000, "messages": [{"role": "user", "content": "of the list"}],
  "history": {"currentId": "3", "messages": {"1": {"id": "1", "parentId": null, "childrenIds": ["2", "3"], "role": "user", "content": "hi", "timestamp": 1700000001, "models": ["m-1"]},
    "2": {"id": "2", "parentId": "1", "childrenIds": [], "role": "assistant", "content": "first", "timestamp": 1700000002}, "3": {"id": "3", "parentId": "1", "childrenIds": [], "role": "assistant", "content": "second", "model": "m-1", "done": true, "timestamp": 1700000003, "sources": [{"source": {"name": "a.pdf"}}]}}}}}');
SELECT user_id, created_at, updated_at FROM sessions WHERE user_id = 'u-1';
SELECT pg_temp.import('{"chat": {"messages": [{"role": "user", "content": "of the list"}]}}');
SELECT pg_temp.import('{"id": "00000000-0000-4000-8000-0000000000ef", "chat": {"id": "", "messages": []}}');

--
-- A file of many conversations: the error says how to split it
--
\pset format aligned
\pset tuples_only off
SELECT * FROM pg_temp.error(format('SELECT rag_import_session(%L)', jsonb_build_array(:'chatgpt'::jsonb, :'chatgpt'::jsonb)));
SELECT * FROM pg_temp.error($$SELECT rag_import_session('{"conversations": [{"uuid": "x", "chat_messages": []}]}')$$);
\pset format unaligned
\pset tuples_only on
SELECT conversation, pg_temp.try(conversation) FROM (VALUES (1, '[{"messages": []}]'), (2, '[{"conversations": [{"from": "human", "value": "x"}]}]'), (3, '[{"chat": {}}]'), (4, '[[{"role": "user", "content": "x"}]]'),
  (5, '{"messages": [[{"role": "user", "content": "x"}]]}'), (6, '[{"mapping": {}}]')) AS v (n, conversation) ORDER BY n;
-- Followed to the letter, it works.
SELECT replace(substring(hint FROM 'SELECT [^,]*'), 'document', quote_literal('[{"messages": []}, {"messages": [{"role": "user", "content": "second"}]}]') || '::jsonb') AS statement
FROM pg_temp.diagnose($$SELECT rag_import_session('[{"messages": []}]')$$) \gset
SELECT count(*) FROM (:statement) AS s;
SELECT content FROM messages WHERE content = 'second';

--
-- Our own form is strict
--
SELECT conversation, pg_temp.try(conversation) FROM (VALUES
  (1, '{"session_id": "00000000-0000-4000-8000-000000000001", "messages": [], "mood": 1}'), (2, '{"user_id": "u", "messages": [{"role": "user", "content": "x", "mood": 1}]}'), (3, '[{"role": "user", "content": "x", "top_k": 1, "mood": 1}]'),
  (4, '[{"role": "user", "content": "x", "souces": [1]}]'), (5, '[{"role": "user", "content": "x", "source": {"a": 1}}]'), (6, '[{"role": "user", "content": "x", "latency_sm": 1}]'), (7, '[{"role": "user", "content": "x", "Metadata": {}}]'),
  (8, '[{"role": "user", "content": "x", "query_tpye": "x"}]'), (9, '{"messages": [], "session-id": "x"}'), (10, '{"messages": [], "meta_data": {}}'), (11, '{"mesages": []}'), (12, '[{"role": "user", "contnet": "x"}]'), (13, '[{"Role": "user", "content": "x"}]'),
  (14, '[{"role": "tool", "content": "x", "top_k": 1}]'), (15, '[{"role": "system", "content": "x", "sources": []}]')) AS v (n, conversation) ORDER BY n;
-- The content by another name, where there is none: text does not get lost. The hint is the name that is near, or missing.
SELECT line, concat_ws(' ', code, d.message, hint) AS error FROM (VALUES
  (1, '{"role": "user", "contents": "x"}'), (2, '{"role": "user", "conten": "x"}'), (3, '{"role": "user", "Content": "x"}'), (4, '{"role": "user", "contnet": [{"type": "text", "text": "x"}]}'), (5, '{"role": "user", "text": "x"}'), (6, '{"role": "user", "message": "x", "a": 1}'),
  (7, '{"role": "assistant", "contents": "x", "tool_calls": [{"id": "c"}]}'), (8, '{"role": "system", "contents": "x"}'), (9, '{"role": "system", "text": "x"}'), (10, '{"role": "tool", "tool_call_id": "c", "contents": "x"}'), (11, '{"role": "user", "context": "x"}'), (12, '{"role": "user", "content": "x", "soucres": []}'), (13, '{"role": "user", "contents": "x", "top_k": 1}'),
  (14, '{"role": "user", "text": 1}'), (15, '{"role": "user", "content": null, "text": "x"}'), (16, '{"role": "user"}'), (17, '{"role": "user", "name": "x"}')) AS v (n, line),
  pg_temp.diagnose(format('SELECT rag_import_session(''[%s]'')', line)) AS d ORDER BY n;
SELECT pg_temp.try('{"messages": [{"role": "user", "content": "x"}, {"role": "user", "contents": "x"}]}');
-- The other way in.
SELECT line, concat_ws(' ', code, d.message, hint) AS error FROM (VALUES
  (1, '{"role": "user", "contents": "x"}'), (2, '{"role": "user", "Content": "x"}'), (3, '{"role": "user", "text": "x"}'), (4, '{"role": "user", "content": "x", "topk": 1}'), (5, '{"role": "user", "content": "x", "mood": 1}'), (6, '{"rol": "user", "content": "x"}')) AS v (n, line),
  pg_temp.diagnose(format('SELECT rag_add_messages(%L, ''[%s]'')', (SELECT max(id::text) FROM sessions), line)) AS d ORDER BY n;
-- Other programs have fields that are called nearly so, beside a content or what stands for it.
SELECT pg_temp.import('[{"role": "user", "content": "x", "contents": "y"}, {"role": "assistant", "context": "y", "tool_calls": [{"id": "c"}]}, {"role": "tool", "tool_call_id": "c", "context": "y", "text": "z"}, {"type": "ai", "data": {"content": "", "contents": "y"}}]');
-- What only sounds like it, is not.
SELECT conversation, pg_temp.try(conversation) FROM (VALUES (1, '[{"role": "user", "content": "x", "source": "web", "context": ["y"], "top_p": 1}]'), (2, '{"messages": [], "source": [1], "message_count": 1}')) AS v (n, conversation) ORDER BY n;

--
-- Hostile and broken documents: an error that says where, or nothing is lost
--
SELECT conversation, pg_temp.try(conversation) FROM (VALUES
  (1, '{"mapping": {}}'), (2, '{"mapping": {"a": {"parent": "b", "children": ["b"]}, "b": {"parent": "a", "children": ["a"]}}}'), (3, '{"mapping": {"a": {"parent": "b", "children": ["b"]}, "b": {"parent": "a", "children": ["a"]}}, "current_node": "a"}'),
  (4, '{"mapping": {"r": {"parent": null, "children": ["a"]}, "a": {"parent": "r", "children": ["r"]}}}'), (5, '{"mapping": {"a": {"parent": "a", "children": ["a"]}}, "current_node": "a"}'), (6, '{"mapping": {"r": {}}, "current_node": "x"}'),
  (7, '{"mapping": {"r": {}}, "current_node": 1}'), (8, '{"mapping": {"r": null, "s": 1, "t": [], "": {"parent": 1, "children": [null, 1, "x", {}]}}}'), (9, '{"mapping": []}'), (10, '{"mapping": {"a": {"message": {"author": {}, "content": {}}}}}'),
  (11, '{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": 1}}}}}'), (12, '{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": [1]}}}}}'), (13, '{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": [null, ""]}, "create_time": 1e300}}}}'),
  (14, '{"mapping": {"a": {"message": {"author": {"role": "robot"}, "content": ""}}}}'), (15, '{"mapping": {"a": {"message": {"author": "user", "content": "", "create_time": "soon"}}}}'), (16, '{"mapping": {"a": {"parent": "gone", "message": {"author": {"role": "tool"}, "content": "x"}}}}'),
  (17, '{"chat_messages": null}'), (18, '{"chat_messages": [null]}'), (19, '{"chat_messages": [{"sender": null}]}'), (20, '{"chat_messages": [{"sender": "robot", "text": "x"}]}'), (21, '{"chat_messages": [{"sender": "human"}]}'), (22, '{"chat_messages": [], "created_at": {}}'),
  (23, '{"chat": {}}'), (24, '{"chat": {"history": {}}}'), (25, '{"chat": {"history": {"messages": {"a": {"parentId": null}}, "currentId": null}}}'), (26, '{"chat": {"chat": {"chat": {"messages": []}}}}'), (27, '{"chat": {"history": 1, "messages": []}}'),
  (28, '[{"from": "human", "value": null}]'), (29, '[{"from": 1, "value": "x"}]'), (30, '[{"from": "robot", "value": "x"}]'), (31, '[{"from": "human", "value": 1}]'), (32, '{"conversations": {}}'),
  (33, '[{"role": "user", "parts": null}]'), (34, '[{"role": "user", "parts": "x"}]'), (35, '[{"role": "robot", "parts": []}]'), (36, '[{"role": "user", "parts": [1]}]'), (37, '[{"role": "user", "parts": [{"type": "tool-x", "toolCallId": 1, "input": null}, {"type": "tool-", "toolCallId": "a", "input": 1}]}]'),
  (38, '[{"kind": "request", "parts": []}]'), (39, '[{"kind": "robot", "parts": []}]'), (40, '[{"kind": "request", "parts": [{"part_kind": "tool-return", "tool_call_id": "c", "content": null}]}]'), (41, '[{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": 1}, {"part_kind": "system-prompt", "content": {}}]}]'),
  (42, '[{"type": "message", "role": "user", "content": 1}]'), (43, '[{"type": "reasoning", "id": 1}]'), (44, '[{"type": "reasoning", "id": "r"}]'), (45, '[{"type": "function_call", "call_id": "c", "arguments": {}}]'),
  (46, '[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]}]'), (47, '[{"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c", "output": 1}]}]'),
  (48, '{"messages": [], "system": 1}'), (49, '{"messages": [{"role": "system", "content": "x"}], "system": "y", "metadata": 1}'), (50, '{"messages": [], "title": "x", "metadata": []}'), (51, '{"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]}'),
  (52, '{"messages": [{"sender": "human", "text": "x", "created_at": 253402300800000}]}'), (53, '{"messages": [{"sender": "human", "text": "x", "created_at": -1e11}]}')) AS v (n, conversation) ORDER BY n;
-- A lone surrogate is no text: PostgreSQL's jsonb refuses it.
SELECT pg_temp.try('{"mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": ["\ud800"]}}}}}');
-- Deep, long and wide
SELECT pg_temp.try('[{"role": "user", "content": ' || repeat('[', 4000) || repeat(']', 4000) || '}]');
SELECT pg_temp.try('[{"role": "user", "parts": [{"type": "x", "data": ' || repeat('[', 4000) || repeat(']', 4000) || '}]}]');
SELECT left(pg_temp.try('[{"kind": "request", "parts": ' || repeat('[{"part_kind": "user-prompt", "content": ', 100000) || '"x"' || repeat('}]', 100000) || '}]'), 50);
CREATE TEMPORARY TABLE deep AS SELECT ('[{"kind": "request", "parts": ' || repeat('[{"part_kind": "user-prompt", "content": ', 2000) || '"x"' || repeat('}]', 2000) || '}]')::jsonb AS conversation;
SET max_stack_depth = 200;
SELECT code, message FROM pg_temp.diagnose('SELECT rag_import_session(conversation) FROM deep');
RESET max_stack_depth;
SELECT rag_import_session((
  SELECT jsonb_build_object('mapping', jsonb_object_agg('n' || i, jsonb_build_object('parent', 'n' || (i - 1), 'children', jsonb_build_array('n' || (i + 1), 'o' || i),
    'message', jsonb_build_object('author', '{"role": "user"}'::jsonb, 'content', jsonb_build_object('parts', jsonb_build_array(lpad(i::text, 5, '0'))))))) FROM generate_series(1, 3000) AS i)) AS id \gset
SELECT count(*), min(content), max(content) FROM messages WHERE session_id = :'id';
SELECT rag_import_session((
  SELECT jsonb_build_object('current_node', 'n1', 'mapping', jsonb_object_agg('n' || i, jsonb_build_object('parent', 'r', 'message', '{"author": {"role": "assistant"}, "content": "x"}'::jsonb)) ||
    jsonb_build_object('r', jsonb_build_object('children', jsonb_agg('n' || i)))) FROM generate_series(1, 3000) AS i)) AS id \gset
SELECT jsonb_array_length(metadata -> 'variants') FROM messages WHERE session_id = :'id';

--
-- What comes out again
--
-- For a model: texts whatever their blocks were called, calls with their results.
SELECT rag_import_session('[{"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "image", "source": {}}, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "file", "data": "AAAA"}]}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}, {"type": "output_text", "text": "b"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]},
  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}]}]') AS id \gset
SELECT jsonb_array_elements(rag_get_prompt(:'id', NULL));
SELECT rag_import_session('[{"id": "1", "role": "user", "parts": [{"type": "text", "text": "a"}]}, {"id": "2", "role": "assistant", "parts": [{"type": "tool-f", "toolCallId": "t", "input": {"x": 1}, "output": "r"}, {"type": "text", "text": "b"}]}]') AS id \gset
SELECT jsonb_array_elements(rag_get_prompt(:'id', NULL));
SELECT rag_import_session('[{"role": "user", "content": "6*7?"}, {"type": "function_call", "call_id": "c1", "name": "mul", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c1", "output": "42"}, {"role": "assistant", "content": "42"}]') AS id \gset
SELECT jsonb_array_elements(rag_get_prompt(:'id', NULL));

DROP EXTENSION rag_events;
