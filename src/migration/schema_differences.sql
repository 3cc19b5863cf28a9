-- What differs between the extension's objects in a schema and the expected ones:
-- one row a difference, in the order in which to run the DDL that mends them.
--
--   actual    rows of schema_objects.sql (a CTE put in front of this)
--   $3  text  the expected rows as a JSON array, for this schema
--   $7  bool  whether the tables are distributed by Citus
--
-- What users attached to the tables is no fault, but pg_dump does not keep it.
, expected AS (
  SELECT e.ord, e.kind, e.object, e.tbl, e.name,
         CASE WHEN $7 AND e.kind = 'view' THEN e.def - 'definition' ELSE e.def || coalesce(d.def, '{}') END AS def, e.ddl
  FROM jsonb_to_recordset($3::jsonb)
    AS e (ord int, kind text, object text, tbl text, name text, def jsonb, ddl text)
  LEFT JOIN (VALUES  -- what rag_distribute() changes
    ('column messages.id', '{"type": "bigint"}'::jsonb),
    ('constraint messages_pkey of table messages', '{"definition": "PRIMARY KEY (session_id, id)"}'),
    ('sequence messages_id_seq', '{"definition": "AS bigint INCREMENT BY 1024 MINVALUE 1 MAXVALUE 9223372036854775807 NO CYCLE"}')
  ) AS d (object, def) ON $7 AND d.object = e.object
),
here AS (
  SELECT n.nspname,
         (SELECT r.rolname FROM pg_roles r WHERE r.oid = 10) AS superuser,
         coalesce((SELECT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
                   WHERE c.relnamespace = n.oid AND c.relname IN ('sessions', 'messages')
                   ORDER BY c.relname DESC LIMIT 1),
                  current_user) AS sessions_owner  -- where it is missing, that of messages
  FROM pg_namespace n WHERE n.oid = $1
),
shape AS (  -- a constraint or an index but for its name
  SELECT o.*, CASE o.kind
           WHEN 'index' THEN substring(o.def ->> 'definition' FROM '^CREATE (?:UNIQUE )?INDEX')
                             || substring(o.def ->> 'definition' FROM ' USING .*$')
           ELSE o.def ->> 'definition'
         END AS shape
  FROM (SELECT 'expected' AS side, * FROM expected UNION ALL SELECT 'actual', * FROM actual) AS o
  WHERE o.kind IN ('constraint', 'index')
),
renamed AS (  -- expected, and there under another name
  SELECT e.object, e.kind, e.tbl, min(a.name) AS other,
         CASE e.kind
           WHEN 'index' THEN format('ALTER INDEX %I.%I RENAME TO %I', here.nspname, min(a.name), e.name)
           ELSE format('ALTER TABLE %I.%I RENAME CONSTRAINT %I TO %I', here.nspname, e.tbl, min(a.name), e.name)
         END AS ddl
  FROM shape e
  CROSS JOIN here
  JOIN shape a ON a.side = 'actual' AND a.kind = e.kind AND a.tbl = e.tbl AND a.shape = e.shape
  WHERE e.side = 'expected'
    AND NOT EXISTS (SELECT FROM actual o WHERE o.object = e.object)
    AND NOT EXISTS (SELECT FROM expected o WHERE o.object = a.object)
  GROUP BY e.object, e.kind, e.tbl, e.name, here.nspname
),
missing AS (
  SELECT e.ord, e.object, 'missing' AS difference,
         coalesce((SELECT string_agg(format('%s: %s', f.key, f.value), ', ' ORDER BY f.key)
                   FROM jsonb_each_text(e.def) AS f WHERE f.value IS NOT NULL), '') AS expected,
         'name: ' || r.other AS actual,
         coalesce(r.ddl, e.ddl || CASE e.kind
           WHEN 'sequence' THEN ' ' || (e.def ->> 'definition')
           WHEN 'table' THEN format('; ALTER TABLE %I.%I OWNER TO %I', here.nspname, e.name,
             CASE e.def ->> 'owner' WHEN 'a superuser' THEN here.superuser ELSE here.sessions_owner END)
           WHEN 'view' THEN format('; ALTER VIEW %I.%I OWNER TO %I', here.nspname, e.name, here.sessions_owner)
           ELSE '' END) AS ddl
  FROM expected e CROSS JOIN here LEFT JOIN renamed r ON r.object = e.object
  WHERE NOT EXISTS (SELECT FROM actual a WHERE a.object = e.object)
),
-- Ids of messages may have been widened beyond 32 bits: all functions take that for
-- right. pg_dump does not keep it.
widened AS (
  SELECT a.ord, a.object, 'not_dumped' AS difference, NULL AS expected,
         format('%s: %s', x.key, a.def ->> x.key) AS actual, x.key,
         format(x.ddl, quote_ident(n.nspname) || '.' || quote_ident(a.tbl)) AS ddl
  FROM actual a
  JOIN pg_namespace n ON n.oid = $1
  JOIN (VALUES
    ('column messages.id', 'type', 'bigint', 'ALTER TABLE %s ALTER COLUMN id TYPE bigint'),
    ('sequence messages_id_seq', 'definition', 'AS bigint INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 NO CYCLE',
     'ALTER SEQUENCE %s AS bigint')
  ) AS x (object, key, value, ddl) ON x.object = a.object AND x.value = a.def ->> x.key
  WHERE NOT $7
),
unowned AS (  -- a missing sequence, again: when the column is there
  SELECT 4 AS ord, e.object, 'missing' AS difference, 'owned by: ' || (e.def ->> 'owned by') AS expected, NULL AS actual,
         format('ALTER SEQUENCE %1$s OWNER TO %2$I; ALTER SEQUENCE %1$s OWNED BY %3$I.%4$s;'
                ' SELECT pg_catalog.setval(%1$L, pg_catalog.max(%5$I)) FROM %3$I.%6$I',
                format('%I.%I', here.nspname, e.name), here.sessions_owner, here.nspname, e.def ->> 'owned by',
                split_part(e.def ->> 'owned by', '.', 2), split_part(e.def ->> 'owned by', '.', 1)) AS ddl
  FROM expected e CROSS JOIN here
  WHERE e.kind = 'sequence' AND NOT EXISTS (SELECT FROM actual a WHERE a.object = e.object)
),
changed AS (
  SELECT e.ord - CASE WHEN f.key = 'persistence' AND e.tbl = 'sessions' THEN 0.5 ELSE 0 END AS ord,  -- others refer to it
         e.object, 'changed' AS difference,
         format('%s: %s', f.key, coalesce(f.value, 'none')) AS expected,
         format('%s: %s', f.key, coalesce(a.def ->> f.key, 'none')) AS actual,
         CASE e.kind || ' ' || f.key
           WHEN 'table relkind' THEN NULL
           WHEN 'table children or partitions' THEN (
             SELECT string_agg(format('ALTER TABLE %s NO INHERIT %s', i.inhrelid::regclass, i.inhparent::regclass), '; ')
             FROM pg_inherits i
             WHERE a.def ->> 'relkind' = 'r' AND to_regclass(x.tbl) IN (i.inhparent, i.inhrelid))
           WHEN 'table persistence' THEN format('ALTER TABLE %s SET LOGGED', x.tbl)
           WHEN 'table owner' THEN format('ALTER TABLE %s OWNER TO %I', x.tbl,
             CASE f.value WHEN 'a superuser' THEN here.superuser ELSE here.sessions_owner END)
           WHEN 'sequence definition' THEN format('ALTER SEQUENCE %s %s', x.tbl, f.value)
           WHEN 'sequence owned by' THEN 
             format('ALTER SEQUENCE %1$s OWNED BY NONE; ALTER SEQUENCE %1$s OWNER TO %2$I; ALTER SEQUENCE %1$s OWNED BY %3$I.%4$s',
                    x.tbl, here.sessions_owner, here.nspname, f.value)
           WHEN 'column type' THEN x.col || ' TYPE ' || f.value || CASE
             WHEN a.def ->> 'type' = 'timestamp with time zone' AND f.value = 'timestamp without time zone'
             THEN format(' USING %I AT TIME ZONE ''UTC''', e.name)
             -- types that are not converted by themselves
             WHEN a.def ->> 'type' LIKE '%[]' AND f.value = 'jsonb'
             THEN format(' USING pg_catalog.to_jsonb(%I)', e.name)
             WHEN a.def ->> 'type' ~ '^(text|character)' AND to_regtype(f.value) <> ALL ('{text,varchar}'::regtype[])
             THEN format(' USING %I::%s', e.name, f.value)
             ELSE '' END
           WHEN 'column default' THEN
             CASE WHEN a.def ->> 'identity' = 'yes' THEN x.col || ' DROP IDENTITY IF EXISTS; ' ELSE '' END
             || CASE WHEN a.def ->> 'generated' = 'yes' THEN x.col || ' DROP EXPRESSION IF EXISTS; ' ELSE '' END
             || x.col || coalesce(' SET DEFAULT ' || f.value, ' DROP DEFAULT')
           WHEN 'column not null' THEN x.col || CASE f.value WHEN 'yes' THEN ' SET' ELSE ' DROP' END || ' NOT NULL'
           WHEN 'column identity' THEN x.col || CASE f.value WHEN 'yes' THEN ' ADD GENERATED ALWAYS AS IDENTITY' ELSE ' DROP IDENTITY IF EXISTS' END
           WHEN 'column generated' THEN x.col || ' DROP EXPRESSION IF EXISTS'
           WHEN 'column collation' THEN x.col || ' TYPE ' || (e.def ->> 'type')
           WHEN 'constraint definition' THEN
             format('ALTER TABLE %s DROP CONSTRAINT %I; %s', x.tbl, e.name, e.ddl)
           WHEN 'constraint validated' THEN
             format('ALTER TABLE %s VALIDATE CONSTRAINT %I', x.tbl, e.name)
           WHEN 'constraint enabled' THEN (
             SELECT string_agg(format('ALTER TABLE %s ENABLE TRIGGER %I', t.tgrelid::regclass, t.tgname), '; ' ORDER BY t.oid)
             FROM pg_constraint c JOIN pg_trigger t ON t.tgconstraint = c.oid
             WHERE c.conrelid = to_regclass(x.tbl) AND c.conname = e.name AND t.tgenabled <> 'O')
           WHEN 'index definition' THEN format('DROP INDEX %I.%I; %s', here.nspname, e.name, e.ddl)
           WHEN 'index valid' THEN format('REINDEX INDEX %I.%I', here.nspname, e.name)
           WHEN 'function definition' THEN f.value
           WHEN 'function owner' THEN format('ALTER FUNCTION %s OWNER TO %I', e.name, here.superuser)
           WHEN 'aggregate definition' THEN format('DROP AGGREGATE %s; %s', e.name, e.ddl)
           WHEN 'aggregate owner' THEN format('ALTER AGGREGATE %s OWNER TO %I', e.name, here.superuser)
           WHEN 'view owner' THEN format('ALTER VIEW %s OWNER TO %I', x.tbl, here.sessions_owner)
           WHEN 'dump mark condition' THEN
             format('UPDATE pg_catalog.pg_extension SET extcondition[array_position(extconfig, %L::pg_catalog.regclass)] = %L'
                    ' WHERE extname = ''rag_events''', x.tbl, f.value)
           ELSE e.ddl
         END AS ddl
  FROM expected e
  JOIN actual a ON a.object = e.object
  CROSS JOIN here
  CROSS JOIN LATERAL (
    SELECT format('%I.%I', here.nspname, e.tbl),
           format('ALTER TABLE %I.%I ALTER COLUMN %I', here.nspname, e.tbl, e.name)
  ) AS x (tbl, col)
  CROSS JOIN LATERAL jsonb_each_text(e.def) AS f
  WHERE f.value IS DISTINCT FROM a.def ->> f.key
    AND NOT EXISTS (SELECT FROM widened w WHERE w.object = e.object AND w.key = f.key)
),
extra AS (  -- columns in their order: one may be generated from another
  SELECT a.ord + CASE WHEN a.kind = 'column' THEN c.attnum / 10000.0 ELSE 0 END AS ord, a.object,
         CASE WHEN a.kind IN ('member', 'dump mark') OR x.hides_log THEN 'extra' ELSE 'not_dumped' END AS difference,
         NULL AS expected,
         coalesce((SELECT string_agg(format('%s: %s', f.key, f.value), ', ' ORDER BY f.key)
                   FROM jsonb_each_text(a.def) AS f WHERE f.value IS NOT NULL), '') AS actual,
         CASE a.kind
           WHEN 'member' THEN replace(a.ddl, 'EXTENSION rag_events ADD ', 'EXTENSION rag_events DROP ')
           WHEN 'dump mark' THEN NULL
           ELSE CASE WHEN x.hides_log THEN replace(replace(a.ddl, ' FORCE ROW', ' NO FORCE ROW'), ' ENABLE ROW', ' DISABLE ROW')
                ELSE a.ddl END
         END AS ddl
  FROM actual a
  CROSS JOIN here
  -- The log is the superuser's, and for everybody to read.
  CROSS JOIN LATERAL (SELECT a.kind = 'row security' AND a.tbl = 'rag_migration_log') AS x (hides_log)
  LEFT JOIN pg_attribute c ON c.attrelid = to_regclass(quote_ident(here.nspname) || '.' || quote_ident(a.tbl))
    AND c.attname = a.name
  WHERE a.kind NOT IN ('function', 'aggregate', 'view')
    -- What CREATE INDEX CONCURRENTLY left behind when it failed is nothing to make again.
    AND NOT (a.kind = 'index' AND a.def ->> 'valid' = 'no')
    AND NOT EXISTS (SELECT FROM expected e WHERE e.object = a.object)
    AND NOT EXISTS (SELECT FROM renamed r WHERE r.kind = a.kind AND r.tbl = a.tbl AND r.other = a.name)
  UNION ALL
  SELECT ord, object, difference, expected, actual, ddl FROM widened
),
column_order (tbl, n, name) AS (
  SELECT 'sessions', x.n, x.name
  FROM unnest('{id,user_id,created_at,updated_at,metadata}'::text[]) WITH ORDINALITY AS x (name, n)
  UNION ALL
  SELECT 'messages', x.n, x.name
  FROM unnest('{id,session_id,role,content,created_at,sources,latency_ms,top_k,query_type,token_count,metadata,idempotency_key}'::text[])
    WITH ORDINALITY AS x (name, n)
),
warning AS (
  SELECT 18 AS ord, 'order of columns of table ' || c.relname AS object, 'warning' AS difference,
         'as in a new installation, and own columns at the end' AS expected,
         string_agg(a.attname, ', ' ORDER BY a.attnum) || ': pg_dump needs --column-inserts in the place of --inserts' AS actual,
         NULL AS ddl
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN column_order o ON o.tbl = c.relname AND o.name = a.attname
  WHERE c.relnamespace = $1 AND c.relname IN ('sessions', 'messages')
  GROUP BY c.relname
  HAVING array_agg(a.attname ORDER BY a.attnum) <> array_agg(a.attname ORDER BY o.n, a.attnum)
  UNION ALL
  SELECT 18, 'index ' || a.name, 'warning', 'a valid index', 'not valid, and not used',
         format('DROP INDEX %I.%I', n.nspname, a.name)
  FROM actual a
  JOIN pg_namespace n ON n.oid = $1
  WHERE a.kind = 'index' AND a.def ->> 'valid' = 'no'
    AND NOT EXISTS (SELECT FROM expected e WHERE e.object = a.object)
  UNION ALL
  SELECT 18, 'sequence ' || s.relname, 'warning',
         'CACHE 1: ids in the order in which messages are added', format('CACHE %s', q.seqcache),
         format('ALTER SEQUENCE %I.%I CACHE 1', n.nspname, s.relname)
  FROM pg_class s
  JOIN pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_sequence q ON q.seqrelid = s.oid
  WHERE s.relnamespace = $1 AND s.relname = 'messages_id_seq' AND q.seqcache > 1
  UNION ALL
  SELECT 18, 'sequence ' || s.relname, 'warning',
         format('at most half of %s ids used', x.range),
         format('%s used', x.used),
         NULL
  FROM pg_class s
  JOIN pg_sequence q ON q.seqrelid = s.oid
  JOIN pg_class m ON m.relnamespace = s.relnamespace AND m.relname = 'messages'
  JOIN pg_attribute i ON i.attrelid = m.oid AND i.attname = 'id'
  CROSS JOIN LATERAL (
    SELECT least(q.seqmax, CASE i.atttypid WHEN 'int4'::regtype THEN 2147483647 ELSE q.seqmax END),
           CASE WHEN has_sequence_privilege(s.oid, 'USAGE, SELECT') THEN pg_sequence_last_value(s.oid) END
  ) AS x (range, used)
  WHERE s.relnamespace = $1 AND s.relname = 'messages_id_seq' AND x.used > x.range / 2
)
