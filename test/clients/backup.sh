#!/usr/bin/env bash
#
# The shell of docs/backup.md, to the letter: what was added to the tables is kept by make keep-local, restored, and
# restored without it, by two files.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

page=$RAG_ROOT/docs/backup.md

# recipe N: the Nth block of shell, for the databases and the role of this test.
recipe() {
  awk -v n="$1" '/^```/ { inside = !inside && $0 == "```sh" && ++block == n; next } inside' "$page" |
    sed "s/mydb/$own/g; s/newdb/${own}_new/g; s/\bapp\b/$own/g"
}

run_recipe() {
  local script
  script=$(recipe "$1")
  [ -n "$script" ] && PGUSER=$caller bash -euc "$script"
}

state() {
  PGDATABASE=$1 sql <<'SQL'
SELECT object, actual FROM rag_check_schema() WHERE kind IN ('kept', 'not_dumped') ORDER BY object COLLATE "C";
SELECT kind, object FROM rag_check_schema() WHERE kind NOT IN ('kept', 'not_dumped');
SELECT * FROM sessions;
SELECT * FROM messages;
SELECT viewname FROM pg_views WHERE viewowner = (SELECT rolname FROM pg_roles WHERE oid = (SELECT relowner FROM pg_class WHERE relname = 'messages'));
SELECT relname, relowner::regrole FROM pg_class WHERE relname IN ('sessions', 'messages') ORDER BY 1;
SQL
}

drop_new() { as_caller -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS ${own}_new WITH (FORCE)"; }

sql <<'SQL' || exit 1
CREATE EXTENSION rag_events;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION tenant() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('app.tenant', true) $$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.top_k := 1; RETURN new; END';
ALTER TABLE messages ADD tenant text DEFAULT tenant(), ADD mood mood DEFAULT 'good';
CREATE INDEX own ON messages (tenant);
CREATE POLICY own ON messages USING (tenant = tenant());
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
SET app.tenant = 'a';
SELECT rag_add_message(rag_create_session(), 'user', 'kept') \g /dev/null
CREATE TRIGGER stamp BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION stamp();
SQL
was=$(state "$own")

ok "where no files can be placed: two files go with the dump" run_recipe 3
same "... all is as it was" "$was" "$(state "${own}_new")"
drop_new
# Whoever reads an own column by a view has it back as well.
sql -c "CREATE VIEW tenants AS SELECT tenant FROM messages"
keep() { cd "$RAG_ROOT" && run_recipe 1; }
ok "make keep-local" keep
was=$(state "$own")
cd "$RAG_TMP" || exit 1
ok "a dump keeps it, and is restored" run_recipe 2
same "... all is as it was" "$was" "$(state "${own}_new")"
drop_new

rm -f "$("${PG_CONFIG:-pg_config}" --sharedir)/extension/rag_local_$own"*
finished
