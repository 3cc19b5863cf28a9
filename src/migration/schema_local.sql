-- How what users attached to the tables is made anew where a dump is restored: rows of
-- the CTE local, a statement each, before the rows are loaded or after.
--
--   actual, extra  the CTEs of schema_differences.sql, which are put in front
--   $4  text  the name of the extension that keeps it (tools/keep_local.sql), or ''
--   $5  text  the version of that extension
--   $6  text  its scripts, as they are installed
--
-- Before the rows comes all that can be: whoever reads while they are loaded is to see
-- no more than afterwards, and they need their columns. But a dump makes extensions
-- before functions, types and tables of the user's own. So what needs one of these comes
-- after the rows, and until then
--   a column of such a type is text,
--   a column that is computed by such a function is an ordinary one,
--   a table with such a policy has none, but row security: nobody sees anything.
-- After the rows comes also what would act on them while they are loaded (triggers,
-- rules), and what they may violate (foreign keys, constraints that are not valid).
, attached AS (
  SELECT x.ord, x.object, x.ddl, a.kind, a.tbl, a.name, a.def, a.ddl AS made_by,
         to_regclass(quote_ident(h.nspname) || '.' || quote_ident(a.tbl)) AS rel,
         quote_ident(h.nspname) || '.' || quote_ident(a.tbl) AS q
  FROM extra x
  CROSS JOIN here h
  LEFT JOIN actual a ON a.object = x.object
  WHERE x.difference = 'not_dumped'
),
address AS (  -- where the catalogs have it
  SELECT l.object, 'pg_class'::regclass AS classid, c.attrelid AS objid, c.attnum::int AS objsubid, 'type' AS part
  FROM attached l JOIN pg_attribute c ON c.attrelid = l.rel AND c.attname = l.name WHERE l.kind = 'column'
  UNION ALL
  SELECT l.object, 'pg_attrdef'::regclass, d.oid, 0, 'default'
  FROM attached l JOIN pg_attribute c ON c.attrelid = l.rel AND c.attname = l.name
  JOIN pg_attrdef d ON d.adrelid = c.attrelid AND d.adnum = c.attnum WHERE l.kind = 'column'
  UNION ALL
  SELECT l.object, x.classid, x.objid, 0, 'all'
  FROM attached l JOIN pg_constraint c ON c.conrelid = l.rel AND c.conname = l.name
  CROSS JOIN LATERAL (VALUES ('pg_constraint'::regclass, c.oid), ('pg_class'::regclass, c.conindid)) AS x (classid, objid)
  WHERE l.kind = 'constraint'
  UNION ALL
  SELECT l.object, 'pg_class'::regclass, c.oid, 0, 'all'
  FROM attached l JOIN pg_index i ON i.indrelid = l.rel
  JOIN pg_class c ON c.oid = i.indexrelid AND c.relname = l.name WHERE l.kind = 'index'
  UNION ALL
  SELECT l.object, 'pg_statistic_ext'::regclass, s.oid, 0, 'all'
  FROM attached l JOIN pg_statistic_ext s ON s.stxrelid = l.rel
  JOIN pg_namespace n ON n.oid = s.stxnamespace AND format('%I.%I', n.nspname, s.stxname) = l.name WHERE l.kind = 'statistics'
  UNION ALL
  SELECT l.object, 'pg_policy'::regclass, p.oid, 0, 'all'
  FROM attached l JOIN pg_policy p ON p.polrelid = l.rel AND p.polname = l.name WHERE l.kind = 'policy'
),
need AS (  -- what it needs that PostgreSQL does not have by itself
  SELECT a.object, a.part, needed.classid, needed.objid, d.refobjsubid AS objsubid,
         (SELECT e.extname FROM pg_depend m JOIN pg_extension e ON e.oid = m.refobjid
          WHERE m.classid = needed.classid AND m.objid = needed.objid AND m.objsubid = 0
            AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e') AS extension
  FROM address a
  JOIN pg_depend d ON d.classid = a.classid AND d.objid = a.objid AND d.objsubid = a.objsubid
  LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
  LEFT JOIN pg_type el ON el.oid = t.typelem AND t.typcategory = 'A'
  CROSS JOIN LATERAL (  -- an array is what its elements are, and a row what its table is
    SELECT CASE WHEN coalesce(el.typrelid, t.typrelid) <> 0 THEN 'pg_class'::regclass ELSE d.refclassid END,
           coalesce(nullif(coalesce(el.typrelid, t.typrelid), 0), el.oid, d.refobjid)
  ) AS needed (classid, objid)
  WHERE needed.objid >= 16384
    AND d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_constraint'::regclass)
    AND NOT (needed.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = needed.objid))
),
late AS (  -- by what it needs
  WITH RECURSIVE late (object, part) AS (
    SELECT n.object, n.part FROM need n WHERE n.extension IS NULL
    UNION
    SELECT x.object, x.part
    FROM late
    JOIN attached l ON l.object = late.object AND l.kind = 'column'
      AND (late.part = 'type' OR l.def ->> 'generated' = 'yes')
    CROSS JOIN LATERAL (
      SELECT n.object, n.part FROM need n JOIN pg_attribute c ON c.attrelid = n.objid AND c.attnum = n.objsubid
      WHERE n.classid = 'pg_class'::regclass AND n.objid = l.rel AND c.attname = l.name AND n.object <> l.object
      UNION ALL
      SELECT o.object, 'all' FROM attached o WHERE o.kind = 'column option' AND o.tbl = l.tbl AND o.name = l.name
    ) AS x
  )
  SELECT l.object, array_agg(late.part) AS parts
  FROM late JOIN attached l ON l.object = late.object GROUP BY l.object
),
own_column AS (
  SELECT l.*,
         coalesce(p.parts, '{}') AS late_parts,
         l.def ->> 'generated' = 'yes' AND p.parts IS NOT NULL AS computed_late,
         format('ALTER TABLE %s ADD COLUMN %I ', l.q, l.name) AS add_column,
         format('ALTER TABLE %s ALTER COLUMN %I ', l.q, l.name) AS alter_column,
         (l.def ->> 'type') || coalesce(' COLLATE ' || (l.def ->> 'collation'), '') AS type,
         CASE WHEN l.def ->> 'not null' = 'no' THEN '' ELSE ' NOT NULL' END AS not_null,
         CASE WHEN l.def ->> 'generated' = 'no' THEN l.def ->> 'default' END AS initial
  FROM attached l LEFT JOIN late p ON p.object = l.object
  WHERE l.kind = 'column' AND l.made_by = l.ddl  -- but not ids that were widened
),
own_sequence AS (
  SELECT o.object, o.ord, o.q, o.name, o.alter_column, format('%I.%I', n.nspname, c.relname) AS sequence, d.deptype = 'i' AS is_identity,
         format(' (START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s)', s.seqstart, s.seqincrement, s.seqmin,
                s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS options,
         -- a dump does not have the last value
         format('SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%L, %L)::pg_catalog.regclass, pg_catalog.%s(%I)) FROM %s',
                o.q, o.name, CASE WHEN s.seqincrement > 0 THEN 'max' ELSE 'min' END, o.name, o.q) AS go_on
  FROM own_column o
  JOIN pg_attribute a ON a.attrelid = o.rel AND a.attname = o.name
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_sequence s ON s.seqrelid = d.objid
  JOIN pg_class c ON c.oid = d.objid
  JOIN pg_namespace n ON n.oid = c.relnamespace
),
statement (after_rows, ord, object, ddl) AS (
  -- Columns. A dump has the rows of all but computed ones, which it may call DEFAULT.
  SELECT false, o.ord, o.object,
         CASE
           WHEN o.computed_late THEN o.add_column || 'text'
           WHEN 'type' = ANY (o.late_parts) THEN o.add_column || 'text' || o.not_null
           WHEN 'default' = ANY (o.late_parts) THEN o.add_column || o.type || o.not_null
           WHEN s.is_identity THEN regexp_replace(o.ddl, '( AS IDENTITY)( NOT NULL)?$', E'\\1' || s.options || E'\\2')
           ELSE o.ddl END
  FROM own_column o LEFT JOIN own_sequence s ON s.object = o.object AND s.is_identity
  UNION ALL
  SELECT true, o.ord, o.object, format('ALTER TABLE %s DROP COLUMN %I; ', o.q, o.name) || o.ddl
  FROM own_column o WHERE o.computed_late
  UNION ALL
  SELECT true, o.ord, o.object, format('%sTYPE %s USING %I::%s', o.alter_column, o.type, o.name, o.def ->> 'type')
         || coalesce('; ' || o.alter_column || 'SET DEFAULT ' || o.initial, '')
  FROM own_column o WHERE 'type' = ANY (o.late_parts) AND NOT o.computed_late
  UNION ALL
  SELECT true, o.ord, o.object, format('%sSET DEFAULT %s', o.alter_column, o.initial)
  FROM own_column o WHERE 'default' = ANY (o.late_parts) AND NOT 'type' = ANY (o.late_parts) AND NOT o.computed_late
  UNION ALL
  -- A dump has the sequence, with an owner who need not be that of the table any more.
  SELECT true, s.ord, s.object, format('DO %L', format(
           'BEGIN EXECUTE pg_catalog.concat(''ALTER SEQUENCE '', %1$L, '' OWNER TO '', (SELECT relowner::pg_catalog.regrole'
           ' FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.=) %2$L::pg_catalog.regclass));'
           ' ALTER SEQUENCE %1$s OWNED BY %2$s.%3$I; END', s.sequence, s.q, s.name))
  FROM own_sequence s WHERE NOT s.is_identity
  UNION ALL  -- first of all, while no function of the user's is called by the table
  SELECT true, 1, s.object, s.go_on
  FROM own_sequence s WHERE s.is_identity

  UNION ALL
  SELECT CASE
           WHEN l.kind IN ('trigger', 'rule', 'replica identity', 'publication') THEN true
           WHEN l.kind = 'constraint' THEN
             p.object IS NOT NULL OR l.def ->> 'validated' = 'no' OR l.def ->> 'definition' LIKE 'FOREIGN KEY %'
           WHEN l.kind = 'policy' THEN  -- all of a table, or none: one of them may restrict the others
             EXISTS (SELECT FROM late o JOIN attached a ON a.object = o.object WHERE a.kind = 'policy' AND a.tbl = l.tbl)
           ELSE p.object IS NOT NULL
         END, l.ord, l.object, l.ddl
  FROM attached l LEFT JOIN late p ON p.object = l.object
  WHERE (l.kind <> 'column' OR l.made_by <> l.ddl) AND l.object NOT LIKE 'forced row security of %'
  UNION ALL
  -- The owner loads the rows, and could not if it was forced upon him.
  SELECT x.after_rows, l.ord, l.object,
         CASE WHEN x.after_rows THEN l.ddl ELSE format('DO %L', format(
           'BEGIN IF (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) CURRENT_USER) THEN %s; END IF; END',
           l.ddl)) END
  FROM attached l CROSS JOIN (VALUES (false), (true)) AS x (after_rows)
  WHERE l.object LIKE 'forced row security of %'
),
-- PostgreSQL replaces words that begin with @ext in the script of an extension, and takes
-- away lines that begin with \echo, wherever they stand.
local AS (
  SELECT s.after_rows, s.ord, s.object,
         CASE WHEN s.ddl LIKE '%@ext%' OR s.ddl LIKE E'%\n\\\\%' THEN
           'DO E''' || replace(replace(replace(replace(format('BEGIN EXECUTE %L; END', s.ddl), E'\\', E'\\\\'), '''', ''''''),
                               E'\n', E'\\n'), '@', E'\\100') || ''''
         ELSE s.ddl END AS ddl
  FROM statement s
),
required AS (SELECT DISTINCT n.extension FROM need n WHERE n.extension NOT IN ('rag_events', 'plpgsql')),
kept AS (SELECT l.object FROM local l GROUP BY l.object HAVING bool_and(strpos($6, E'\n' || l.ddl || E';\n') > 0)),
keeper AS (  -- the extension that keeps it, where it does not do that, or keeps more
  SELECT 19 AS ord, 'extension ' || $4 AS object, 'changed' AS difference, 'version: complete' AS expected, 'version: ' || $5 AS actual,
         format('ALTER EXTENSION %I UPDATE TO ''complete''', $4) AS ddl
  WHERE $5 = 'loading'
  UNION ALL
  SELECT 19, 'extension ' || $4, 'warning', 'what was added to the tables', 'also what is no longer there', NULL
  WHERE $5 = 'complete' AND $6 <> '' AND NOT EXISTS (SELECT FROM local l WHERE l.object NOT IN (TABLE kept))
    AND (SELECT sum(length(split_part(part, E'\n-- That is all.\n', 1)))
         FROM string_to_table($6, E'\n-- What was added:') WITH ORDINALITY AS x (part, n) WHERE n > 1)
        > coalesce((SELECT sum(length(l.ddl) + 2) FROM local l), 0)
)
