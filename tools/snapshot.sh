#!/usr/bin/env bash
#
# Writes down what a version makes of a database:
#
#   make snapshot [VERSION=1.3]      the head by default
#
# Builds the sources, installs VERSION on a private server and writes
# schema/rag_events--VERSION.json, which rag_check_schema() compares with, and, of the
# head, schema/schema.sql, which is for people who want to read the schema. Does the same
# by an update from the version before, down, and up again, and refuses to write where
# the results differ.
#
#   tools/snapshot.sh --objects VERSION    prints that .json
#   tools/snapshot.sh --schema VERSION     prints that .sql
#
# These two use the server of the PG* variables, where the caller is a superuser and has
# the extension available. VERSION is installed in a database of its own, which is
# dropped again.

set -u
# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$RAG_ROOT" || exit 1

# ---------------------------------------------------------------------------
# Printing
# ---------------------------------------------------------------------------

# in_new_database SCHEMA VERSION: runs the statements of standard input where VERSION is
# installed in SCHEMA.
in_new_database() {
  local db=rag_events_snapshot_$$ status

  createdb --template=template0 "$db" || return
  {
    cat <<SQL
CREATE SCHEMA IF NOT EXISTS $1;
CREATE EXTENSION rag_events SCHEMA $1 VERSION '$2';
SET search_path = pg_catalog, pg_temp;
SET quote_all_identifiers = off;
SET datestyle = 'ISO';
SQL
    cat
  } | PGDATABASE=$db psql -XqAt -v ON_ERROR_STOP=1
  status=$?
  dropdb "$db"
  return "$status"
}

# print_objects VERSION. The schema has a name that occurs nowhere else, to be replaced
# safely.
print_objects() {
  set -o pipefail
  in_new_database rag_extschema "$1" <<SQL | sed 's/rag_extschema/@extschema@/g'
PREPARE objects (oid, text[]) AS
$(cat src/migration/schema_objects.sql);
CREATE TEMP TABLE snapshot AS EXECUTE objects ('rag_extschema'::regnamespace,
  '{sessions,messages,messages_id_seq,rag_migration_log,rag_feedback,rag_usage_daily,rag_message_sources}');
SELECT CASE row_number() OVER w WHEN 1 THEN '[' ELSE ',' END || to_jsonb(s)
FROM snapshot AS s WINDOW w AS (ORDER BY ord, object COLLATE "C")
ORDER BY ord, object COLLATE "C";
SELECT ']';
SQL
}

# print_schema VERSION
print_schema() {
  cat <<END
-- The tables and functions of rag_events $1, to be read by people: written by "make
-- snapshot" from an installed extension. The scripts that make them are in sql/.
END
  in_new_database rag_events "$1" <<'SQL'
SET search_path = rag_events, pg_catalog;
CREATE TEMP TABLE member AS
SELECT c.oid, c.relname AS name FROM pg_class AS c JOIN pg_depend AS d ON d.objid = c.oid
WHERE d.deptype = 'e' AND d.classid = 'pg_class'::regclass AND c.relkind = 'r';
CREATE FUNCTION pg_temp.comment(description text, indent text) RETURNS text LANGUAGE sql
RETURN coalesce(regexp_replace(indent || '-- ' || description, '\n', E'\n' || indent || '-- ', 'g') || E'\n', '');
WITH lines AS (
  SELECT a.attrelid AS oid, 1 AS part, a.attnum AS n, pg_temp.comment(col_description(a.attrelid, a.attnum), '    ') AS comment,
    concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid),
              CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' END, CASE WHEN a.attnotnull THEN 'NOT NULL' END) AS line
  FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT conrelid, 2, row_number() OVER (ORDER BY conname), pg_temp.comment(obj_description(oid, 'pg_constraint'), '    '),
    format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE contype <> 'n')
SELECT E'\n' || pg_temp.comment(obj_description(m.oid, 'pg_class'), '') || 'CREATE TABLE ' || m.name || E' (\n'
  || (SELECT string_agg(l.comment || '    ' || l.line, E',\n' ORDER BY part, n) FROM lines AS l WHERE l.oid = m.oid) || E'\n);'
  || coalesce((SELECT E'\n' || string_agg(pg_temp.comment(obj_description(i.indexrelid, 'pg_class'), '') || pg_get_indexdef(i.indexrelid) || ';',
                                          E'\n' ORDER BY i.indexrelid::regclass::text COLLATE "C")
               FROM pg_index AS i WHERE i.indrelid = m.oid AND NOT i.indisprimary), '')
FROM member AS m ORDER BY m.name <> 'sessions', m.name;
SELECT E'\n' || pg_temp.comment(obj_description(p.oid, 'pg_proc'), '') || format(E'FUNCTION %s(%s)\n    RETURNS %s;',
  p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE p.pronamespace = 'rag_events'::regnamespace ORDER BY p.proname COLLATE "C";
SQL
}

case ${1-} in
--objects | --schema)
  [ -n "${2-}" ] || rag_die "usage: tools/snapshot.sh $1 VERSION"
  "print_${1#--}" "$2"
  exit
  ;;
esac

# ---------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------

head=$(sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)
# shellcheck disable=SC2031 # os-release is read in a subshell
version=${VERSION:-$head}
file=schema/rag_events--$version.json
compgen -G "sql/rag_events--*--$version.sql" >/dev/null || [ -f "sql/rag_events--$version.sql" ] ||
  rag_die "there is no version $version"

rag_require server build
rag_workdir
rag_build with_llvm=no >"$RAG_TMP/log" 2>&1 && rag_start_server >>"$RAG_TMP/log" 2>&1 || {
  cat "$RAG_TMP/log" >&2
  exit 1
}

# print KIND: what the script prints of the version, as the user of the server.
print() { (cd "$RAG_TMP/build" && rag_as_user tools/snapshot.sh "--$1" "$version") >"$RAG_TMP/$1"; }

# round_trip: the rows of rag_check_schema() after each step to and from VERSION.
round_trip() {
  local previous

  previous=$(compgen -G "sql/rag_events--*--$version.sql" |
    sed 's/^sql.rag_events--\(.*\)--.*/\1/' | sort -V | head -n 1)
  rag_as_user cp "$RAG_TMP/objects" "$("$PG_CONFIG" --sharedir)/extension/${file#*/}" || return
  [ "$version" != 1.0 ] || return 0
  rag_as_user psql -X -q -A -t -v ON_ERROR_STOP=1 -v version="$version" -v previous="$previous" <<'SQL'
CREATE EXTENSION rag_events VERSION :'previous';
ALTER EXTENSION rag_events UPDATE TO :'version';
SELECT 'after the update: ', d FROM rag_check_schema() AS d;
ALTER EXTENSION rag_events UPDATE TO :'previous';
SELECT 'after the step down: ', d FROM rag_check_schema() AS d;
ALTER EXTENSION rag_events UPDATE TO :'version';
SELECT 'after the step down and up: ', d FROM rag_check_schema() AS d;
SQL
}

# write KIND FILE: unless it says so already.
write() {
  if cmp -s "$RAG_TMP/$1" "$2"; then
    echo "$2 is right."
  else
    cat "$RAG_TMP/$1" >"$2"
    echo "Wrote $2."
  fi
}

print objects && print schema || exit 1
problems=$(round_trip)
status=$?
[ -z "$problems" ] || rag_die "version $version is not the same on every way:
$problems"
[ "$status" -eq 0 ] || exit 1
write objects "$file"
[ "$version" != "$head" ] || write schema schema/schema.sql
