-- Prompts, one a line: of conversations that were imported in OpenAI's form, and in
-- LangChain's; of what the functions stored; with summaries, and at every budget.
CREATE TEMPORARY TABLE given (n integer GENERATED ALWAYS AS IDENTITY, conversation jsonb, session uuid);
INSERT INTO given (conversation) VALUES
  ('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello", "name": "maya"}, {"role": "assistant", "content": "Hi."}]'),
  ('[{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, {"role": "system", "name": "ops", "content": "Cite."}, {"role": "user", "content": "Hello"}]'),
  ('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}, {"id": "b", "type": "custom", "custom": {"name": "code", "input": "1"}}]},
     {"role": "tool", "tool_call_id": "b", "content": "2"}, {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "snow"}]}, {"role": "assistant", "content": "Snow.", "name": "bot"}]'),
  ('[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "function_call": {"name": "weather", "arguments": "{}"}}, {"role": "function", "name": "weather", "content": "snow"}]'),
  ('[{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}, {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, {"type": "file", "file": {"file_id": "f"}}]},
     {"role": "assistant", "content": [{"type": "text", "text": "A dot."}, {"type": "refusal", "refusal": "No more."}], "annotations": [{"type": "url_citation"}]}]'),
  ('[{"role": "user", "content": "Sing"}, {"role": "assistant", "content": null, "audio": {"id": "audio_1", "data": "AAAA", "expires_at": 1, "transcript": "la"}, "refusal": null}, {"role": "assistant", "content": null, "refusal": "No."}]'),
  ('[{"type": "system", "data": {"content": "Be brief."}}, {"type": "human", "data": {"content": ["Look: ", {"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}], "id": "h", "additional_kwargs": {"x": 1}}},
     {"type": "ai", "data": {"content": [{"type": "text", "text": "Looking"}, {"type": "tool_use", "id": "c1", "name": "look", "input": {}}], "tool_calls": [{"name": "look", "args": {"deep": true}, "id": "c1", "type": "tool_call"}]}},
     {"type": "tool", "data": {"content": ["a dot", {"type": "image_url", "image_url": {"url": "u"}}], "tool_call_id": "c1", "name": "look", "status": "success", "artifact": {"x": 1}}}]'),
  -- Metadata that somebody wrote: what is of another form is left out.
  ('[{"role": "user", "content": "q", "metadata": {"content_parts": [1, {"type": 1}, {"type": "text", "text": 1}, {"text": "x"}], "name": 1}},
     {"role": "assistant", "content": "a", "metadata": {"name": "", "tool_calls": [1, {"id": "a"}, {"id": "b", "function": "f"}, {"id": "c", "name": "f", "args": "x"}, {"id": "d", "function": {}}, {"id": "e", "custom": 1}],
       "tool_results": [{"tool_call_id": "a"}, {"tool_call_id": "b"}, {"tool_call_id": "c", "content": {"x": 1}}, {"tool_call_id": "d"}, {"tool_call_id": "e"}], "function_call": "f", "audio": {"id": 1}, "refusal": 1}},
     {"role": "assistant", "content": "", "metadata": {"function_call": {"name": "f"}, "tool_results": [{"name": "f", "content": "x"}], "audio": 1, "refusal": ""}}]');
UPDATE given SET session = rag_import_session(conversation);
SELECT rag_update_session(session, jsonb_build_object('summary', 'A summary.', 'summary_upto_id', (SELECT min(id) FROM messages WHERE session_id = session))) IS NULL FROM given WHERE n % 2 = 0 \g /dev/null
SELECT DISTINCT rag_get_prompt(session, budget) FROM given, unnest('{NULL,0,1,5,20,60,1100,5000}'::int[]) AS budget;
