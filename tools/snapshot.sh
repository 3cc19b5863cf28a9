#!/usr/bin/env bash
# Prints the expected objects of a version, as rag_check_schema() reads them.
#
#   tools/snapshot.sh VERSION > schema/rag_events--VERSION.json
#
# VERSION is installed afresh in a database of its own on the server of the PG*
# variables, by a superuser, and dropped again.
set -euo pipefail

version=${1:?usage: tools/snapshot.sh VERSION}
src=$(cd "$(dirname "$0")/../src" && pwd)
db=rag_events_snapshot_$$

createdb --template=template0 "$db"
trap 'dropdb --if-exists "$db"' EXIT

# The schema has a name that occurs nowhere else, to be replaced safely.
PGDATABASE=$db psql -XqAt -v ON_ERROR_STOP=1 <<SQL |
CREATE SCHEMA rag_extschema;
CREATE EXTENSION rag_events SCHEMA rag_extschema VERSION '$version';
SET search_path = pg_catalog, pg_temp;
SET quote_all_identifiers = off;
SET datestyle = 'ISO';
PREPARE objects (oid, text[]) AS
$(cat "$src/migration/schema_objects.sql");
CREATE TEMP TABLE snapshot AS EXECUTE objects ('rag_extschema'::regnamespace,
  '{sessions,messages,messages_id_seq,rag_migration_log}');
SELECT CASE row_number() OVER w WHEN 1 THEN '[' ELSE ',' END || to_jsonb(s)
FROM snapshot AS s WINDOW w AS (ORDER BY ord, object COLLATE "C")
ORDER BY ord, object COLLATE "C";
SELECT ']';
SQL
  sed 's/rag_extschema/@extschema@/g'
