-- The statements that do by a script what was done to the tables by hand, or with
-- "way" down those that take it back.
--
--   :way     up or down
--   :schema  the extension's schema
--   :dbname  for the comment
--
-- What has no place in a step, or needs somebody to think, comes as a comment.
SET search_path = pg_catalog, pg_temp;

WITH difference AS (
  SELECT d.*, x.*
  FROM :"schema".rag_check_schema() WITH ORDINALITY AS d (object, kind, expected, actual, ddl, n)
  CROSS JOIN LATERAL (
    SELECT CASE WHEN d.object LIKE '% of column %' THEN 'column option'
                WHEN d.object LIKE 'option % of table %' THEN 'table option'
                ELSE (regexp_match(d.object, '^(forced row security|row security|replica identity|\S+)'))[1] END,
           (regexp_match(d.object, '(?:column |table )([^ .]+)'))[1],
           (regexp_match(d.object, '^(?:index|constraint) (.*?)(?: of table .*)?$'))[1],
           (regexp_match(d.object, 'column [^.]+\.(.*)$'))[1],
           (regexp_match(d.object, '^(?:option )?(\S+(?: \S+)??) of '))[1],
           replace(d.ddl, format('%I.', :'schema'), '@extschema@.'),
           replace(regexp_replace(d.actual, '^[a-z ]+: ', ''), format('%I.', :'schema'), '@extschema@.'),
           (regexp_match(d.actual, '^[a-z ]+(?=: )'))[1]
  ) AS x (what, tbl, name, col, option, mend, found, fact)
  WHERE d.kind <> 'warning'
),
-- Columns as a script names their types, where there is nothing else to them.
added AS (
  SELECT d.n, format('ALTER TABLE @extschema@.%I ADD COLUMN %I %I.%I', tbl, col, tn.nspname, t.typname) AS ddl
  FROM difference AS d
  JOIN pg_class c ON c.relname = d.tbl AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema')
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = d.col
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
  WHERE d.what = 'column' AND d.kind = 'not_dumped' AND a.atttypmod = -1 AND NOT a.attnotnull
    AND NOT a.atthasdef AND a.attidentity = '' AND a.attcollation = t.typcollation
),
-- forth makes the object as it was found, back as the version has it.
step AS (
  SELECT d.n, d.object, d.kind, d.what, d.tbl, d.col, d.found, d.fact, d.mend,
         CASE
           WHEN d.what IN ('trigger', 'rule', 'policy', 'row security', 'forced row security',
                           'publication', 'replica identity', 'membership', 'dump', 'function') THEN NULL
           WHEN d.kind = 'not_dumped' THEN coalesce(added.ddl,
             CASE WHEN d.what IN ('column', 'constraint') OR d.mend ~ ' WHERE |\(.*\(| COMPRESSION lz4'
                  THEN E'-- review: names without schema, defaults, NOT NULL, what not every server has\n' END || d.mend, d.mend)
           WHEN d.kind = 'missing' AND d.fact = 'name' THEN
             format(CASE d.what WHEN 'index' THEN 'ALTER INDEX @extschema@.%2$I RENAME TO %3$I'
                    ELSE 'ALTER TABLE @extschema@.%1$I RENAME CONSTRAINT %2$I TO %3$I' END, d.tbl, d.name, d.found)
           WHEN d.kind = 'missing' AND d.what = 'column' THEN drop_it
           WHEN d.kind = 'missing' AND d.what IN ('constraint', 'index') THEN drop_it
           WHEN d.what = 'column' AND d.fact = 'default' AND d.found <> 'none'
           THEN format('ALTER TABLE @extschema@.%I ALTER COLUMN %I SET DEFAULT %s', d.tbl, d.col, d.found)
           WHEN d.what = 'column' AND d.fact = 'default'
           THEN format('ALTER TABLE @extschema@.%I ALTER COLUMN %I DROP DEFAULT', d.tbl, d.col)
           WHEN d.what = 'index' AND d.fact = 'definition' THEN drop_it || E';\n' || d.found
           WHEN d.what = 'constraint' AND d.fact = 'definition' THEN
             format(E'%s;\nALTER TABLE @extschema@.%I ADD CONSTRAINT %I %s', drop_it, d.tbl, d.name, d.found)
         END AS forth,
         CASE
           WHEN d.kind <> 'not_dumped' THEN replace(d.mend, '; ', E';\n')
           WHEN d.what IN ('column', 'constraint', 'index') THEN drop_it
           WHEN d.what = 'table option' THEN format('ALTER TABLE @extschema@.%I RESET (%s)', d.tbl, d.option)
           -- what the column itself takes along
           WHEN EXISTS (SELECT FROM difference AS c WHERE c.what = 'column' AND c.kind = 'not_dumped'
                        AND c.tbl = d.tbl AND c.col = d.col) THEN ''
           WHEN d.what = 'column option' AND d.option = 'compression'
           THEN format('ALTER TABLE @extschema@.%I ALTER COLUMN %I SET COMPRESSION default', d.tbl, d.col)
           WHEN d.what = 'column option' AND d.option = 'storage'
           THEN format('ALTER TABLE @extschema@.%I ALTER COLUMN %I SET STORAGE %s', d.tbl, d.col,
             (SELECT CASE t.typstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
              WHERE a.attrelid = format('%I.%I', :'schema', d.tbl)::regclass AND a.attname = d.col))
           WHEN d.what = 'column option' AND d.option = 'statistics'
           THEN format('ALTER TABLE @extschema@.%I ALTER COLUMN %I SET STATISTICS -1', d.tbl, d.col)
         END AS back
  FROM difference AS d
  LEFT JOIN added USING (n)
  CROSS JOIN LATERAL (
    SELECT CASE d.what
             WHEN 'column' THEN format('ALTER TABLE @extschema@.%I DROP COLUMN %I', d.tbl, d.col)
             WHEN 'constraint' THEN format('ALTER TABLE @extschema@.%I DROP CONSTRAINT %I', d.tbl, d.name)
             WHEN 'index' THEN format('DROP INDEX @extschema@.%I', d.name)
           END
  ) AS x (drop_it)
),
line (n, text) AS (
  SELECT 0, format(E'-- As it was done by hand in database "%s".', :'dbname')
  WHERE :'way' = 'up' AND EXISTS (SELECT FROM step)
  UNION ALL
  -- a step down says what would be lost, before anything is
  SELECT -1, concat_ws(E'\n',
           'CREATE FUNCTION @extschema@.rag_refuse_data_loss(tab pg_catalog.regclass, VARIADIC columns pg_catalog.text[]) RETURNS void',
           'LANGUAGE c AS ''MODULE_PATHNAME'', ''rag_refuse_data_loss'';', '',
           string_agg(format('SELECT @extschema@.rag_refuse_data_loss(%L::pg_catalog.regclass, VARIADIC ARRAY[%s]::pg_catalog.text[]);',
             '@extschema@.' || quote_ident(t.tbl), t.columns), E'\n'), '',
           'DROP FUNCTION @extschema@.rag_refuse_data_loss(pg_catalog.regclass, pg_catalog.text[]);', '')
  FROM (SELECT tbl, string_agg(quote_literal(col), ', ' ORDER BY n) AS columns
        FROM step WHERE what = 'column' AND kind = CASE :'way' WHEN 'up' THEN 'missing' ELSE 'not_dumped' END
        GROUP BY tbl) AS t
  HAVING count(*) > 0
  UNION ALL
  SELECT CASE :'way' WHEN 'up' THEN n ELSE 1000000 - n END,
         CASE
           WHEN forth IS NULL THEN format(E'-- left to do: %s is %s: %s', object, CASE kind WHEN 'not_dumped' THEN 'new' ELSE kind END,
             coalesce(regexp_replace(as_it_is, E'\n.*', ' ...'), ''))
           WHEN :'way' = 'up' THEN forth || ';'
           ELSE coalesce(nullif(back, '') || ';',
                         CASE WHEN back IS NULL THEN format('-- left to do: take back %s', object) END)
         END
  FROM step CROSS JOIN LATERAL (SELECT CASE kind WHEN 'changed' THEN fact || ': ' || found ELSE mend END) AS a (as_it_is)
  WHERE :'way' = 'up' OR forth IS NOT NULL
)
SELECT text FROM line WHERE text IS NOT NULL ORDER BY n;
