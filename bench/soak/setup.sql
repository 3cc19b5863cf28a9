-- What bench/soak.sh works on: sessions with the ids 1 to :sessions, of 100 users. The
-- functions make what is written; soak_memory has what each backend says of its own.
CREATE EXTENSION rag_events;

CREATE FUNCTION soak_text(size int) RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT left(repeat(md5(random()::text), 50), size) $$;

CREATE FUNCTION soak_sources() RETURNS jsonb LANGUAGE sql VOLATILE
AS $$ SELECT jsonb_agg(jsonb_build_object('document_id', n, 'score', random(), 'text', repeat(md5(random()::text), 15))) FROM generate_series(1, 5) AS n $$;

CREATE UNLOGGED TABLE soak_memory (pid int PRIMARY KEY, bytes bigint);

SELECT count(rag_create_session('user ' || n % 100, '{"title": "a conversation"}', lpad(n::text, 32, '0')::uuid))
FROM generate_series(1, :sessions) AS n;
