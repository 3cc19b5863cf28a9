#!/usr/bin/env bash
#
# docs/tenants.md, and two tenants who try to read each other by every function of the extension, through PgBouncer; before
# and after a dump that keeps their policies.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=test/clients/document.sh
. "$RAG_ROOT/test/clients/document.sh"

rag_require deb:pgbouncer
app=${own}_app
drop_all() {
  as_caller -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS ${own}_new WITH (FORCE)"
  drop_database
  as_caller -c "SET client_min_messages = warning" -c "DROP ROLE IF EXISTS $app"
}
trap 'status=$?; stop_pooler; drop_all; (exit "$status"); rag_cleanup' EXIT

# The role of the page is this test's.
sed "s/chat_app/$app/g" "$RAG_ROOT/docs/tenants.md" >"$RAG_TMP/tenants.md"
PGUSER=$caller sql_of "$RAG_TMP/tenants.md"
PGUSER=$caller sql -c "ALTER TABLE sessions OWNER TO $own" -c "ALTER TABLE messages OWNER TO $own" -c "ALTER TABLE rag_feedback OWNER TO $own" || exit 1

# ---------------------------------------------------------------------------
# Each function, whichever parameters it has, on a session of somebody else
# ---------------------------------------------------------------------------

# calls TENANT SESSION MESSAGE END: transactions of the tenant with a call each, for every
# function of the extension; with the user's name where it has such a parameter, and without.
calls() {
  PGUSER=$caller sql -v tenant="$1" -v session="$2" -v message="$3" -v end="$4" <<'SQL'
WITH parameter AS (
  SELECT p.oid, p.proname, a.n, a.name, a.n > p.pronargs - p.pronargdefaults AS optional,
         CASE
           WHEN a.name ~ 'user_id$' THEN quote_literal('maya')
           WHEN a.name = 'role' THEN quote_literal('user')
           WHEN a.name = 'query' THEN quote_literal('secret')
           WHEN a.name = 'messages' THEN quote_literal('[{"role": "user", "content": "planted"}]')
           WHEN a.name = 'conversation' THEN quote_literal('{"messages": [{"role": "user", "content": "planted"}]}')
           ELSE CASE format_type(a.type, NULL)
             WHEN 'uuid' THEN quote_literal(:'session')
             WHEN 'bigint' THEN :'message'
             WHEN 'jsonb' THEN quote_literal('{}')
             WHEN 'interval' THEN quote_literal('1 microsecond')
             WHEN 'boolean' THEN 'true'
             WHEN 'date' THEN 'current_date'
             WHEN 'integer' THEN '1000'
             WHEN 'double precision' THEN '1'
             WHEN 'integer[]' THEN quote_literal('{1}')
             ELSE quote_literal('planted') END
         END || '::' || format_type(a.type, NULL) AS value
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'rag_events'
  LEFT JOIN LATERAL unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY AS a (type, name, n) ON true
  WHERE p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
)
SELECT format(E'BEGIN;\nSELECT set_config(''app.tenant'', %L, true) \\g /dev/null\nSELECT * FROM %I(%s);\n%s;',
              :'tenant', proname,
              string_agg(format('%I => %s', name, value), ', ' ORDER BY n)
                FILTER (WHERE NOT optional OR name ~ '^(session_id|query)$' OR (with_user AND name ~ 'user_id$')),
              :'end')
FROM parameter CROSS JOIN (VALUES (true), (false)) AS w (with_user)
GROUP BY oid, proname, with_user
ORDER BY proname, with_user;
SQL
}

as_app() { PGUSER=$app psql -X -q -A -t -v VERBOSITY=terse "$@" 2>&1; }

# state TENANT: all that it has.
state() {
  PGUSER=$caller sql -v tenant="$1" <<'SQL'
SELECT * FROM sessions WHERE tenant = :'tenant' ORDER BY id;
SELECT * FROM messages WHERE tenant = :'tenant' ORDER BY id;
SELECT f.* FROM rag_feedback AS f JOIN sessions AS s ON s.id = session_id WHERE tenant = :'tenant' ORDER BY message_id;
SQL
}

# new_session TENANT: its id and that of a message in it.
new_session() {
  as_app -v tenant="$1" <<'SQL'
BEGIN;
SELECT set_config('app.tenant', :'tenant', true) \g /dev/null
SELECT rag_create_session('maya', '{"title": "secret title"}') AS session \gset
SELECT rag_add_message(:'session', 'user', 'secret of ' || :'tenant', user_id => 'maya') AS message \gset
SELECT rag_set_feedback(:'session', :message, comment => 'secret of ' || :'tenant', user_id => 'maya') \g /dev/null
SELECT :'session', :message;
COMMIT;
SQL
}

# attack NAME COMMAND…: each tenant on the other's session, both at once, each call from the
# same state; COMMAND runs what it gets with the right connection.
attack() {
  local name=$1 acme umbrella
  shift
  IFS='|' read -r acme acme_message < <("$@" new_session acme)
  IFS='|' read -r umbrella umbrella_message < <("$@" new_session umbrella)
  calls acme "$acme" "$acme_message" ROLLBACK >"$RAG_TMP/own.sql"
  calls umbrella "$acme" "$acme_message" ROLLBACK >"$RAG_TMP/umbrella.sql"
  calls acme "$umbrella" "$umbrella_message" ROLLBACK >"$RAG_TMP/acme.sql"

  "$@" as_app -f "$RAG_TMP/own.sql" >"$RAG_TMP/own.out"
  ok "$name: a tenant reads its own by many functions" test "$(grep -c 'secret' "$RAG_TMP/own.out")" -ge 10
  "$@" as_app -f "$RAG_TMP/acme.sql" >"$RAG_TMP/acme.out" &
  "$@" as_app -f "$RAG_TMP/umbrella.sql" >"$RAG_TMP/umbrella.out"
  wait $!
  same "$name: nothing of acme's comes out" "" "$(grep 'secret of acme' "$RAG_TMP/umbrella.out")"
  same "$name: nothing of umbrella's comes out" "" "$(grep 'secret of umbrella' "$RAG_TMP/acme.out")"
}

# untouched NAME COMMAND…: what one tenant does, and commits, changes nothing of the other.
untouched() {
  local name=$1 acme acme_message before
  shift
  IFS='|' read -r acme acme_message < <("$@" new_session acme)
  before=$(state acme)
  calls umbrella "$acme" "$acme_message" COMMIT >"$RAG_TMP/umbrella.sql"
  "$@" as_app -f "$RAG_TMP/umbrella.sql" >/dev/null
  same "$name: nothing of the other tenant changes" "$before" "$(state acme)"
  same "$name: no message is in another tenant's session" 0 "$(PGUSER=$caller sql -c \
    'SELECT count(*) FROM messages AS m JOIN sessions AS s ON s.id = m.session_id WHERE s.tenant <> m.tenant')"
}

closed() {
  local name=$1
  shift
  same "$name: without a tenant, there is nothing" "0
0
0" "$("$@" as_app -c "SELECT count(*) FROM sessions" -c "SELECT count(*) FROM messages" -c "SELECT count(*) FROM rag_feedback")"
  ok "$name: ... and nothing can be written" grep -q 'violates row-level security\|violates not-null' \
    <("$@" as_app -c "SELECT rag_create_session('maya')")
}

pooler_roles=("$app")
start_pooler
# Both are in every connection to the server afterwards.
attack pooled through_pooler
untouched pooled through_pooler
closed pooled through_pooler
same "a tenant stays with its transaction" "" "$(
  for _ in {1..20}; do
    through_pooler as_app -c "BEGIN; SELECT set_config('app.tenant', 'acme', true); COMMIT" >/dev/null
    # in each of the connections that the pooler hands out in turn
    for _ in $(seq $pool_size); do through_pooler as_app -c "SELECT current_setting('app.tenant', true)"; done
  done | grep .
)"
stop_pooler

# ---------------------------------------------------------------------------
# After a dump and its restore
# ---------------------------------------------------------------------------

ok "make keep-local" env PGUSER="$caller" tools/migrate.sh keep-local
before=$(state acme; state umbrella)
restore() {
  pg_dump -Fc -f "$RAG_TMP/dump" "$own" && createdb --owner="$own" "${own}_new" &&
    pg_restore --exit-on-error --role="$own" -d "${own}_new" "$RAG_TMP/dump" &&
    PGDATABASE=${own}_new sql -c "ALTER EXTENSION rag_local_$own UPDATE TO 'complete'"
}
PGUSER=$caller ok "a dump is restored, and completed" restore
export PGDATABASE=${own}_new
same "all rows are there" "$before" "$(state acme; state umbrella)"
direct() { "$@"; }
attack restored direct
untouched restored direct
closed restored direct
export PGDATABASE=$own
rm -f "$("${PG_CONFIG:-pg_config}" --sharedir)/extension/rag_local_$own"*
finished
