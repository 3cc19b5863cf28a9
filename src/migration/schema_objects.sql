-- What the catalogs say about the extension's objects in a schema, and about what
-- users attached to its tables.
--
--   $1  oid     the schema
--   $2  text[]  names of the tables and sequences to look at
--
-- One row an object. The compared facts are in def, a flat JSON object; ddl creates
-- the object. The search_path is pg_catalog alone, so that every other name comes
-- out qualified, and settings that change deparsed text are fixed.
SELECT o.ord, o.kind, o.object, o.tbl, o.name, o.def, o.ddl
FROM (
  SELECT n.oid AS nspoid, n.nspname,
         (SELECT e.oid FROM pg_extension e WHERE e.extname = 'rag_events') AS extoid
  FROM pg_namespace n WHERE n.oid = $1
) AS here
CROSS JOIN LATERAL (
  WITH rel AS (
    SELECT c.*, format('%I.%I', here.nspname, c.relname) AS q,
           (SELECT s.relowner FROM pg_class s
            WHERE s.relnamespace = here.nspoid AND s.relname IN ('sessions', 'messages')
            ORDER BY s.relname DESC LIMIT 1) AS sessions_owner
    FROM pg_class c
    WHERE c.relnamespace = here.nspoid AND c.relname = ANY ($2)
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  view AS (SELECT * FROM rel WHERE relkind = 'v' AND relname = 'rag_message_sources'),
  tab AS (SELECT * FROM rel WHERE relkind <> 'S' AND NOT EXISTS (SELECT FROM view WHERE view.oid = rel.oid)),
  att AS (
    SELECT t.q, t.relname, a.*, ty.typstorage, ty.typcollation,
           pg_get_expr(d.adbin, d.adrelid) AS expr,
           format('ALTER TABLE %s ALTER COLUMN %I', t.q, a.attname) AS alter_column
    FROM tab t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type ty ON ty.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  )

  SELECT 1 AS ord, 'table' AS kind, 'table ' || t.relname AS object,
         t.relname::text AS tbl, t.relname::text AS name,
         jsonb_build_object(
           'relkind', t.relkind::text,
           'children or partitions', CASE WHEN EXISTS (
             SELECT FROM pg_inherits i WHERE t.oid IN (i.inhrelid, i.inhparent)) THEN 'yes' ELSE 'no' END,
           'persistence', CASE t.relpersistence WHEN 'p' THEN 'logged' ELSE 'not logged' END,
           'owner', CASE
             WHEN t.relname = 'sessions' THEN 'owner of sessions'
             WHEN t.relname = 'rag_migration_log' AND r.rolsuper THEN 'a superuser'
             WHEN t.relname <> 'rag_migration_log' AND t.relowner = t.sessions_owner THEN 'owner of sessions'
             ELSE r.rolname::text END) AS def,
         format('CREATE TABLE %s ()', t.q) AS ddl
  FROM tab t JOIN pg_roles r ON r.oid = t.relowner

  UNION ALL
  SELECT 15, 'view', 'view ' || v.relname, v.relname, v.relname,
         jsonb_build_object(
           'definition', x.definition,
           'owner', CASE WHEN v.relowner = v.sessions_owner THEN 'owner of sessions'
             ELSE pg_get_userbyid(v.relowner)::text END),
         format('CREATE OR REPLACE VIEW %s %s', v.q, x.definition)
  FROM view v
  CROSS JOIN LATERAL (  -- before PostgreSQL 16, columns come with the alias of the only table
    SELECT concat('WITH (' || array_to_string(v.reloptions, ', ') || ') ', 'AS',
                  regexp_replace(rtrim(pg_get_viewdef(v.oid), ';'), '\ms\.', '', 'g'))
  ) AS x (definition)

  UNION ALL
  SELECT 2, 'sequence', 'sequence ' || t.relname, t.relname, t.relname,
         jsonb_build_object(
           'definition', format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s %s',
             format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax,
             CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
           'owned by', (SELECT format('%s.%s', dc.relname, da.attname)
             FROM pg_depend d
             JOIN pg_class dc ON dc.oid = d.refobjid
             JOIN pg_attribute da ON da.attrelid = d.refobjid AND da.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
               AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a')),
         format('CREATE SEQUENCE %s', t.q)
  FROM rel t JOIN pg_sequence s ON s.seqrelid = t.oid
  WHERE t.relkind = 'S'

  UNION ALL
  SELECT 3, 'column', format('column %s.%s', a.relname, a.attname), a.relname, a.attname,
         jsonb_build_object(
           'type', format_type(a.atttypid, a.atttypmod),
           'default', a.expr,
           'not null', CASE
             WHEN NOT a.attnotnull THEN 'no'
             -- from PostgreSQL 18 on, it may be a constraint that is not valid
             WHEN EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'n'
                          AND a.attnum = ANY (c.conkey) AND NOT c.convalidated) THEN 'not validated'
             ELSE 'yes' END,
           'identity', CASE a.attidentity WHEN '' THEN 'no' ELSE 'yes' END,
           'generated', CASE a.attgenerated WHEN '' THEN 'no' ELSE 'yes' END,
           'collation', CASE WHEN a.attcollation <> a.typcollation
             THEN a.attcollation::regcollation::text END),
         format('ALTER TABLE %s ADD COLUMN %I %s%s%s%s', a.q, a.attname,
           format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> a.typcollation
             THEN ' COLLATE ' || a.attcollation::regcollation::text END,
           CASE
             WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY'
             WHEN a.attidentity = 'd' THEN ' GENERATED BY DEFAULT AS IDENTITY'
             WHEN a.attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%s) STORED', a.expr)
             WHEN a.attgenerated = 'v' THEN format(' GENERATED ALWAYS AS (%s) VIRTUAL', a.expr)
             WHEN a.expr IS NOT NULL THEN ' DEFAULT ' || a.expr END,
           CASE WHEN a.attnotnull THEN ' NOT NULL' END)
  FROM att a

  UNION ALL
  SELECT 4, 'column option', format('%s of column %s.%s', x.option, a.relname, a.attname),
         a.relname, a.attname, jsonb_build_object('value', x.value),
         a.alter_column || ' SET ' || x.value
  FROM att a
  CROSS JOIN LATERAL (
    SELECT 'storage', 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
             WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END
    WHERE a.attstorage <> a.typstorage
    UNION ALL
    SELECT 'compression', 'COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
    WHERE a.attcompression <> ''
    UNION ALL
    SELECT 'statistics', 'STATISTICS ' || a.attstattarget
    WHERE coalesce(a.attstattarget, -1) >= 0
    UNION ALL
    SELECT 'option ' || split_part(opt, '=', 1), '(' || o.quoted || ')'
    FROM unnest(a.attoptions) AS opt
    CROSS JOIN LATERAL (
      SELECT quote_ident(split_part(opt, '=', 1)) || '=' || CASE WHEN v ~ '^[a-zA-Z0-9_.-]+$' THEN v ELSE quote_literal(v) END
      FROM substr(opt, length(split_part(opt, '=', 1)) + 2) AS v
    ) AS o (quoted)
    WHERE NOT starts_with(opt, 'pg_')  -- PostgreSQL's own bookkeeping
  ) AS x (option, value)

  UNION ALL
  SELECT 5, 'table option', format('option %s of table %s', split_part(opt, '=', 1), t.relname),
         t.relname, split_part(opt, '=', 1), jsonb_build_object('value', opt),
         format('ALTER TABLE %s SET (%s)', t.q, o.quoted)
  FROM tab t CROSS JOIN LATERAL unnest(t.reloptions) AS opt
  CROSS JOIN LATERAL (
    SELECT quote_ident(split_part(opt, '=', 1)) || '=' || CASE WHEN v ~ '^[a-zA-Z0-9_.-]+$' THEN v ELSE quote_literal(v) END
    FROM substr(opt, length(split_part(opt, '=', 1)) + 2) AS v
  ) AS o (quoted)

  UNION ALL
  SELECT CASE c.contype WHEN 'f' THEN 8 ELSE 6 END, 'constraint',  -- a foreign key may need an index
        
         format('constraint %s of table %s', c.conname, t.relname), t.relname, c.conname,
         jsonb_build_object(
           'definition', regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', ''),
           'validated', CASE WHEN c.convalidated THEN 'yes' ELSE 'no' END,
           'enabled', CASE WHEN EXISTS (SELECT FROM pg_trigger g
             WHERE g.tgconstraint = c.oid AND g.tgenabled <> 'O') THEN 'no' ELSE 'yes' END),
         format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.q, c.conname, pg_get_constraintdef(c.oid))
  FROM tab t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'p', 'u', 'x')

  UNION ALL
  SELECT 7, 'index', 'index ' || ic.relname, t.relname, ic.relname,
         jsonb_build_object(
           'definition', pg_get_indexdef(i.indexrelid),
           'valid', CASE WHEN i.indisvalid AND i.indisready THEN 'yes' ELSE 'no' END),
         pg_get_indexdef(i.indexrelid)
  FROM tab t
  JOIN pg_index i ON i.indrelid = t.oid
  JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid
                    AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x'))

  UNION ALL
  SELECT 7, 'statistics',  -- another schema may have some of the same name
         format('statistics %s of table %s',
           CASE WHEN sn.oid = here.nspoid THEN s.stxname::text ELSE format('%I.%I', sn.nspname, s.stxname) END, t.relname),
         t.relname, format('%I.%I', sn.nspname, s.stxname), jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid)),
         pg_get_statisticsobjdef(s.oid)
  FROM tab t
  JOIN pg_statistic_ext s ON s.stxrelid = t.oid
  JOIN pg_namespace sn ON sn.oid = s.stxnamespace

  UNION ALL
  SELECT 9, 'replica identity', 'replica identity of table ' || t.relname, t.relname, t.relname,
         jsonb_build_object('value', x.value),
         format('ALTER TABLE %s REPLICA IDENTITY %s', t.q, x.value)
  FROM tab t
  CROSS JOIN LATERAL (
    SELECT CASE t.relreplident WHEN 'f' THEN 'FULL' ELSE coalesce(  -- the index may be gone
      (SELECT format('USING INDEX %I', ic.relname) FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
       WHERE i.indrelid = t.oid AND i.indisreplident AND t.relreplident = 'i'), 'NOTHING') END
  ) AS x (value)
  WHERE t.relreplident <> 'd' AND t.relkind IN ('r', 'p')

  UNION ALL
  SELECT 10, 'trigger', format('trigger %s of table %s', g.tgname, t.relname), t.relname, g.tgname,
         jsonb_build_object('definition', pg_get_triggerdef(g.oid)),
         pg_get_triggerdef(g.oid) || CASE WHEN g.tgenabled = 'O' THEN '' ELSE
           format('; ALTER TABLE %s %s TRIGGER %I', t.q,
             CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
             g.tgname) END
  FROM tab t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal

  UNION ALL
  SELECT 11, 'rule', format('rule %s of table %s', w.rulename, t.relname), t.relname, w.rulename,
         jsonb_build_object('definition', pg_get_ruledef(w.oid)),
         rtrim(pg_get_ruledef(w.oid), ';') || CASE WHEN w.ev_enabled = 'O' THEN '' ELSE
           format('; ALTER TABLE %s %s RULE %I', t.q,
             CASE w.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
             w.rulename) END
  FROM tab t JOIN pg_rewrite w ON w.ev_class = t.oid AND w.rulename <> '_RETURN'

  UNION ALL
  SELECT 12, 'policy', format('policy %s of table %s', p.polname, t.relname), t.relname, p.polname,
         jsonb_build_object('definition', x.definition),
         format('CREATE POLICY %I ON %s %s', p.polname, t.q, x.definition)
  FROM tab t
  JOIN pg_policy p ON p.polrelid = t.oid
  CROSS JOIN LATERAL (
    SELECT concat('AS ', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
      ' FOR ', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
      ' TO ', (SELECT string_agg(CASE m WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(m)) END, ', ')
               FROM unnest(p.polroles) AS m),
      ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
  ) AS x (definition)

  UNION ALL
  SELECT 13, 'row security', 'row security of table ' || t.relname, t.relname, t.relname,
         jsonb_build_object('value', 'enabled'),
         format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.q)
  FROM tab t WHERE t.relrowsecurity
  UNION ALL
  SELECT 13, 'row security', 'forced row security of table ' || t.relname, t.relname, t.relname,
         jsonb_build_object('value', 'forced'),
         format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.q)
  FROM tab t WHERE t.relforcerowsecurity

  UNION ALL
  SELECT 14, 'publication', format('publication %s of table %s', p.pubname, t.relname), t.relname, p.pubname,
         jsonb_build_object('value', x.what),
         -- unless it is there: from PostgreSQL 18 on, pg_dump keeps it
         format('DO %L', format('BEGIN ALTER PUBLICATION %I ADD TABLE %s; EXCEPTION WHEN duplicate_object THEN NULL; END',
           p.pubname, x.what))
  FROM tab t
  JOIN pg_publication_rel pr ON pr.prrelid = t.oid
  JOIN pg_publication p ON p.oid = pr.prpubid
  CROSS JOIN LATERAL (
    SELECT concat(t.q,
      (SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
       FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (pr.prattrs)),
      ' WHERE (' || pg_get_expr(pr.prqual, pr.prrelid) || ')')
  ) AS x (what)

  UNION ALL
  SELECT 0, 'function', f.object, NULL, f.sig,  -- a column's default may call it
         jsonb_build_object(
           'definition', f.ddl,
           'owner', CASE WHEN r.rolsuper THEN 'a superuser' ELSE r.rolname::text END),
         f.ddl
  FROM (
    SELECT -- releases before 1.4 called the same library $libdir/rag_events
           replace(pg_get_functiondef(p.oid), 'AS ''$libdir/rag_events''', 'AS ''rag_events''') AS ddl,
           p.proowner, format('%I.%I(%s)', here.nspname, p.proname, oidvectortypes(p.proargtypes)) AS sig,
           format('function %s(%s)', p.proname, oidvectortypes(p.proargtypes)) AS object
    FROM pg_proc p
    WHERE p.pronamespace = here.nspoid AND p.prokind = 'f' AND starts_with(p.proname, 'rag_')
  ) AS f
  JOIN pg_roles r ON r.oid = f.proowner

  UNION ALL
  SELECT 1, 'aggregate', format('aggregate %s(%s)', p.proname, oidvectortypes(p.proargtypes)), NULL,
         format('%I.%I(%s)', here.nspname, p.proname, oidvectortypes(p.proargtypes)),
         jsonb_build_object(
           'definition', x.definition,
           'owner', CASE WHEN r.rolsuper THEN 'a superuser' ELSE r.rolname::text END),
         format('CREATE AGGREGATE %I.%I(%s) %s', here.nspname, p.proname, oidvectortypes(p.proargtypes), x.definition)
  FROM pg_proc p
  JOIN pg_aggregate a ON a.aggfnoid = p.oid
  JOIN pg_roles r ON r.oid = p.proowner
  CROSS JOIN LATERAL (
    SELECT format('(SFUNC = %s, STYPE = %s%s, PARALLEL = %s)', a.aggtransfn, a.aggtranstype::regtype,
      CASE WHEN a.aggcombinefn <> 0 THEN ', COMBINEFUNC = ' || a.aggcombinefn END,
      CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END)
  ) AS x (definition)
  WHERE p.pronamespace = here.nspoid AND starts_with(p.proname, 'rag_')

  UNION ALL
  SELECT 16, 'member', 'membership of ' || x.object, NULL, NULL, '{}'::jsonb,
         format('ALTER EXTENSION rag_events ADD %s', x.identity)
  FROM pg_depend d
  CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
  CROSS JOIN LATERAL (
    SELECT CASE
             WHEN d.classid = 'pg_proc'::regclass
             THEN (SELECT format('function %s(%s)', p.proname, oidvectortypes(p.proargtypes))
                   FROM pg_proc p WHERE p.oid = d.objid)
             WHEN i.schema = quote_ident(here.nspname)  -- it comes quoted
             THEN format('%s %s', i.type, substr(i.identity, length(quote_ident(here.nspname)) + 2))
             ELSE format('%s %s', i.type, i.identity) END,
           format('%s %s', i.type, i.identity)
  ) AS x (object, identity)
  WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = here.extoid AND d.deptype = 'e'
    -- from 17 on, a table's row type is a member too
    AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_type el ON el.oid = t.typelem
                    WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
                      AND (t.typrelid <> 0 OR el.typrelid <> 0))

  UNION ALL
  SELECT 17, 'dump mark', 'dump mark of ' || m.mark, m.mark, m.mark,
         jsonb_build_object('condition', m.condition),
         format('UPDATE pg_catalog.pg_extension SET extconfig = extconfig || %L::pg_catalog.regclass::pg_catalog.oid,'
                ' extcondition = extcondition || %L::pg_catalog.text WHERE extname = ''rag_events''',
                m.mark_q, m.condition)
  FROM (
    SELECT CASE WHEN c.relnamespace = here.nspoid THEN c.relname::text ELSE x.relid::regclass::text END AS mark,
           format('%I.%I', cn.nspname, c.relname) AS mark_q, x.condition
    FROM pg_extension e
    CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) AS x (relid, condition)
    JOIN pg_class c ON c.oid = x.relid
    JOIN pg_namespace cn ON cn.oid = c.relnamespace
    WHERE e.oid = here.extoid
  ) AS m
) AS o
