-- Adoption. First, statements that give the tables of another migration tool our names, where the
-- same sequence, constraint or index is there under another. Nothing here touches
-- data. The check of role is made anew where it is there in other words.
--
--   actual, expected   the CTEs of schema_differences.sql, which are put in front
, expected_checks AS (
  -- The ways in which PostgreSQL shows role IN ('user', 'assistant') and its like.
  SELECT replace(replace(form, '$1', r.a), '$2', r.b) AS definition
  FROM unnest(ARRAY[
    'CHECK (((role)::text = ANY (ARRAY[''$1''::text, ''$2''::text])))',
    'CHECK (((role)::text = ANY ((ARRAY[''$1''::character varying, ''$2''::character varying])::text[])))',
    'CHECK (((role)::text = ANY (ARRAY[(''$1''::character varying)::text, (''$2''::character varying)::text])))',
    'CHECK ((((role)::text = ''$1''::text) OR ((role)::text = ''$2''::text)))'
  ]) AS form
  CROSS JOIN (VALUES ('user', 'assistant'), ('assistant', 'user')) AS r (a, b)
),
ordinary AS (  -- are both tables of the kind that can be adopted at all?
  SELECT count(*) = 2 AS tables
  FROM actual a JOIN expected e USING (object)
  WHERE a.tbl IN ('sessions', 'messages') AND a.kind = 'table'
    AND a.def -> 'relkind' = e.def -> 'relkind'
    AND a.def -> 'children or partitions' = e.def -> 'children or partitions'
),
renames AS (
  SELECT 1 AS ord, format('ALTER SEQUENCE %s RENAME TO %I', s.oid::regclass, e.name) AS ddl
  FROM expected e
  JOIN ordinary ON ordinary.tables
  JOIN pg_class t ON t.relnamespace = $1 AND t.relname = 'messages'
  JOIN pg_attribute i ON i.attrelid = t.oid AND i.attname = 'id'
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    AND d.refobjsubid = i.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = $1
  WHERE e.kind = 'sequence' AND NOT EXISTS (SELECT FROM actual a WHERE a.object = e.object)
  UNION ALL
  SELECT CASE r.kind WHEN 'constraint' THEN 2 ELSE 3 END, r.ddl
  FROM renamed r
  JOIN ordinary ON ordinary.tables
  UNION ALL
  SELECT 4, format('ALTER TABLE %I.%I DROP CONSTRAINT %I, ADD CONSTRAINT %I %s',
                   n.nspname, e.tbl, min(a.name), e.name, e.def ->> 'definition')
  FROM expected e
  JOIN ordinary ON ordinary.tables
  JOIN pg_namespace n ON n.oid = $1
  JOIN actual a ON a.kind = 'constraint' AND a.tbl = e.tbl AND a.def ->> 'validated' = 'yes'
  JOIN expected_checks c ON c.definition = a.def ->> 'definition'
  JOIN expected ec ON ec.object = 'column messages.role'
  JOIN actual ac ON ac.object = ec.object
    AND ac.def ->> 'type' = ec.def ->> 'type'  -- not a type whose casts run code of its owner
  WHERE e.object = 'constraint ck_messages_role of table messages'
    AND NOT EXISTS (SELECT FROM actual s
                    WHERE s.tbl = e.tbl AND s.kind = e.kind AND s.def ->> 'definition' = e.def ->> 'definition')
  GROUP BY n.nspname, e.tbl, e.name, e.def
)
-- What no statement can mend in place: columns of ids whose type is another (others refer
-- to them, or no id of theirs is one of ours), and columns that must have a value and are
-- not there.
, hopeless AS (
  SELECT e.object
  FROM expected e
  JOIN actual a ON a.object = e.object
  WHERE e.object IN ('column sessions.id', 'column messages.id', 'column messages.session_id')
    AND a.def ->> 'type' <> e.def ->> 'type'
    AND NOT (e.object = 'column messages.id' AND a.def ->> 'type' IN ('bigint', 'smallint'))
  UNION ALL
  SELECT e.object
  FROM expected e
  WHERE e.kind = 'column' AND e.tbl IN ('sessions', 'messages') AND e.def ->> 'not null' = 'yes' AND e.def ->> 'default' IS NULL
    AND EXISTS (SELECT FROM actual t WHERE t.kind = 'table' AND t.tbl = e.tbl)
    AND NOT EXISTS (SELECT FROM actual a WHERE a.object = e.object)
)
-- Columns that become text, such as a user_id that is a UUID. What the user made of them
-- (a foreign key, a policy) cannot be made again as it is.
, retyped AS (
  SELECT e.tbl, e.name
  FROM expected e
  JOIN actual a ON a.object = e.object
  WHERE e.kind = 'column' AND e.def ->> 'type' IN ('character varying', 'text') AND a.def ->> 'type' !~ '^(text|character|name)'
)
-- What a later version adds: an own column of such a name becomes that column, and an own
-- index gets another name.
, later (name, type) AS (
  VALUES ('token_count', 'integer'), ('metadata', 'jsonb'), ('idempotency_key', 'text'),
         ('ix_messages_created_at', NULL), ('uq_messages_idempotency_key', NULL)
)
-- Statements by which own columns go, and come back with their values, grants and so on.
, kept_column AS (
  SELECT o.object,
         concat(
           (SELECT string_agg(format('ALTER SEQUENCE %s OWNED BY NONE; ', s.sequence), '')
            FROM own_sequence s WHERE s.object = o.object AND NOT s.is_identity),
           CASE WHEN x.has_values THEN format('CREATE TABLE %s AS SELECT id, %I FROM %s; ', x.kept, o.name, o.q) END,
           format('ALTER TABLE %s DROP COLUMN %I', o.q, o.name)) AS ddl,
         concat_ws('; ',
           CASE WHEN l.name IS NOT NULL THEN NULL
                WHEN x.has_values THEN o.add_column || o.type  -- and all else after the values
                ELSE o.ddl END,
           CASE WHEN x.has_values THEN
             format('UPDATE %s AS t SET %I = k.%2$I%s FROM %s AS k WHERE k.id = t.id', o.q, o.name, '::' || l.type, x.kept) END,
           CASE WHEN x.has_values THEN 'DROP TABLE ' || x.kept END,
           CASE WHEN l.name IS NULL THEN o.alter_column || 'SET DEFAULT ' || o.initial END,
           CASE WHEN x.has_values AND c.attnotnull AND l.name IS NULL THEN o.alter_column || 'SET NOT NULL' END,
           CASE WHEN l.name IS NULL THEN
             (SELECT string_agg(CASE WHEN s.is_identity
                THEN format('%sADD GENERATED %s AS IDENTITY%s; %s', o.alter_column,
                  CASE c.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, s.options, s.go_on)
                ELSE format('ALTER SEQUENCE %s OWNED BY %s.%I', s.sequence, o.q, o.name) END, '; ')
              FROM own_sequence s WHERE s.object = o.object) END,
           (SELECT string_agg(format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, o.name, o.q,
              CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END), '; ')
            FROM aclexplode(c.attacl) AS g),
           CASE WHEN l.name IS NULL THEN
             format('COMMENT ON COLUMN %s.%I IS ', o.q, o.name) || quote_literal(col_description(c.attrelid, c.attnum)) END) AS again
  FROM own_column o
  CROSS JOIN here
  JOIN pg_attribute c ON c.attrelid = o.rel AND c.attname = o.name
  LEFT JOIN later l ON l.name = o.name AND o.tbl = 'messages'
  CROSS JOIN LATERAL (
    SELECT c.attgenerated = '' OR l.name IS NOT NULL,
           quote_ident(here.nspname) || '.' || quote_ident('kept_' || left(o.tbl || '_' || o.name, 55))
  ) AS x (has_values, kept)
)
-- What keeps the tables from being adopted. Own objects must go, too: once the
-- tables are an extension's, pg_dump would leave them out without a word. In the
-- order in which to run the DDL: what hangs on a column goes before the column. What
-- goes is made again afterwards, by the statements of again, in the order again_ord.
, unadoptable AS (
  SELECT d.ord, d.object, d.difference, d.expected, d.actual, NULL::numeric AS again_ord, NULL AS again,
         CASE
           WHEN e.kind = 'sequence' AND (d.difference = 'missing' OR id.is_identity)
           THEN CASE WHEN d.difference = 'missing' OR d.expected LIKE 'owned by: %' THEN
             format('%4$sCREATE SEQUENCE %1$s %2$s OWNED BY %3$s.id;'
                    ' SELECT pg_catalog.setval(%1$L, pg_catalog.max(id)) FROM %3$s',
                    quote_ident(n.nspname) || '.' || quote_ident(e.name),
                    e.def ->> 'definition', quote_ident(n.nspname) || '.messages',
                    CASE WHEN id.is_identity THEN
                      format('ALTER TABLE %I.messages ALTER COLUMN id DROP IDENTITY; ', n.nspname) END)
             END
           WHEN d.object = 'column messages.id' AND d.expected = 'identity: no' THEN NULL  -- done with the sequence
           ELSE d.ddl
         END AS ddl
  FROM (TABLE missing UNION ALL TABLE changed) AS d
  CROSS JOIN (SELECT EXISTS (SELECT FROM actual WHERE object = 'column messages.id'
                             AND def ->> 'identity' = 'yes') AS is_identity) AS id
  JOIN pg_namespace n ON n.oid = $1
  JOIN expected e ON e.object = d.object
  WHERE e.kind IN ('table', 'sequence', 'column', 'constraint', 'index') AND e.tbl <> 'rag_migration_log'
  UNION ALL
  SELECT CASE a.kind WHEN 'column' THEN 100 ELSE -a.ord END, a.object, 'unexpected', NULL, NULL,
         a.ord + CASE a.kind WHEN 'column' THEN c.attnum / 10000.0 ELSE 0 END,
         CASE
           WHEN a.kind IN ('constraint', 'policy', 'rule', 'trigger', 'index')
             AND EXISTS (SELECT FROM retyped r WHERE r.tbl = a.tbl AND a.ddl ~ ('\y' || regexp_replace(r.name, '\W', '\\\&', 'g') || '\y'))
           THEN '-- ' || replace(a.ddl, E'\n', E'\n-- ')
           -- What a later version sets itself is not made again.
           WHEN a.object = 'option fillfactor of table sessions' OR a.object LIKE 'compression of column messages.%' THEN NULL
           WHEN a.kind IN ('constraint', 'index') AND EXISTS (SELECT FROM later l WHERE l.name = a.name)
           THEN replace(a.ddl, format(' %s ', a.name), format(' %s_own ', a.name))
           WHEN a.kind = 'column' THEN k.again
           ELSE a.ddl
         END,
         CASE a.kind
           WHEN 'column' THEN k.ddl
           WHEN 'column option' THEN format('ALTER TABLE %s ALTER COLUMN %I %s', x.q, a.name,
             CASE
               WHEN a.object LIKE 'storage of %' THEN 'SET STORAGE ' || CASE t.typstorage
                 WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END
               WHEN a.object LIKE 'compression of %' THEN 'SET COMPRESSION default'
               WHEN a.object LIKE 'statistics of %' THEN 'SET STATISTICS -1'
               ELSE format('RESET (%s)', substring(a.object FROM '^option ([^ ]+) '))
             END)
           WHEN 'table option' THEN format('ALTER TABLE %s RESET (%s)', x.q, a.name)
           WHEN 'constraint' THEN format('ALTER TABLE %s DROP CONSTRAINT %I', x.q, a.name)
           WHEN 'index' THEN format('DROP INDEX %I.%I', n.nspname, a.name)
           WHEN 'statistics' THEN 'DROP STATISTICS ' || a.name
           WHEN 'replica identity' THEN format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', x.q)
           WHEN 'trigger' THEN format('DROP TRIGGER %I ON %s', a.name, x.q)
           WHEN 'rule' THEN format('DROP RULE %I ON %s', a.name, x.q)
           WHEN 'policy' THEN format('DROP POLICY %I ON %s', a.name, x.q)
           WHEN 'row security' THEN format('ALTER TABLE %s %s ROW LEVEL SECURITY', x.q,
             CASE WHEN a.object LIKE 'forced %' THEN 'NO FORCE' ELSE 'DISABLE' END)
           WHEN 'publication' THEN format('ALTER PUBLICATION %I DROP TABLE %s', a.name, x.q)
         END
  FROM actual a
  JOIN pg_namespace n ON n.oid = $1
  CROSS JOIN LATERAL (SELECT quote_ident(n.nspname) || '.' || quote_ident(a.tbl)) AS x (q)
  LEFT JOIN kept_column k ON k.object = a.object
  LEFT JOIN pg_attribute c ON c.attrelid = to_regclass(x.q) AND c.attname = a.name
  LEFT JOIN pg_type t ON t.oid = c.atttypid
  WHERE a.kind IN ('column', 'column option', 'table option', 'constraint', 'index', 'statistics', 'replica identity',
                   'trigger', 'rule', 'policy', 'row security', 'publication')
    AND NOT EXISTS (SELECT FROM expected e WHERE e.object = a.object)
)
