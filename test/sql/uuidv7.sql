--
-- Generated session ids are UUIDs of version 7 (RFC 9562): version and variant
-- bits, the time in milliseconds in front, and strictly ascending in a backend.
--
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS rag_events CASCADE;
CREATE EXTENSION rag_events;

-- xxxxxxxx-xxxx-7xxx-[89ab]xxx-xxxxxxxxxxxx
SELECT bool_and(id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$') AS version_and_variant
FROM (SELECT rag_create_session() FROM generate_series(1, 1000)) AS g (id);

-- All random bits of the tail vary: bits 66 to 127, of which none is always set or
-- never in 1000 ids.
SELECT count(*) FILTER (WHERE ones BETWEEN 1 AND 999) AS varying_bits, count(*) FILTER (WHERE ones IN (0, 1000)) AS fixed_bits
FROM (SELECT bit, sum(get_bit(tail, bit)) AS ones
      FROM (SELECT ('x' || right(replace(id::text, '-', ''), 16))::bit(64) AS tail FROM sessions) AS tails,
           generate_series(0, 63) AS bit
      GROUP BY bit) AS bits;

-- The first 48 bits are the time of the call, in milliseconds since 1970.
-- (A new connection: no id before it can have run ahead of the clock.)
\c -
CREATE FUNCTION pg_temp.ms(id uuid) RETURNS bigint LANGUAGE sql
AS $$ SELECT ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint $$;
CREATE FUNCTION pg_temp.ms(at timestamptz) RETURNS bigint LANGUAGE sql
AS $$ SELECT floor(extract(epoch FROM at) * 1000)::bigint $$;
SELECT clock_timestamp() AS before, rag_create_session() AS id, clock_timestamp() AS after \gset
SELECT pg_temp.ms(:'id'::uuid) BETWEEN pg_temp.ms(:'before'::timestamptz) AND pg_temp.ms(:'after'::timestamptz) AS time_of_the_call;

-- Strictly ascending within a backend, whatever the clock does.
SELECT count(*), count(DISTINCT id) AS different, bool_and(id > previous) AS ascending
FROM (SELECT id, lag(id, 1, '00000000-0000-0000-0000-000000000000'::uuid) OVER (ORDER BY n) AS previous
      FROM (SELECT n, rag_create_session() AS id FROM generate_series(1, 10000) AS n OFFSET 0) AS generated) AS g;

-- Also over statements, and over a transaction that is rolled back.
SELECT rag_create_session() AS first \gset
BEGIN;
SELECT rag_create_session() AS second \gset
ROLLBACK;
SELECT rag_create_session() AS third \gset
SELECT :'first' < :'second' AND :'second' < :'third' AS ascending;

DROP EXTENSION rag_events;
