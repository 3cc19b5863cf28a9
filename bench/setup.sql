-- What every variant starts from: the extension, sessions to write to, and the
-- PL/pgSQL function that does what rag_add_message() does.
\set ON_ERROR_STOP 1
SELECT :'version' = '' AS latest \gset
\if :latest
CREATE EXTENSION rag_events;
\else
CREATE EXTENSION rag_events VERSION :'version';
\endif

-- Nothing runs beside a measurement; the script vacuums between them.
ALTER TABLE sessions SET (autovacuum_enabled = off);
ALTER TABLE messages SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);

-- pgbench draws an integer: the id of a session is that number, padded.
INSERT INTO sessions (id, user_id, metadata)
SELECT lpad(n::text, 32, '0')::uuid, 'user-' || n % 100, '{"title": "bench"}'
FROM generate_series(1, :sessions) AS n;

CREATE FUNCTION bench_add_message(session_id uuid, role text, content text,
  sources jsonb, latency_ms double precision, top_k integer, query_type text)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  message_id bigint;
BEGIN
  IF bench_add_message.role NOT IN ('user', 'assistant') THEN
    RAISE check_violation USING MESSAGE = format('invalid message role "%s"', bench_add_message.role);
  END IF;
  UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = bench_add_message.session_id;
  IF NOT FOUND THEN
    RAISE foreign_key_violation USING MESSAGE = 'session does not exist';
  END IF;
  INSERT INTO messages (session_id, role, content, sources, latency_ms, top_k, query_type)
  VALUES (bench_add_message.session_id, bench_add_message.role, bench_add_message.content,
    bench_add_message.sources, bench_add_message.latency_ms, bench_add_message.top_k,
    bench_add_message.query_type)
  RETURNING id INTO message_id;
  RETURN message_id;
END
$$;

VACUUM ANALYZE sessions, messages;
