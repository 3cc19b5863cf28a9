-- What each function should do, said once more in the simplest way: on tables of its own,
-- with no locks, no plans and no shortcuts. Same names, parameters and defaults as the
-- extension's, in the schema "model". Parameters are called by number where a column has
-- the same name.
CREATE SCHEMA model;

CREATE TABLE model.sessions (id uuid PRIMARY KEY, user_id text, created_at timestamp DEFAULT LOCALTIMESTAMP,
                             updated_at timestamp DEFAULT LOCALTIMESTAMP, metadata jsonb);
CREATE TABLE model.messages (id bigint PRIMARY KEY, session_id uuid, role text, content text, created_at timestamp DEFAULT LOCALTIMESTAMP,
                             sources jsonb, latency_ms float8, top_k int, query_type text, token_count int, metadata jsonb,
                             idempotency_key text);
-- Feedback goes with what it is about.
CREATE TABLE model.rag_feedback (session_id uuid REFERENCES model.sessions ON DELETE CASCADE, message_id bigint REFERENCES model.messages ON DELETE CASCADE, source_no int, name text, rater text,
  score float8, label text, comment text, metadata jsonb, created_at timestamp DEFAULT LOCALTIMESTAMP, updated_at timestamp DEFAULT LOCALTIMESTAMP);
CREATE SEQUENCE model.next_id;

CREATE FUNCTION model.fail(code text) RETURNS void LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION USING ERRCODE = code; END$$;

-- fail(code) unless the condition holds.
CREATE FUNCTION model.must(condition bool, code text) RETURNS void LANGUAGE plpgsql AS
$$BEGIN IF condition IS NOT TRUE THEN PERFORM model.fail(code); END IF; END$$;

-- The session is there and, unless user_id is NULL, the user's.
CREATE FUNCTION model.has_session(session_id uuid, user_id text) RETURNS bool LANGUAGE sql AS
$$SELECT EXISTS (SELECT FROM model.sessions s WHERE s.id = $1 AND ($2 IS NULL OR s.user_id = $2))$$;

CREATE FUNCTION model.touch(session_id uuid) RETURNS void LANGUAGE sql AS
$$UPDATE model.sessions SET updated_at = greatest(updated_at, LOCALTIMESTAMP) WHERE id = $1$$;

-- The id that the extension gave to a new session; it is a UUID of version 7.
CREATE FUNCTION model.new_id() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE id text := current_setting('model.new_id', true);
BEGIN
  PERFORM model.must(id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', 'ZZ001');
  RETURN id;
END$$;

-- The values of a message that may be NULL.
CREATE FUNCTION model.check_values(latency_ms float8, top_k int, token_count int, metadata jsonb, idempotency_key text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must(coalesce($1 >= 0 AND $1 < 'infinity', true), '22003'); -- NaN is above infinity
  PERFORM model.must(coalesce($2, 0) >= 0 AND coalesce($3, 0) >= 0, '22003');
  PERFORM model.must(coalesce(jsonb_typeof($4), 'object') = 'object', '22023');
  PERFORM model.must($5 IS DISTINCT FROM '', '22023');
  PERFORM model.must(coalesce(octet_length($5), 0) <= 255, '22001');
END$$;

-- A string that holds the JSON of an object or array.
CREATE FUNCTION model.encoded_twice(value jsonb) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  RETURN coalesce(jsonb_typeof(value) = 'string' AND jsonb_typeof((value #>> '{}')::jsonb) IN ('object', 'array'), false);
EXCEPTION WHEN OTHERS THEN
  RETURN false;
END$$;

CREATE FUNCTION model.merge(stored jsonb, change jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must(coalesce(jsonb_typeof(stored), 'null') IN ('object', 'null'), '22023');
  RETURN (SELECT coalesce(jsonb_object_agg(key, value), '{}')
          FROM (SELECT key, value FROM jsonb_each(CASE jsonb_typeof(stored) WHEN 'object' THEN stored ELSE '{}' END) WHERE NOT change ? key
                UNION ALL SELECT key, value FROM jsonb_each(change) WHERE jsonb_typeof(value) <> 'null') AS e);
END$$;

CREATE FUNCTION model.rag_create_session(user_id text DEFAULT NULL, metadata jsonb DEFAULT NULL, session_id uuid DEFAULT NULL, if_not_exists bool DEFAULT false)
RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must(coalesce(jsonb_typeof($2), 'null') IN ('object', 'null'), '22023');
  PERFORM model.must(coalesce(octet_length($1), 0) <= 2000, '22001');
  IF $3 IS NULL THEN
    INSERT INTO model.sessions (id, user_id, metadata) VALUES (model.new_id(), $1, $2);
    RETURN model.new_id();
  ELSIF NOT model.has_session($3, NULL) THEN
    INSERT INTO model.sessions (id, user_id, metadata) VALUES ($3, $1, $2);
  ELSE
    PERFORM model.must($4 AND EXISTS (SELECT FROM model.sessions s WHERE s.id = $3 AND s.user_id IS NOT DISTINCT FROM $1), '23505');
  END IF;
  RETURN $3;
END$$;

CREATE FUNCTION model.rag_add_message(session_id uuid, role text, content text, sources jsonb DEFAULT NULL, latency_ms float8 DEFAULT NULL,
  top_k int DEFAULT NULL, query_type text DEFAULT NULL, user_id text DEFAULT NULL, token_count int DEFAULT NULL, metadata jsonb DEFAULT NULL,
  idempotency_key text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE first record;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL, '22004');
  PERFORM model.must($2 = 'user' OR $2 = 'assistant', '23514');
  PERFORM model.check_values($5, $6, $9, $10, $11);
  PERFORM model.must(NOT model.encoded_twice($4), '22023');
  PERFORM model.must(model.has_session($1, $8), '23503');
  SELECT * INTO first FROM model.messages m WHERE m.session_id = $1 AND m.idempotency_key = $11;
  IF FOUND THEN
    PERFORM model.must(first.role = $2 AND first.content = $3, '23505');
    RETURN first.id;
  END IF;
  PERFORM model.touch($1);
  INSERT INTO model.messages (id, session_id, role, content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key)
  VALUES (nextval('model.next_id'), $1, $2, $3, CASE $4 WHEN '{}' THEN '[]' ELSE $4 END, $5, $6, $7, $9, $10, $11);
  RETURN currval('model.next_id');
END$$;

-- A field that is null is not there.
CREATE FUNCTION model.fields(element jsonb) RETURNS jsonb LANGUAGE sql AS
$$SELECT coalesce(jsonb_object_agg(key, value) FILTER (WHERE jsonb_typeof(value) <> 'null'), '{}') FROM jsonb_each(element)$$;

CREATE FUNCTION model.whole_number(value jsonb) RETURNS bool LANGUAGE sql AS
$$SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric = trunc(value::numeric) AND value::numeric BETWEEN -2147483648 AND 2147483647 ELSE value IS NULL END$$;

-- The local time that created_at stands for; 22023 if it stands for none.
CREATE FUNCTION model.time_of(value jsonb) RETURNS timestamp LANGUAGE plpgsql AS $$
DECLARE result timestamp;
BEGIN
  IF jsonb_typeof(value) = 'number' THEN
    PERFORM model.must(value::numeric >= -62135596800 AND value::numeric < 253402300800, '22023');
    RETURN 'epoch'::timestamptz + value::float8 * interval '1 second';
  END IF;
  PERFORM model.must(jsonb_typeof(value) = 'string' AND value #>> '{}' !~* '\y(now|today|tomorrow|yesterday)\y', '22023');
  result := CASE WHEN value #>> '{}' ~ '(Z|[+-]\d\d(:?\d\d)?)$' AND value #>> '{}' ~ ':' THEN (value #>> '{}')::timestamptz::timestamp ELSE (value #>> '{}')::timestamp END;
  PERFORM model.must(isfinite(result), '22023');
  RETURN result;
EXCEPTION WHEN data_exception THEN
  PERFORM model.fail('22023');
END$$;

CREATE FUNCTION model.rag_add_messages(session_id uuid, messages jsonb, user_id text DEFAULT NULL, create_session bool DEFAULT false)
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  list jsonb := $2;
  e jsonb;
  first record;
  ids bigint[] := '{}';
  is_new bool := true;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL, '22004');
  IF jsonb_typeof(list) = 'object' THEN
    PERFORM model.must(list ? 'messages' AND list - 'messages' = '{}', '22023');
    list := list -> 'messages';
  END IF;
  PERFORM model.must(jsonb_typeof(list) = 'array', '22023');

  -- First the form of all, then what is in them.
  FOR e IN SELECT value FROM jsonb_array_elements(list) LOOP
    PERFORM model.must(jsonb_typeof(e) = 'object', '22023');
    PERFORM model.must(e - '{role,content,sources,latency_ms,top_k,query_type,token_count,metadata,idempotency_key,created_at}'::text[] = '{}', '22023');
    e := model.fields(e);
    PERFORM model.must(coalesce(jsonb_typeof(e -> key) = type, true), '22023')
    FROM (VALUES ('role', 'string'), ('content', 'string'), ('query_type', 'string'), ('idempotency_key', 'string'), ('latency_ms', 'number'), ('metadata', 'object')) AS t (key, type);
    PERFORM model.must(model.whole_number(e -> 'top_k') AND model.whole_number(e -> 'token_count'), '22023');
    PERFORM model.time_of(e -> 'created_at') WHERE e ? 'created_at';
  END LOOP;
  FOR e IN SELECT model.fields(value) FROM jsonb_array_elements(list) LOOP
    PERFORM model.must(e ? 'role' AND e ? 'content', '22004');
    PERFORM model.must(e ->> 'role' IN ('user', 'assistant'), '23514');
    PERFORM model.check_values((e -> 'latency_ms')::float8, (e -> 'top_k')::int, (e -> 'token_count')::int, e -> 'metadata', e ->> 'idempotency_key');
    PERFORM model.must(NOT model.encoded_twice(e -> 'sources'), '22023');
  END LOOP;

  IF NOT model.has_session($1, $3) THEN
    PERFORM model.must($4, '23503');
    PERFORM model.must(NOT model.has_session($1, NULL), '23505');
    INSERT INTO model.sessions (id, user_id) VALUES ($1, $3);
  END IF;
  FOR e IN SELECT model.fields(value) FROM jsonb_array_elements(list) LOOP
    SELECT * INTO first FROM model.messages m WHERE m.session_id = $1 AND m.idempotency_key = e ->> 'idempotency_key';
    IF FOUND THEN
      PERFORM model.must(first.role = e ->> 'role' AND first.content = e ->> 'content', '23505');
      ids := ids || first.id;
      CONTINUE;
    END IF;
    PERFORM model.touch($1);
    INSERT INTO model.messages (id, session_id, role, content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key, created_at)
    VALUES (nextval('model.next_id'), $1, e ->> 'role', e ->> 'content', e -> 'sources', (e -> 'latency_ms')::float8, (e -> 'top_k')::int,
            e ->> 'query_type', (e -> 'token_count')::int, e -> 'metadata', e ->> 'idempotency_key',
            CASE WHEN e ? 'created_at' THEN model.time_of(e -> 'created_at') ELSE LOCALTIMESTAMP END);
    ids := ids || currval('model.next_id');
  END LOOP;
  RETURN ids;
END$$;

CREATE FUNCTION model.rag_add_conversations(conversations jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  list jsonb := $1;
  e jsonb;
  before bigint := (SELECT count(*) FROM model.messages);
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  IF jsonb_typeof(list) = 'object' THEN
    PERFORM model.must(list ? 'conversations' AND list - 'conversations' = '{}', '22023');
    list := list -> 'conversations';
  END IF;
  PERFORM model.must(jsonb_typeof(list) = 'array', '22023');
  FOR e IN SELECT value FROM jsonb_array_elements(list) LOOP
    PERFORM model.must(jsonb_typeof(e) = 'object', '22023');
    PERFORM model.must(e - '{session_id,messages,user_id,create_session}'::text[] = '{}', '22023');
    e := model.fields(e);
    PERFORM model.must(coalesce(jsonb_typeof(e -> key) = type, true), '22023')
    FROM (VALUES ('session_id', 'string'), ('messages', 'array'), ('user_id', 'string'), ('create_session', 'boolean')) AS t (key, type);
    PERFORM model.must(coalesce(e ->> 'session_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true), '22023');
    PERFORM model.must(e ? 'session_id' AND e ? 'messages', '22004');
  END LOOP;
  FOR e IN SELECT model.fields(value) FROM jsonb_array_elements(list) WITH ORDINALITY AS l (value, place) ORDER BY value ->> 'session_id', place LOOP
    PERFORM model.rag_add_messages((e ->> 'session_id')::uuid, e -> 'messages', e ->> 'user_id', (e -> 'create_session')::bool);
  END LOOP;
  RETURN (SELECT count(*) FROM model.messages) - before;
END$$;

-- What a reader shows of a message.
CREATE TYPE model.message AS (id bigint, role text, content text, created_at timestamp, sources jsonb, latency_ms float8, top_k int, query_type text,
                              token_count int, metadata jsonb, idempotency_key text);

CREATE FUNCTION model.begin_reading(session_id uuid, user_id text, VARIADIC maxima int[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must(coalesce(m, 0) >= 0, '22023') FROM unnest($3) AS m;
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(model.has_session($1, $2), '23503');
END$$;

CREATE FUNCTION model.rag_get_messages(session_id uuid, max_messages int DEFAULT 50, before_id bigint DEFAULT NULL, user_id text DEFAULT NULL, include_sources bool DEFAULT true)
RETURNS SETOF model.message LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.begin_reading($1, $4, $2);
  RETURN QUERY SELECT * FROM (
    SELECT m.id, m.role, m.content, m.created_at, CASE WHEN coalesce($5, true) THEN m.sources END, m.latency_ms, m.top_k, m.query_type, m.token_count, m.metadata, m.idempotency_key
    FROM model.messages m WHERE m.session_id = $1 AND coalesce(m.id < $3, true) ORDER BY m.id DESC LIMIT $2) AS last ORDER BY 1;
END$$;

CREATE FUNCTION model.rag_get_messages_after(session_id uuid, after_id bigint, max_messages int DEFAULT 50, user_id text DEFAULT NULL, include_sources bool DEFAULT true)
RETURNS SETOF model.message LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.begin_reading($1, $4, $3);
  RETURN QUERY
    SELECT m.id, m.role, m.content, m.created_at, CASE WHEN coalesce($5, true) THEN m.sources END, m.latency_ms, m.top_k, m.query_type, m.token_count, m.metadata, m.idempotency_key
    FROM model.messages m WHERE m.session_id = $1 AND coalesce(m.id > $2, true) ORDER BY m.id LIMIT $3;
END$$;

CREATE FUNCTION model.rag_get_context(session_id uuid, max_tokens int, max_messages int DEFAULT NULL, after_id bigint DEFAULT NULL, user_id text DEFAULT NULL)
RETURNS TABLE (id bigint, role text, content text, token_count int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM model.begin_reading($1, $5, $2, $3);
  RETURN QUERY
  WITH counted AS (
    SELECT m.id, m.role, m.content, coalesce(m.token_count, ceil(octet_length(m.content) / 4.0)::int) AS tokens
    FROM model.messages m WHERE m.session_id = $1 AND coalesce(m.id > $4, true) ORDER BY m.id DESC LIMIT $3),
  fitting AS (SELECT * FROM (SELECT *, sum(tokens) OVER (ORDER BY id DESC) AS total FROM counted) AS c WHERE coalesce(total <= $2 AND $2 > 0, true))
  SELECT id, role, content, tokens FROM fitting WHERE id >= (SELECT min(id) FROM fitting WHERE role = 'user') ORDER BY id;
END$$;

-- Microseconds since 2000, as a cursor has them.
CREATE FUNCTION model.ticks(updated_at timestamp) RETURNS bigint LANGUAGE sql AS
$$SELECT (extract(epoch FROM updated_at - timestamp '2000-01-01') * 1000000)::bigint$$;

CREATE FUNCTION model.cursor_of(updated_at timestamp, id uuid) RETURNS text LANGUAGE sql AS
$$SELECT lpad(to_hex(model.ticks(updated_at)), 16, '0') || replace(id::text, '-', '')$$;

-- 200 characters; in SQL_ASCII without the last one of several bytes, which may be cut.
CREATE FUNCTION model.beginning(text) RETURNS text LANGUAGE sql AS
$$SELECT CASE WHEN length($1) > 200 AND getdatabaseencoding() = 'SQL_ASCII' THEN regexp_replace(left($1, 200), '[\xc0-\xff][\x80-\xbf]*$', '') ELSE left($1, 200) END$$;

CREATE FUNCTION model.rag_list_sessions(user_id text, max_sessions int DEFAULT 20, after_cursor text DEFAULT NULL)
RETURNS TABLE (session_id uuid, title text, preview text, created_at timestamp, updated_at timestamp, metadata jsonb, cursor text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM model.must(coalesce($2, 0) >= 0, '22023');
  PERFORM model.must(coalesce($3 ~ '^[0-9a-f]{48}$', true), '22023');
  RETURN QUERY
  SELECT s.id, model.beginning(s.metadata ->> 'title'),
    (SELECT model.beginning(f.content) FROM (SELECT m.* FROM model.messages m WHERE m.session_id = s.id ORDER BY m.id LIMIT 10) AS f WHERE f.role = 'user' ORDER BY f.id LIMIT 1),
    s.created_at, s.updated_at, s.metadata, model.cursor_of(s.updated_at, s.id)
  FROM model.sessions s WHERE s.user_id IS NOT DISTINCT FROM $1 AND coalesce((model.ticks(s.updated_at), s.id) < (('x' || left($3, 16))::bit(64)::bigint, substr($3, 17)::uuid), true)
  ORDER BY s.updated_at DESC, s.id DESC LIMIT $2;
END$$;

CREATE FUNCTION model.rag_update_session(session_id uuid, metadata jsonb, user_id text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE result jsonb;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL, '22004');
  PERFORM model.must(jsonb_typeof($2) = 'object', '22023');
  PERFORM model.must(model.has_session($1, $3), '23503');
  UPDATE model.sessions s SET metadata = model.merge(s.metadata, $2) WHERE s.id = $1 RETURNING s.metadata INTO result;
  RETURN result;
END$$;

CREATE FUNCTION model.rag_delete_session(session_id uuid, user_id text DEFAULT NULL) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  IF NOT model.has_session($1, $2) THEN
    RETURN false;
  END IF;
  DELETE FROM model.messages m WHERE m.session_id = $1;
  DELETE FROM model.sessions s WHERE s.id = $1;
  RETURN true;
END$$;

CREATE FUNCTION model.rag_update_message(session_id uuid, message_id bigint, content text DEFAULT NULL, sources jsonb DEFAULT NULL, latency_ms float8 DEFAULT NULL,
  token_count int DEFAULT NULL, metadata jsonb DEFAULT NULL, user_id text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL, '22004');
  PERFORM model.check_values($5, NULL, $6, $7, NULL);
  PERFORM model.must(NOT model.encoded_twice($4), '22023');
  PERFORM model.must(model.has_session($1, $8), '23503');
  PERFORM model.must(EXISTS (SELECT FROM model.messages m WHERE m.id = $2 AND m.session_id = $1), '23503');
  IF num_nonnulls($3, $4, $5, $6, $7) > 0 THEN
    PERFORM model.touch($1);
    UPDATE model.messages m SET content = coalesce($3, m.content), sources = coalesce(CASE $4 WHEN '{}' THEN '[]' ELSE $4 END, m.sources), latency_ms = coalesce($5, m.latency_ms),
      token_count = coalesce($6, m.token_count), metadata = CASE WHEN $7 IS NULL THEN m.metadata ELSE model.merge(m.metadata, $7) END WHERE m.id = $2;
  END IF;
END$$;

CREATE FUNCTION model.rag_delete_messages(session_id uuid, from_id bigint, user_id text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL, '22004');
  PERFORM model.must(model.has_session($1, $3), '23503');
  DELETE FROM model.messages m WHERE m.session_id = $1 AND m.id >= $2;
  GET DIAGNOSTICS n = ROW_COUNT;
  PERFORM model.touch($1) WHERE n > 0;
  RETURN n;
END$$;

CREATE FUNCTION model.rag_next_version(steps int DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
DECLARE versions text[] := '{1.0,1.1,1.2,1.3,1.4,1.5}';
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  RETURN CASE WHEN $1 BETWEEN 1 - cardinality(versions) AND 0 THEN versions[cardinality(versions) + $1] END;
END$$;

-- Up to which message a session's summary reaches, by its metadata; NULL: it has none.
CREATE FUNCTION model.summary_upto(metadata jsonb) RETURNS bigint LANGUAGE sql AS $$
SELECT CASE WHEN jsonb_typeof(metadata) = 'object' AND jsonb_typeof(metadata -> 'summary_upto_id') = 'number' THEN
  (SELECT CASE WHEN n = trunc(n) AND n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN n::bigint END FROM (SELECT (metadata -> 'summary_upto_id')::numeric AS n) AS v) END
$$;

CREATE FUNCTION model.rag_copy_session(session_id uuid, upto_id bigint DEFAULT NULL, user_id text DEFAULT NULL) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  source record;
  m record;
  summary_upto bigint;
  renewed bigint := 0;
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(model.has_session($1, $3), '23503');
  SELECT * INTO source FROM model.sessions s WHERE s.id = $1;
  summary_upto := model.summary_upto(source.metadata);
  INSERT INTO model.sessions (id, user_id) VALUES (model.new_id(), source.user_id);
  FOR m IN SELECT * FROM model.messages c WHERE c.session_id = $1 AND coalesce(c.id <= $2, true) ORDER BY c.id LOOP
    INSERT INTO model.messages VALUES (nextval('model.next_id'), model.new_id(), m.role, m.content, m.created_at, m.sources, m.latency_ms, m.top_k, m.query_type, m.token_count, m.metadata, NULL);
    IF m.id <= summary_upto THEN
      renewed := currval('model.next_id');
    END IF;
  END LOOP;
  UPDATE model.sessions s SET metadata = CASE
    WHEN summary_upto IS NULL THEN source.metadata
    WHEN summary_upto > $2 THEN source.metadata - 'summary' - 'summary_upto_id'
    ELSE source.metadata || jsonb_build_object('summary_upto_id', renewed) END WHERE s.id = model.new_id();
  RETURN model.new_id();
END$$;

CREATE FUNCTION model.rag_export_session(session_id uuid, user_id text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(model.has_session($1, $2), '23503');
  -- A JSON null in a column stays, a NULL is left out.
  RETURN (SELECT jsonb_build_object('session_id', s.id, 'created_at', s.created_at, 'updated_at', s.updated_at)
            || CASE WHEN s.user_id IS NULL THEN '{}' ELSE jsonb_build_object('user_id', s.user_id) END
            || CASE WHEN s.metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', s.metadata) END
            || jsonb_build_object('messages', coalesce((
                 SELECT jsonb_agg(jsonb_build_object('id', m.id, 'role', m.role, 'content', m.content, 'created_at', m.created_at)
                   || CASE WHEN m.sources IS NULL THEN '{}' ELSE jsonb_build_object('sources', m.sources) END
                   || CASE WHEN m.latency_ms IS NULL THEN '{}' ELSE jsonb_build_object('latency_ms', m.latency_ms) END
                   || CASE WHEN m.top_k IS NULL THEN '{}' ELSE jsonb_build_object('top_k', m.top_k) END
                   || CASE WHEN m.query_type IS NULL THEN '{}' ELSE jsonb_build_object('query_type', m.query_type) END
                   || CASE WHEN m.token_count IS NULL THEN '{}' ELSE jsonb_build_object('token_count', m.token_count) END
                   || CASE WHEN m.metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', m.metadata) END
                   || CASE WHEN m.idempotency_key IS NULL THEN '{}' ELSE jsonb_build_object('idempotency_key', m.idempotency_key) END ORDER BY m.id)
                 FROM model.messages m WHERE m.session_id = $1), '[]'))
            || coalesce((SELECT jsonb_build_object('feedback', jsonb_agg(
                   jsonb_build_object('message_id', f.message_id, 'name', f.name, 'created_at', f.created_at, 'updated_at', f.updated_at)
                   || CASE WHEN f.source_no IS NULL THEN '{}' ELSE jsonb_build_object('source_no', f.source_no) END
                   || CASE WHEN f.rater IS NULL THEN '{}' ELSE jsonb_build_object('rater', f.rater) END
                   || CASE WHEN f.score IS NULL THEN '{}' ELSE jsonb_build_object('score', f.score) END
                   || CASE WHEN f.label IS NULL THEN '{}' ELSE jsonb_build_object('label', f.label) END
                   || CASE WHEN f.comment IS NULL THEN '{}' ELSE jsonb_build_object('comment', f.comment) END
                   || CASE WHEN f.metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', f.metadata) END
                   ORDER BY f.message_id, f.source_no NULLS FIRST, f.name, f.rater NULLS FIRST))
                 FROM model.rag_feedback f WHERE f.session_id = $1 HAVING count(*) > 0), '{}')
          FROM model.sessions s WHERE s.id = $1);
END$$;

-- Of the forms of a message, the extension's own (with a role, user's or assistant's). It
-- is strict where the document, or the message, has a field that only it has; otherwise
-- what is not known goes into the metadata.
CREATE FUNCTION model.rag_import_session(conversation jsonb, user_id text DEFAULT NULL, keep_id bool DEFAULT false) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  doc jsonb := CASE jsonb_typeof($1) WHEN 'array' THEN jsonb_build_object('messages', $1) ELSE $1 END;
  session jsonb;
  e jsonb;
  new_id uuid;
  upto bigint;
  renewed bigint := 0;
  is_ours bool;
  unknown jsonb;
  metadata jsonb;
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(jsonb_typeof(doc) = 'object', '22023');
  is_ours := doc ?| '{session_id,user_id,created_at,updated_at}';
  unknown := doc - '{session_id,user_id,created_at,updated_at,metadata,messages,feedback}'::text[];
  PERFORM model.must(NOT is_ours OR unknown = '{}', '22023');
  unknown := model.fields(unknown);
  metadata := doc -> 'metadata';
  IF unknown <> '{}' THEN
    PERFORM model.must(coalesce(jsonb_typeof(metadata), 'null') IN ('object', 'null'), '22023');
    metadata := coalesce(nullif(metadata, 'null'), '{}') || unknown;
  END IF;
  PERFORM model.must(jsonb_typeof(doc -> 'messages') = 'array', '22023');
  session := model.fields(doc);
  PERFORM model.must(coalesce(session ->> 'session_id', '00000000-0000-0000-0000-000000000000') ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', '22023');
  PERFORM model.must(coalesce(jsonb_typeof(session -> key), 'string') = 'string', '22023') FROM unnest('{session_id,user_id}'::text[]) AS key;
  PERFORM model.time_of(session -> key) FROM unnest('{created_at,updated_at}'::text[]) AS key WHERE session ? key;
  IF $3 THEN
    PERFORM model.must(session ? 'session_id', '22023');
    new_id := session ->> 'session_id';
  END IF;
  FOR e IN SELECT value FROM jsonb_array_elements(doc -> 'messages') LOOP
    PERFORM model.must(jsonb_typeof(e) = 'object', '22023');
    PERFORM model.must(coalesce(jsonb_typeof(e -> 'role'), 'null') <> 'null', '22023');
    PERFORM model.must(jsonb_typeof(e -> 'role') = 'string', '22023');
    PERFORM model.must(e ->> 'role' IN ('user', 'assistant'), '23514');
    unknown := e - '{id,role,content,sources,latency_ms,top_k,query_type,token_count,metadata,idempotency_key,created_at}'::text[];
    PERFORM model.must(unknown = '{}' OR NOT (is_ours OR model.fields(e) ?| '{sources,latency_ms,top_k,query_type,token_count,idempotency_key}'), '22023');
    unknown := model.fields(unknown);
    e := model.fields(e);
    PERFORM model.must(coalesce(jsonb_typeof(e -> key) = type, true), '22023')
    FROM (VALUES ('id', 'number'), ('content', 'string'), ('query_type', 'string'), ('idempotency_key', 'string'), ('latency_ms', 'number'), ('metadata', 'object')) AS t (key, type);
    PERFORM model.must(coalesce((e -> 'id')::numeric, 0) = trunc(coalesce((e -> 'id')::numeric, 0)) AND coalesce((e -> 'id')::numeric, 0) BETWEEN -9223372036854775808 AND 9223372036854775807, '22023');
    PERFORM model.must(model.whole_number(e -> 'top_k') AND model.whole_number(e -> 'token_count'), '22023');
    PERFORM model.time_of(e -> 'created_at') WHERE e ? 'created_at';
    PERFORM model.must(e ? 'content', '22004');
    PERFORM model.check_values((e -> 'latency_ms')::float8, (e -> 'top_k')::int, (e -> 'token_count')::int, e -> 'metadata', e ->> 'idempotency_key');
    PERFORM model.must(NOT model.encoded_twice(e -> 'sources'), '22023');
  END LOOP;

  -- Feedback is as an export has it; but its message may be missing.
  PERFORM model.must(EXISTS (SELECT FROM jsonb_array_elements(doc -> 'messages') AS m WHERE m -> 'id' = f -> 'message_id'), '22023')
  FROM jsonb_array_elements(coalesce(doc -> 'feedback', '[]')) AS f;

  new_id := coalesce(new_id, model.new_id());
  PERFORM model.must(NOT model.has_session(new_id, NULL), '23505');
  INSERT INTO model.sessions VALUES (new_id, coalesce($2, session ->> 'user_id'),
    CASE WHEN session ? 'created_at' THEN model.time_of(session -> 'created_at') WHEN session ? 'updated_at' THEN least(model.time_of(session -> 'updated_at'), LOCALTIMESTAMP) ELSE LOCALTIMESTAMP END,
    CASE WHEN session ? 'updated_at' THEN model.time_of(session -> 'updated_at') ELSE LOCALTIMESTAMP END, metadata);
  upto := model.summary_upto(metadata);
  FOR e IN SELECT value FROM jsonb_array_elements(doc -> 'messages') LOOP
    unknown := model.fields(e - '{id,role,content,sources,latency_ms,top_k,query_type,token_count,metadata,idempotency_key,created_at}'::text[]);
    PERFORM model.must(NOT EXISTS (SELECT FROM model.messages m WHERE m.session_id = new_id AND m.idempotency_key = e ->> 'idempotency_key'), '23505');
    INSERT INTO model.messages VALUES (nextval('model.next_id'), new_id, e ->> 'role', e ->> 'content',
      CASE WHEN model.fields(e) ? 'created_at' THEN model.time_of(e -> 'created_at') ELSE LOCALTIMESTAMP END, e -> 'sources', (e ->> 'latency_ms')::float8,
      (e ->> 'top_k')::numeric::int, e ->> 'query_type', (e ->> 'token_count')::numeric::int,
      CASE WHEN unknown = '{}' THEN e -> 'metadata' ELSE coalesce(nullif(e -> 'metadata', 'null'), '{}') || unknown END, e ->> 'idempotency_key');
    IF (e ->> 'id')::numeric <= upto THEN
      renewed := currval('model.next_id');
    END IF;
    INSERT INTO model.rag_feedback
    SELECT new_id, currval('model.next_id'), (f ->> 'source_no')::int, f ->> 'name', f ->> 'rater', (f ->> 'score')::float8, f ->> 'label', f ->> 'comment', f -> 'metadata',
      (f ->> 'created_at')::timestamp, (f ->> 'updated_at')::timestamp
    FROM jsonb_array_elements(doc -> 'feedback') AS f WHERE f -> 'message_id' = e -> 'id';
  END LOOP;
  IF upto IS NOT NULL THEN
    UPDATE model.sessions s SET metadata = s.metadata || jsonb_build_object('summary_upto_id', renewed) WHERE s.id = new_id;
  END IF;
  RETURN new_id;
END$$;

CREATE FUNCTION model.rag_get_session(session_id uuid, user_id text DEFAULT NULL)
RETURNS TABLE (s_id uuid, s_user text, title text, preview text, created_at timestamp, updated_at timestamp, metadata jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM model.begin_reading($1, $2, NULL);
  RETURN QUERY SELECT s.id, s.user_id, l.title, l.preview, l.created_at, l.updated_at, l.metadata
    FROM model.sessions s, model.rag_list_sessions(s.user_id, NULL) AS l WHERE s.id = $1 AND l.session_id = $1;
END$$;

-- The words and phrases of a query. (Small letters of ASCII: the texts of this test have
-- no others in two cases.)
CREATE FUNCTION model.terms(query text) RETURNS text[] LANGUAGE sql AS $$
SELECT coalesce(array_agg(lower(coalesce(t[1], t[2])) ORDER BY n) FILTER (WHERE coalesce(t[1], t[2]) <> ''), '{}')
FROM regexp_matches(query, '"([^"]*)"?|((?:[^\s"][^\s]*))', 'g') WITH ORDINALITY AS m (t, n)
$$;

CREATE FUNCTION model.has_all(terms text[], content text) RETURNS bool LANGUAGE sql AS
$$SELECT coalesce(bool_and(position(t IN lower(content)) > 0), true) FROM unnest(terms) AS t$$;

CREATE FUNCTION model.snippet(terms text[], content text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  hit record;
  first int;
  result text;
BEGIN
  SELECT position(t IN lower(content)) - 1 AS place, length(t) AS len INTO hit FROM unnest(terms) WITH ORDINALITY AS u (t, n) ORDER BY position(t IN lower(content)), n LIMIT 1;
  first := greatest(least(hit.place - greatest(200 - hit.len, 0) / 2, length(content) - 200), 0);
  result := substr(content, first + 1, 200);
  IF getdatabaseencoding() = 'SQL_ASCII' THEN
    IF first > 0 THEN result := regexp_replace(result, '^[\x80-\xbf]+', ''); END IF;
    IF first + 200 < length(content) THEN result := regexp_replace(result, '[\x80-\xff]?[\x80-\xbf]*$', ''); END IF;
  END IF;
  RETURN result;
END$$;

CREATE FUNCTION model.rag_find_sessions(user_id text, query text DEFAULT NULL, filter jsonb DEFAULT NULL, max_sessions int DEFAULT 20, after_cursor text DEFAULT NULL)
RETURNS TABLE (session_id uuid, title text, preview text, created_at timestamp, updated_at timestamp, metadata jsonb, cursor text, message_id bigint, role text, snippet text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE terms text[] := model.terms($2);
BEGIN
  PERFORM model.must(coalesce($4, 0) >= 0, '22023');
  PERFORM model.must(terms <> '{}', '22023') WHERE $2 IS NOT NULL;
  PERFORM model.must(coalesce(jsonb_typeof($3), 'object') = 'object', '22023');
  PERFORM model.must(coalesce($5 ~ '^[0-9a-f]{48}$', true), '22023');
  RETURN QUERY
  SELECT l.session_id, l.title, l.preview, l.created_at, l.updated_at, l.metadata, l.cursor, m.id, m.role, model.snippet(terms, m.content)
  FROM model.rag_list_sessions($1, NULL, $5) AS l
  LEFT JOIN LATERAL (SELECT * FROM model.messages m WHERE m.session_id = l.session_id AND model.has_all(terms, m.content) ORDER BY m.id DESC LIMIT 1) AS m ON $2 IS NOT NULL
  WHERE ($2 IS NULL OR m.id IS NOT NULL OR coalesce(model.has_all(terms, l.metadata ->> 'title') AND l.metadata ->> 'title' IS NOT NULL, false))
    AND ($3 IS NULL OR coalesce(nullif(l.metadata, 'null'), '{}') @> model.fields($3))
    AND NOT EXISTS (SELECT FROM jsonb_each($3) AS f WHERE jsonb_typeof(f.value) = 'null' AND coalesce(jsonb_strip_nulls(l.metadata), '{}') ? f.key)
  ORDER BY l.updated_at DESC, l.session_id DESC LIMIT $4;
END$$;

-- Of sessions and messages without instructions, calls and parts.
CREATE FUNCTION model.rag_get_prompt(session_id uuid, max_tokens int, max_messages int DEFAULT NULL, user_id text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  metadata jsonb;
  summary text;
  upto bigint;
  budget bigint := $2;
  result jsonb := '[]';
  n bigint;
  total bigint;
BEGIN
  PERFORM model.begin_reading($1, $4, $2, $3);
  SELECT s.metadata INTO metadata FROM model.sessions s WHERE s.id = $1;
  IF jsonb_typeof(metadata) = 'object' AND jsonb_typeof(metadata -> 'summary') = 'string' AND metadata ->> 'summary' <> '' THEN
    summary := metadata ->> 'summary';
    upto := model.summary_upto(metadata);
    IF ceil(octet_length(summary) / 4.0) > budget THEN
      summary := NULL;
    ELSE
      budget := budget - ceil(octet_length(summary) / 4.0);
      result := jsonb_build_array(jsonb_build_object('role', 'system', 'content', summary));
    END IF;
  END IF;
  SELECT count(*) INTO total FROM model.messages m WHERE m.session_id = $1 AND coalesce(m.id > upto, true);
  CREATE TEMP TABLE fitting ON COMMIT DROP AS
    SELECT c.* FROM (SELECT m.id, m.role, m.content, sum(coalesce(m.token_count, ceil(octet_length(m.content) / 4.0))) OVER (ORDER BY m.id DESC) AS tokens, row_number() OVER (ORDER BY m.id DESC) AS place
                     FROM model.messages m WHERE m.session_id = $1 AND coalesce(m.id > upto, true)) AS c
    WHERE coalesce(tokens <= budget AND budget > 0, true) AND coalesce(place <= $3, true);
  SELECT count(*) INTO n FROM fitting;
  result := result || coalesce((SELECT jsonb_agg(jsonb_build_object('role', f.role, 'content', f.content) ORDER BY f.id) FROM fitting f
    WHERE (summary IS NOT NULL AND n = total OR f.id >= (SELECT min(u.id) FROM fitting u WHERE u.role = 'user')) AND NOT (f.role = 'assistant' AND f.content = '')), '[]');
  DROP TABLE fitting;
  RETURN result;
END$$;

CREATE FUNCTION model.rag_put_message(session_id uuid, idempotency_key text, role text, content text, sources jsonb DEFAULT NULL, latency_ms float8 DEFAULT NULL,
  top_k int DEFAULT NULL, query_type text DEFAULT NULL, user_id text DEFAULT NULL, token_count int DEFAULT NULL, metadata jsonb DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  first record;
  new_sources jsonb := CASE $5 WHEN '{}' THEN '[]' ELSE $5 END;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL AND $4 IS NOT NULL, '22004');
  PERFORM model.must($3 = 'user' OR $3 = 'assistant', '23514');
  PERFORM model.check_values($6, $7, $10, $11, NULL);
  PERFORM model.must(NOT model.encoded_twice($5), '22023');
  PERFORM model.check_values(NULL, NULL, NULL, NULL, $2);
  PERFORM model.must(model.has_session($1, $9), '23503');
  SELECT * INTO first FROM model.messages m WHERE m.session_id = $1 AND m.idempotency_key = $2;
  IF NOT FOUND THEN
    PERFORM model.touch($1);
    INSERT INTO model.messages (id, session_id, role, content, sources, latency_ms, top_k, query_type, token_count, metadata, idempotency_key)
    VALUES (nextval('model.next_id'), $1, $3, $4, new_sources, $6, $7, $8, $10, CASE WHEN $11 IS NOT NULL THEN model.merge(NULL, $11) END, $2);
    RETURN currval('model.next_id');
  END IF;
  PERFORM model.must(first.role = $3, '23505');
  PERFORM model.touch($1);
  UPDATE model.messages m SET content = $4, sources = coalesce(new_sources, m.sources), latency_ms = coalesce($6, m.latency_ms), top_k = coalesce($7, m.top_k), query_type = coalesce($8, m.query_type),
    token_count = coalesce($10, m.token_count), metadata = CASE WHEN $11 IS NULL THEN m.metadata ELSE model.merge(m.metadata, $11) END WHERE m.id = first.id;
  RETURN first.id;
END$$;

CREATE FUNCTION model.rag_reassign_sessions(user_id text, new_user_id text, session_id uuid DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  PERFORM model.must($2 IS NOT NULL AND ($1 IS NOT NULL OR $3 IS NOT NULL), '22004');
  PERFORM model.must(octet_length($2) <= 2000, '22001');
  PERFORM model.must(EXISTS (SELECT FROM model.sessions s WHERE s.id = $3 AND s.user_id IS NOT DISTINCT FROM $1), '23503') WHERE $3 IS NOT NULL;
  UPDATE model.sessions s SET user_id = $2 WHERE s.user_id IS NOT DISTINCT FROM $1 AND coalesce(s.id = $3, true);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END$$;

CREATE FUNCTION model.check_keep(keep jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE list jsonb := CASE jsonb_typeof(keep) WHEN 'array' THEN keep ELSE jsonb_build_array(keep) END;
BEGIN
  IF keep IS NULL THEN RETURN '[]'; END IF;
  PERFORM model.must(jsonb_typeof(k) = 'object' AND k <> '{}', '22023') FROM jsonb_array_elements(list) AS k;
  RETURN list;
END$$;

-- All of these sessions, or with dry_run none; max_sessions is 0, or more than there are.
CREATE FUNCTION model.remove(ids uuid[], max_sessions int, dry_run bool) RETURNS record LANGUAGE plpgsql AS $$
DECLARE
  gone uuid[] := CASE $2 WHEN 0 THEN '{}' ELSE coalesce($1, '{}') END;
  messages bigint := (SELECT count(*) FROM model.messages m WHERE m.session_id = ANY (gone));
  oldest timestamp := (SELECT min(s.updated_at) FROM model.sessions s WHERE s.id = ANY (gone));
BEGIN
  IF NOT coalesce($3, false) THEN
    DELETE FROM model.messages m WHERE m.session_id = ANY (gone);
    DELETE FROM model.sessions s WHERE s.id = ANY (gone);
  END IF;
  RETURN (cardinality(gone)::bigint, messages, oldest, coalesce($2 = 0 AND cardinality($1) > 0, false));
END$$;

CREATE FUNCTION model.rag_expire_sessions(older_than interval, max_sessions int DEFAULT 1000, keep jsonb DEFAULT NULL, dry_run bool DEFAULT false)
RETURNS TABLE (s bigint, m bigint, oldest timestamp, more bool) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE list jsonb;
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must($1 > '0' AND coalesce($2, 0) >= 0, '22023');
  list := model.check_keep($3);
  RETURN QUERY SELECT r.* FROM model.remove((SELECT array_agg(s.id) FROM model.sessions s WHERE s.created_at < LOCALTIMESTAMP - $1 AND s.updated_at < LOCALTIMESTAMP - $1
      AND NOT EXISTS (SELECT FROM jsonb_array_elements(list) AS k WHERE s.metadata @> k)), $2, $4) AS r (s bigint, m bigint, oldest timestamp, more bool);
END$$;

CREATE FUNCTION model.rag_erase_user(user_id text, keep jsonb DEFAULT NULL, max_sessions int DEFAULT NULL, dry_run bool DEFAULT false)
RETURNS TABLE (s bigint, m bigint, kept bigint, more bool) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE list jsonb;
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(coalesce($3, 0) >= 0, '22023');
  list := model.check_keep($2);
  DELETE FROM model.rag_feedback f WHERE f.rater = $1 AND NOT coalesce($4, false)
    AND NOT EXISTS (SELECT FROM model.sessions s, jsonb_array_elements(list) AS k WHERE s.id = f.session_id AND s.metadata @> k);
  RETURN QUERY SELECT r.s, r.m, (SELECT count(*) FROM model.sessions s WHERE s.user_id = $1 AND EXISTS (SELECT FROM jsonb_array_elements(list) AS k WHERE s.metadata @> k)), r.more
    FROM model.remove((SELECT array_agg(s.id) FROM model.sessions s WHERE s.user_id = $1 AND NOT EXISTS (SELECT FROM jsonb_array_elements(list) AS k WHERE s.metadata @> k)), $3, $4)
      AS r (s bigint, m bigint, oldest timestamp, more bool);
END$$;

-- As the view rag_message_sources counts.
CREATE FUNCTION model.count_sources(sources jsonb) RETURNS int LANGUAGE sql AS
$$SELECT CASE WHEN jsonb_typeof(sources) = 'array' THEN jsonb_array_length(sources) WHEN jsonb_typeof(sources) <> 'null' THEN 1 ELSE 0 END$$;

CREATE FUNCTION model.rag_set_feedback(session_id uuid, message_id bigint, score float8 DEFAULT NULL, label text DEFAULT NULL, comment text DEFAULT NULL, name text DEFAULT 'user',
  source_no int DEFAULT NULL, rater text DEFAULT NULL, metadata jsonb DEFAULT NULL, user_id text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE first timestamp;
BEGIN
  PERFORM model.must($1 IS NOT NULL AND $2 IS NOT NULL AND $6 IS NOT NULL, '22004');
  PERFORM model.must(octet_length($6) <= 255, '22001');
  PERFORM model.must($6 <> '', '22023');
  PERFORM model.must(coalesce(octet_length($8), 0) <= 2000, '22001');
  PERFORM model.must(coalesce($3 NOT IN ('NaN', 'Infinity', '-Infinity'), true) AND coalesce($7, 1) >= 1, '22003');
  PERFORM model.must(coalesce(jsonb_typeof($9), 'object') = 'object', '22023');
  PERFORM model.must(model.has_session($1, $10), '23503');
  PERFORM model.must(EXISTS (SELECT FROM model.messages m WHERE m.id = $2 AND m.session_id = $1), '23503');
  DELETE FROM model.rag_feedback f WHERE f.message_id = $2 AND f.name = $6 AND f.source_no IS NOT DISTINCT FROM $7 AND f.rater IS NOT DISTINCT FROM $8 RETURNING f.created_at INTO first;
  IF num_nonnulls($3, $4, $5, $9) > 0 THEN
    PERFORM model.must(coalesce($7, 0) <= (SELECT model.count_sources(m.sources) FROM model.messages m WHERE m.id = $2), '23503');
    INSERT INTO model.rag_feedback VALUES ($1, $2, $7, $6, $8, $3, $4, $5, $9, coalesce(first, LOCALTIMESTAMP), LOCALTIMESTAMP);
  END IF;
END$$;

CREATE FUNCTION model.rag_get_feedback(session_id uuid, user_id text DEFAULT NULL, rater text DEFAULT NULL)
RETURNS TABLE (message_id bigint, source_no int, name text, by text, score float8, label text, comment text, metadata jsonb, created_at timestamp, updated_at timestamp) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  PERFORM model.must($1 IS NOT NULL, '22004');
  PERFORM model.must(model.has_session($1, $2), '23503');
  RETURN QUERY SELECT f.message_id, f.source_no, f.name, f.rater, f.score, f.label, f.comment, f.metadata, f.created_at, f.updated_at FROM model.rag_feedback f
    WHERE f.session_id = $1 AND coalesce(f.rater = $3, $3 IS NULL) ORDER BY f.message_id, f.source_no NULLS FIRST, f.name, f.rater NULLS FIRST;
END$$;
