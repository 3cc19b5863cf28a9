-- Random calls, each made of the extension and of its model: same result or SQLSTATE, and
-- the same rows in the tables afterwards.

-- ---------------------------------------------------------------------------
-- Values. After setseed(), random() gives the same ones again.
-- ---------------------------------------------------------------------------

-- One of so many cases, in percent.
CREATE FUNCTION model.chance(percent float8) RETURNS bool LANGUAGE sql VOLATILE AS $$SELECT random() * 100 < percent$$;

CREATE FUNCTION model.one_of(VARIADIC list text[]) RETURNS text LANGUAGE sql VOLATILE AS
$$SELECT list[1 + floor(random() * cardinality(list))::int]$$;

-- A letter that each encoding has in its own way (in SQL_ASCII, a byte), and in UTF-8
-- one of four bytes.
CREATE FUNCTION model.letter() RETURNS text LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN getdatabaseencoding() = 'UTF8' AND model.chance(50) THEN chr(128512 + floor(random() * 50)::int) ELSE chr(233) END$$;

CREATE FUNCTION model.text_value() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT CASE floor(random() * 10)
  WHEN 0 THEN ''
  WHEN 1 THEN 'it''s "quoted" \ $1 %s {} -- '
  WHEN 2 THEN E'tab\t line\n return\r bell\a'
  WHEN 3 THEN repeat(model.letter(), 1 + floor(random() * 300)::int)
  WHEN 4 THEN repeat(md5(random()::text), 1 + floor(random() * 4)::int)
  WHEN 5 THEN CASE WHEN model.chance(10) THEN (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 400)) ELSE ' ' END
  WHEN 6 THEN CASE WHEN model.chance(10) THEN repeat('long ', 5000) ELSE '0' END
  ELSE 'word ' || floor(random() * 10) END
$$;

CREATE FUNCTION model.user_value() RETURNS text LANGUAGE sql VOLATILE AS
$$SELECT model.one_of('ann', 'ann', 'bob', 'eve', '', 'O''Brien "x" \', repeat('long', 100), 'Ann ' || chr(233))$$;

CREATE FUNCTION model.role_value() RETURNS text LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN model.chance(95) THEN model.one_of('user', 'assistant') ELSE model.one_of('User', 'user ', '', 'bot', 'system', repeat(model.letter(), 100)) END$$;

CREATE FUNCTION model.int_value() RETURNS int LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN model.chance(85) THEN floor(random() * 60)::int ELSE model.one_of('-1', '-2147483648', '2147483647')::int END$$;

CREATE FUNCTION model.float_value() RETURNS float8 LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN model.chance(80) THEN random() * 5000 ELSE model.one_of('-1', 'NaN', 'Infinity', '-Infinity', '0', '-0', '1e308', '5e-324')::float8 END$$;

CREATE FUNCTION model.key_value() RETURNS text LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN model.chance(90) THEN 'key ' || floor(random() * 6) ELSE model.one_of('', repeat('k', 255), repeat('k', 256), repeat(chr(233), 127), repeat(chr(233), 128), repeat(chr(233), 256)) END$$;

CREATE FUNCTION model.object_value() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT coalesce(jsonb_object_agg(model.one_of('title', 'a', 'b', '', 'key ' || chr(233), 'summary', 'summary_upto_id', 'summary_upto_id'),
  model.one_of('null', floor(random() * 4000)::text, '1', '-1.50', 'true', '"text"', '[]', '{"a": null}', '[[1, "' || chr(233) || '"]]', to_json(repeat('x', 3000))::text)::jsonb), '{}')
FROM generate_series(1, floor(random() * 4)::int)
$$;

CREATE FUNCTION model.json_value() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT CASE WHEN model.chance(60) THEN model.object_value()
  ELSE model.one_of('null', '[]', '1e300', '"text"', 'false', '[{"document_id": "d", "score": 0.91}, null]', repeat('[', 50) || repeat(']', 50))::jsonb END
$$;

CREATE FUNCTION model.time_value() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
SELECT model.one_of('0', '1711846800.25', '-1', '1e9', '1e20', '"2024-03-31 02:30:00"', '"2024-10-27T02:30:00+01"', '"2024-10-27T00:30:00Z"',
  '"2024-02-29"', '"2023-02-29"', '"infinity"', '"yesterday"', '""', '"x"', 'true', '"1999-12-31 23:59:59.9999999"', '"4713-01-01 00:00:00 BC"')::jsonb
$$;

-- Words of the texts above, some of them of a message's end, and quotes.
CREATE FUNCTION model.query_value() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT model.one_of('WORD', 'word 3', '"word 3"', '3 word', 'long', '"long long" LONG', '0', '"quoted" it''s', '%s', '\ $1', E'line\treturn', chr(233), repeat(chr(233), 3), model.letter(), 'text', 'x',
  md5(random()::text), substr(md5(random()::text), 1, 2), '"', '', '  ', '"" ""', 'a"b', '"a" b', '_ %', repeat('x', 1000))
$$;

-- What a filter may be, and what is kept.
CREATE FUNCTION model.filter_value() RETURNS jsonb LANGUAGE sql VOLATILE AS
$$SELECT CASE WHEN model.chance(80) THEN model.one_of('{"a": null}', '{"b": true}', '{"title": "text"}', '{"title": null, "b": null}', '{}', '[]', '[{"a": 1}, {"b": []}]')::jsonb ELSE model.json_value() END$$;

-- A message as JSON, once in a while a bad one.
CREATE FUNCTION model.element() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE e jsonb := jsonb_build_object('role', model.role_value(), 'content', model.text_value());
BEGIN
  IF model.chance(30) THEN e := e || jsonb_build_object('sources', model.json_value()); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('latency_ms', floor(random() * 1000) - 50); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('top_k', floor(random() * 9)); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('token_count', floor(random() * 99)); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('metadata', model.object_value()); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('query_type', model.text_value()); END IF;
  IF model.chance(20) THEN e := e || jsonb_build_object('idempotency_key', model.key_value()); END IF;
  IF model.chance(15) THEN e := e || jsonb_build_object('created_at', model.time_value()); END IF;
  IF model.chance(4) THEN
    e := e || jsonb_build_object(model.one_of('role', 'content', 'sources', 'latency_ms', 'top_k', 'query_type', 'token_count', 'metadata', 'idempotency_key', 'created_at', 'id', 'Role', repeat(model.letter(), 40)),
      model.one_of('null', '1', '-1', '1.5', '7.0', '1e400', '-1e400', '4294967296', '"x"', 'true', '[]', '{}')::jsonb);
  END IF;
  IF model.chance(1) THEN RETURN model.json_value(); END IF;
  IF model.chance(1) THEN RETURN e - model.one_of('role', 'content'); END IF;
  RETURN e;
END$$;

CREATE FUNCTION model.messages_value() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE list jsonb := '[]';
BEGIN
  FOR i IN 1 .. floor(random() * 6)::int LOOP
    list := list || jsonb_build_array(model.element());
  END LOOP;
  IF model.chance(5) THEN RETURN model.json_value(); END IF;
  IF model.chance(10) THEN RETURN jsonb_build_object('messages', list); END IF;
  IF model.chance(2) THEN RETURN jsonb_build_object('messages', list, 'more', 1); END IF;
  IF model.chance(2) THEN RETURN jsonb_build_object('messages', model.json_value()); END IF;
  RETURN list;
END$$;

-- Conversations of this session and others, some of them given twice.
CREATE FUNCTION model.conversations_value(session_id uuid) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  list jsonb := '[]';
  messages jsonb;
  place int;
  e jsonb;
BEGIN
  FOR i IN 1 .. floor(random() * 5)::int LOOP
    IF model.chance(60) THEN
      place := floor(random() * (SELECT count(*) FROM model.sessions))::int;
      session_id := coalesce((SELECT s.id FROM model.sessions s ORDER BY s.created_at, s.id OFFSET place LIMIT 1), session_id);
    ELSIF model.chance(30) THEN
      session_id := lpad(floor(random() * 8)::text, 32, '0')::uuid;
    END IF;
    messages := '[]';
    FOR j IN 1 .. floor(random() * 3)::int LOOP
      messages := messages || jsonb_build_array(model.element());
    END LOOP;
    e := jsonb_build_object('session_id', session_id, 'messages', messages);
    IF model.chance(40) THEN
      e := e || jsonb_build_object('user_id', CASE WHEN model.chance(80) THEN (SELECT s.user_id FROM model.sessions s WHERE s.id = session_id) ELSE model.user_value() END);
    END IF;
    IF model.chance(70) THEN e := e || jsonb_build_object('create_session', model.chance(90)); END IF;
    IF model.chance(2) THEN
      e := e || jsonb_build_object(model.one_of('session_id', 'messages', 'user_id', 'create_session', 'metadata', repeat(model.letter(), 40)), model.one_of('null', '1', '"x"', 'true', '[]', '{}')::jsonb);
    END IF;
    IF model.chance(1) THEN e := e - model.one_of('session_id', 'messages'); END IF;
    list := list || jsonb_build_array(CASE WHEN model.chance(99) THEN e ELSE model.json_value() END);
  END LOOP;
  IF model.chance(3) THEN RETURN model.json_value(); END IF;
  IF model.chance(10) THEN RETURN jsonb_build_object('conversations', list); END IF;
  IF model.chance(1) THEN RETURN jsonb_build_object('conversations', list, 'more', 1); END IF;
  RETURN list;
END$$;

-- One that import takes for a message of the extension's own form, or refuses.
CREATE FUNCTION model.element_to_import() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE e jsonb;
BEGIN
  LOOP
    e := model.element();
    EXIT WHEN NOT coalesce(e ->> 'role' = 'system', false)
      AND coalesce(jsonb_typeof(e -> 'content') IN ('string', 'null'), true) AND coalesce(jsonb_typeof(e -> 'id') <> 'string', true);
  END LOOP;
  RETURN e;
END$$;

-- A document: mostly one that was exported, once in a while with something else in it.
CREATE FUNCTION model.conversation_value(session_id uuid) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  doc jsonb;
  list jsonb := '[]';
BEGIN
  IF model.has_session(session_id, NULL) AND model.chance(70) THEN
    doc := model.rag_export_session(session_id);
  ELSE
    FOR i IN 1 .. floor(random() * 6)::int LOOP
      list := list || jsonb_build_array(model.element_to_import());
    END LOOP;
    IF model.chance(50) THEN
      RETURN list;
    END IF;
    doc := jsonb_build_object('messages', list, 'metadata', model.json_value(), 'created_at', model.time_value());
  END IF;
  IF model.chance(40) THEN
    doc := doc || jsonb_build_object('session_id', lpad(floor(random() * 8)::text, 32, '0')::uuid);
  END IF;
  IF model.chance(15) THEN
    doc := doc - model.one_of('session_id', 'user_id', 'created_at', 'updated_at', 'metadata', 'messages');
  END IF;
  IF model.chance(10) THEN
    doc := doc || jsonb_build_object(model.one_of('session_id', 'user_id', 'created_at', 'updated_at', 'metadata', 'messages', 'id'), model.one_of('null', '1', '"x"', '[]', '{}', '[1]')::jsonb);
  END IF;
  IF model.chance(3) THEN
    RETURN model.one_of('null', '1', '"x"')::jsonb;
  END IF;
  RETURN doc;
END$$;

-- ---------------------------------------------------------------------------
-- Calls
-- ---------------------------------------------------------------------------

-- One of the last messages of a session, or of all.
CREATE FUNCTION model.message_of(session_id uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE place int := floor(random() * 8);
BEGIN
  RETURN coalesce((SELECT m.id FROM model.messages m WHERE m.session_id = $1 ORDER BY m.id DESC OFFSET place LIMIT 1), (SELECT max(m.id) - place FROM model.messages m));
END$$;

-- The place of one of the user's sessions in the list.
CREATE FUNCTION model.cursor_among(owner text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE place int := floor(random() * 4);
BEGIN
  RETURN (SELECT model.cursor_of(s.updated_at, s.id) FROM model.sessions s WHERE s.user_id IS NOT DISTINCT FROM owner ORDER BY s.created_at, s.id OFFSET place LIMIT 1);
END$$;

-- The values that fit together in one call: mostly a session that is there, its owner
-- or nobody, and one of its messages.
CREATE FUNCTION model.value_of(name text, session_id uuid, owner text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF model.chance(CASE WHEN name IN ('session_id', 'conversation', 'steps', 'older_than') THEN 8 ELSE 3 END) THEN
    RETURN NULL;
  END IF;
  RETURN CASE
    WHEN name IN ('session_id') THEN session_id::text
    WHEN name = 'user_id' THEN CASE WHEN model.chance(60) THEN owner WHEN model.chance(50) THEN model.user_value() END
    WHEN name = 'role' THEN model.role_value()
    WHEN name IN ('content', 'query_type') THEN model.text_value()
    WHEN name = 'sources' THEN model.json_value()::text
    WHEN name = 'metadata' THEN CASE WHEN model.chance(80) THEN model.object_value() ELSE model.json_value() END::text
    WHEN name = 'messages' THEN model.messages_value()::text
    WHEN name = 'conversations' THEN model.conversations_value(session_id)::text
    WHEN name = 'conversation' THEN model.conversation_value(session_id)::text
    WHEN name = 'latency_ms' THEN model.float_value()::text
    WHEN name = 'idempotency_key' THEN model.key_value()
    WHEN name IN ('before_id', 'after_id', 'message_id', 'from_id', 'upto_id') THEN
      CASE WHEN model.chance(85) THEN model.message_of(session_id)::text
           ELSE model.one_of('0', '-1', '9223372036854775807', '-9223372036854775808', (SELECT max(id)::text FROM model.messages)) END
    WHEN name = 'after_cursor' THEN
      CASE WHEN model.chance(80) THEN model.cursor_among(owner)
           ELSE model.one_of('', 'x', repeat('f', 48), repeat('0', 48), '7' || repeat('f', 47), repeat('F', 48), repeat('1', 47), repeat('1', 49), repeat(chr(233), 48)) END
    WHEN name IN ('if_not_exists', 'create_session', 'include_sources', 'keep_id') THEN model.one_of('true', 'false')
    WHEN name = 'query' THEN model.query_value()
    WHEN name IN ('filter', 'keep') THEN model.filter_value()::text
    WHEN name = 'new_user_id' THEN CASE WHEN model.chance(97) THEN model.user_value() ELSE repeat('u', 2001) END
    WHEN name = 'older_than' THEN model.one_of('1 day', '1 day', '1 year', '00:00:00.05', '0', '-1 day')
    WHEN name = 'dry_run' THEN model.one_of('true', 'false')
    WHEN name = 'score' THEN model.float_value()::text
    WHEN name IN ('label', 'comment') THEN model.text_value()
    WHEN name = 'name' THEN CASE WHEN model.chance(90) THEN model.one_of('user', 'relevance') ELSE model.one_of('', repeat('n', 255), repeat(chr(233), 256)) END
    WHEN name = 'source_no' THEN CASE WHEN model.chance(60) THEN '1' ELSE model.one_of('0', '2', '-1', '2147483647') END
    WHEN name = 'rater' THEN CASE WHEN model.chance(95) THEN model.user_value() ELSE repeat('r', 2001) END
    WHEN name = 'steps' THEN model.one_of('-3', '-2', '-1', '0', '1', '2', '-2147483648', '2147483647')
    ELSE model.int_value()::text END;
END$$;

-- A call as SQL text, without the schema: arguments by position or by name, those with a
-- default left out now and then.
CREATE FUNCTION model.random_call() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  f record;
  session record;
  drawn float8 := random() * (SELECT max(upper) FROM model.functions);
  by_name bool := model.chance(50);
  arguments text[] := '{}';
BEGIN
  SELECT * INTO f FROM model.functions WHERE drawn >= lower AND drawn < upper;
  drawn := floor(random() * (SELECT count(*) FROM model.sessions));
  SELECT id, user_id INTO session FROM model.sessions ORDER BY created_at, id OFFSET drawn::int LIMIT 1;
  IF NOT FOUND OR model.chance(10) THEN
    session.id := lpad(floor(random() * 8)::text, 32, '0')::uuid;
  END IF;
  FOR i IN 1 .. cardinality(f.names) LOOP
    IF i > f.required AND model.chance(35) THEN
      EXIT WHEN NOT by_name;
      CONTINUE;
    END IF;
    -- Which sessions go first does not matter: none do, or all.
    arguments := arguments || CASE WHEN f.name IN ('rag_expire_sessions', 'rag_erase_user') AND f.names[i] = 'max_sessions'
      THEN CASE WHEN by_name THEN f.names[i] || ' => ' ELSE '' END || model.one_of('0', '100', '-1', 'NULL')
      ELSE format('%s%L::%s', CASE WHEN by_name THEN f.names[i] || ' => ' END, model.value_of(f.names[i], session.id, session.user_id), f.types[i]) END;
  END LOOP;
  RETURN format('%s(%s)', f.name, array_to_string(arguments, ', '));
END$$;

-- How often each is called, of what it takes: read from the catalog.
CREATE TABLE model.functions AS
SELECT name, names, types, required, sum(weight) OVER (ORDER BY name) - weight AS lower, sum(weight) OVER (ORDER BY name) AS upper
FROM (VALUES ('rag_create_session', 8), ('rag_add_message', 30), ('rag_add_messages', 14), ('rag_add_conversations', 14), ('rag_get_messages', 8), ('rag_get_messages_after', 6),
             ('rag_get_context', 8), ('rag_list_sessions', 6), ('rag_update_session', 5), ('rag_delete_session', 4), ('rag_update_message', 10),
             ('rag_delete_messages', 8), ('rag_next_version', 3), ('rag_copy_session', 4), ('rag_export_session', 4), ('rag_import_session', 6),
             ('rag_get_session', 4), ('rag_find_sessions', 10), ('rag_get_prompt', 8), ('rag_put_message', 14), ('rag_reassign_sessions', 5), ('rag_expire_sessions', 6), ('rag_erase_user', 5),
             ('rag_set_feedback', 20), ('rag_get_feedback', 6)) AS w (name, weight)
JOIN (SELECT proname::text, proargnames[1:pronargs] AS names, string_to_array(oidvectortypes(proargtypes), ', ') AS types, pronargs - pronargdefaults AS required
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS p ON proname = name
WHERE to_regproc('model.' || name) IS NOT NULL;

-- ---------------------------------------------------------------------------
-- Comparing
-- ---------------------------------------------------------------------------

CREATE TABLE model.outcomes (function text, outcome text, calls int, PRIMARY KEY (function, outcome));
CREATE TABLE model.differences (call text, what text, extension text, model text);

-- The result of a call as text, or its SQLSTATE.
CREATE FUNCTION model.result_of(schema text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT string_agg(r::text, E''\n'') FROM %I.%s AS r', schema, call) INTO result;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN 'SQLSTATE ' || SQLSTATE || CASE WHEN SQLSTATE ~ '^(XX|P0|ZZ|42|0A)' THEN ' ' || SQLERRM ELSE '' END;
END$$;

CREATE FUNCTION model.rows_of(schema text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT concat((SELECT string_agg(s::text, E''\n'' ORDER BY id) FROM %1$I.sessions AS s), E''\n'', (SELECT string_agg(m::text, E''\n'' ORDER BY id) FROM %1$I.messages AS m), E''\n'',
    (SELECT string_agg(f::text, E''\n'' ORDER BY message_id, source_no, name, rater) FROM %1$I.rag_feedback AS f))', schema) INTO result;
  RETURN result;
END$$;

CREATE FUNCTION model.note_difference(call text, what text, extension text, model text) RETURNS void LANGUAGE sql AS
$$INSERT INTO model.differences SELECT $1, $2, $3, $4 WHERE $3 IS DISTINCT FROM $4$$;

CREATE FUNCTION model.compare(call text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text := substring(call FROM '^\w+');
  result text;
  outcome text;
BEGIN
  PERFORM setval('model.next_id', last_value, is_called) FROM public.messages_id_seq;
  result := model.result_of('public', call);
  -- A call that failed gave none.
  PERFORM set_config('model.new_id', CASE WHEN result LIKE 'SQLSTATE %' THEN '00000000-0000-7000-8000-000000000000' ELSE coalesce(result, '') END, true);
  PERFORM model.note_difference(call, 'result', result, model.result_of('model', call));
  PERFORM model.note_difference(call, 'rows', model.rows_of('public'), model.rows_of('model'));
  outcome := CASE WHEN result LIKE 'SQLSTATE %' THEN split_part(result, ' ', 2) ELSE 'ok' END;
  INSERT INTO model.outcomes VALUES (name, outcome, 1) ON CONFLICT ON CONSTRAINT outcomes_pkey DO UPDATE SET calls = model.outcomes.calls + 1;
END$$;

-- So many calls, each in a transaction of its own. One that goes another way ends them.
-- Old sessions go when there are many, so that all rows can be looked at after each call.
CREATE PROCEDURE model.run(seed float8, n int) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM setseed(seed);
  FOR i IN 1 .. n LOOP
    PERFORM model.compare(model.random_call());
    COMMIT;
    EXIT WHEN EXISTS (SELECT FROM model.differences);
    IF (SELECT count(*) > 15 FROM model.sessions) THEN
      PERFORM model.compare(format('rag_delete_session(%L)', id)) FROM (SELECT id FROM model.sessions ORDER BY created_at, id LIMIT 1) AS oldest;
      COMMIT;
    END IF;
  END LOOP;
END$$;
