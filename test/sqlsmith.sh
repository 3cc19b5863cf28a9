#!/usr/bin/env bash
#
# Random queries that call the functions of the extension with whatever there is of the
# right type: sqlsmith against a private server. No crash, and no internal error (XX000)
# from our functions or from what they run.
#
#   test/sqlsmith.sh [--minutes N] [--seed N]        (30 minutes, a random seed)
#
# Each scalar function is there many times over, under other names, each one that returns
# rows also as a function of arrays, and all of them in views: else sqlsmith, which knows
# the thousands of PostgreSQL's, would hardly ever choose one of ours. PG_CONFIG chooses the
# server; one that is built with assertions (test/sanitize.sh builds one) sees more.
# Prints lines of TAP, the number of calls and what errors there were; ends with "N
# passed, N failed".

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

export LC_ALL=C
minutes=30
seed=$((RANDOM * 32768 + RANDOM))
aliases=300
passed=0 failed=0

while [ $# -gt 0 ]; do
  case $1 in
  --minutes | --seed)
    [[ ${2-} =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
    printf -v "${1#--}" %s "$2"
    shift
    ;;
  *) rag_die "unknown argument \"$1\"; see the head of test/sqlsmith.sh" ;;
  esac
  shift
done

# check NAME COMMAND…
check() {
  if rag_check "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

sql() { rag_as_user psql -X -q -At -v ON_ERROR_STOP=1 -d smith "$@"; }

# The database of an ordinary user, with conversations in it, the aliases and the views.
prepare() {
  rag_as_user psql -X -q -d postgres -c 'CREATE ROLE smith LOGIN' -c 'CREATE DATABASE smith OWNER smith' &&
    sql -U smith -c 'CREATE EXTENSION rag_events' &&
    sql -v aliases="$aliases" <<'END'
SELECT rag_add_messages(s, (SELECT jsonb_agg(jsonb_build_object('role', CASE n % 2 WHEN 0 THEN 'assistant' ELSE 'user' END,
         'content', repeat('word ', n), 'sources', CASE n % 3 WHEN 0 THEN jsonb_build_array(n) END, 'latency_ms', n / 7.0, 'top_k', n,
         'query_type', 'q' || n, 'token_count', CASE n % 2 WHEN 0 THEN n END, 'metadata', jsonb_build_object('n', n),
         'idempotency_key', CASE n % 5 WHEN 0 THEN 'key ' || n END)) FROM generate_series(1, 30) AS n))
FROM (SELECT rag_create_session('user ' || n % 3, jsonb_build_object('title', n)) AS s FROM generate_series(1, 10) AS n) AS sessions;
CREATE VIEW ours AS
SELECT p.oid, p.proname, p.prosrc, p.probin, p.proretset, p.provolatile, p.proisstrict, pg_get_function_result(p.oid) AS result,
       pg_get_function_identity_arguments(p.oid) AS named, oidvectortypes(p.proargtypes) AS types, p.pronargs
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'rag_events'
WHERE p.prokind = 'f'; -- an aggregate calls functions that are here
SELECT format('CREATE FUNCTION %I(%s) RETURNS %s LANGUAGE c %s %s AS %L, %L', proname || '_' || n, types, result,
              CASE provolatile WHEN 'v' THEN 'VOLATILE' ELSE 'STABLE' END, CASE WHEN proisstrict THEN 'STRICT' END, probin, prosrc)
FROM ours, generate_series(1, :aliases) AS n WHERE NOT proretset AND result <> 'void' AND probin IS NOT NULL
UNION ALL
SELECT format('CREATE FUNCTION %I(%s) RETURNS text[] LANGUAGE sql VOLATILE AS %L', proname || '_' || n, types,
              format('SELECT array_agg(f::text) FROM %s(%s) AS f', proname,
                     (SELECT string_agg('$' || i, ', ' ORDER BY i) FROM generate_series(1, pronargs) AS i)))
FROM ours, generate_series(1, :aliases) AS n WHERE proretset OR result = 'void' OR probin IS NULL
\gexec
-- Values of each type, odd ones among them.
CREATE TABLE inputs AS
SELECT s.id AS session, s.user_id AS who, m.id::bigint AS message, m.id AS n, CASE m.id % 3 WHEN 0 THEN 'user' WHEN 1 THEN 'assistant' ELSE m.content END AS role,
       m.sources, m.metadata, m.latency_ms - 1 AS ms, m.id % 2 = 0 AS yes
FROM sessions s JOIN messages m ON m.session_id = s.id
UNION ALL VALUES (NULL::uuid, NULL, NULL::bigint, NULL::int, NULL, NULL::jsonb, NULL::jsonb, NULL::float8, NULL::boolean),
  (gen_random_uuid(), '', 9223372036854775807, 2147483647, '', '[]', '[]', 'NaN', false),
  (gen_random_uuid(), 'é', -9223372036854775808, -2147483648, 'bot', 'null', '{"role": "user", "content": "x"}', 'infinity', true);
CREATE VIEW created AS SELECT i.*, rag_create_session(who, metadata) AS c FROM inputs i WHERE n < 9;
CREATE VIEW added AS SELECT i.*, rag_add_message(session, 'user', role, sources, abs(n), n, who, who, n, '{}', role || n) AS c FROM inputs i WHERE n < 50;
CREATE VIEW added_many AS SELECT i.*, rag_add_messages(session, jsonb_build_array(jsonb_build_object('role', 'user', 'content', role, 'sources', sources)), who, yes) AS c FROM inputs i WHERE n < 50;
CREATE VIEW added_to_many AS SELECT i.*, rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', session, 'user_id', who, 'create_session', yes,
  'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', role, 'sources', sources))))) AS c FROM inputs i WHERE n < 50;
CREATE VIEW changed_session AS SELECT i.*, rag_update_session(session, metadata, who) AS c FROM inputs i WHERE n < 50;
CREATE VIEW changed_message AS SELECT i.*, rag_update_message(session, message, role, sources, n, n, metadata, who) IS NULL AS c FROM inputs i WHERE n < 50;
CREATE VIEW cut AS SELECT i.*, rag_delete_messages(session, message, who) AS c FROM inputs i WHERE n < 50;
CREATE VIEW deleted AS SELECT i.*, rag_delete_session(session, who) AS c FROM inputs i WHERE n < 50;
CREATE VIEW copied AS SELECT i.*, rag_copy_session(session, message, who) AS c FROM inputs i WHERE n < 9;
CREATE VIEW moved AS SELECT i.*, rag_import_session(rag_export_session(session, who), who) AS c FROM inputs i WHERE n < 9;
CREATE VIEW versions AS SELECT rag_version() AS v, m.*, rag_next_version(1) AS n, rag_migration_sql(version, '1.0') AS s, rag_uuidv7() AS u
FROM rag_migrations() AS m WHERE down_version IS NOT NULL;
CREATE VIEW differences AS SELECT d.*, l.section FROM rag_check_schema() AS d FULL JOIN rag_local_ddl() AS l USING (object, ddl);
CREATE VIEW seen_messages AS SELECT s.id AS of, m.* FROM sessions s, rag_get_messages(s.id) AS m;
CREATE VIEW seen_after AS SELECT s.id AS of, m.* FROM sessions s, rag_get_messages_after(s.id, 100) AS m;
CREATE VIEW seen_context AS SELECT s.id AS of, c.* FROM sessions s, rag_get_context(s.id, 100) AS c;
CREATE VIEW put AS SELECT i.*, rag_put_message(session, role, 'user', role, sources, abs(n), n, who, who, n, metadata) AS c FROM inputs i WHERE n < 50;
CREATE VIEW reassigned AS SELECT i.*, rag_reassign_sessions(who, role, session) AS c FROM inputs i WHERE n < 9;
CREATE VIEW expired AS SELECT i.n, e.* FROM inputs i, rag_expire_sessions('1 day', i.n, i.metadata, i.yes) AS e WHERE n < 9;
CREATE VIEW judged AS SELECT i.*, rag_set_feedback(session, message, n, role, role, who, NULL, who, metadata, who) IS NULL AS c FROM inputs i WHERE n < 50;
CREATE VIEW seen_feedback AS SELECT f.* FROM sessions s, rag_get_feedback(s.id) AS f;
CREATE VIEW seen_sources AS SELECT * FROM rag_message_sources;
CREATE VIEW closed AS SELECT i.n, rag_close_days('2000-01-01'::date + i.n) AS c FROM inputs i WHERE n < 9;
CREATE VIEW seen_usage AS SELECT u.*, rag_latency_percentile(u.latency, 0.5) AS p FROM rag_usage(NULL, NULL) AS u;
CREATE VIEW erased AS SELECT i.n, e.* FROM inputs i, rag_erase_user(i.who, i.metadata, i.n, i.yes) AS e WHERE n < 9;
CREATE VIEW seen_prompt AS SELECT s.id AS of, rag_get_prompt(s.id, 100) AS p FROM sessions s;
CREATE VIEW seen_session AS SELECT g.* FROM sessions s, rag_get_session(s.id) AS g;
CREATE VIEW found AS SELECT i.role AS query, f.* FROM inputs i, rag_find_sessions(i.who, i.role, i.metadata) AS f WHERE n < 50;
CREATE VIEW seen_sessions AS SELECT u.user_id AS of, l.* FROM (SELECT DISTINCT user_id FROM sessions) AS u, rag_list_sessions(u.user_id) AS l;
-- They are those of the user, as the tables are.
SELECT format('ALTER TABLE %I OWNER TO smith', relname) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND (relkind = 'v' OR relname = 'inputs')
\gexec
END
}

run_sqlsmith() {
  rag_as_user timeout $((60 * minutes)) sqlsmith --exclude-catalog --verbose --seed="$seed" \
    --target="host=$PGHOST port=$PGPORT dbname=smith user=smith" >"$RAG_TMP/sqlsmith.log" 2>&1
  [ $? -eq 124 ] || {
    tail -n 20 "$RAG_TMP/sqlsmith.log"
    return 1
  }
}

# calls: what was called, of ours.
calls() {
  sql -c "SELECT sum(calls) FROM pg_stat_user_functions WHERE funcname LIKE 'rag\\_%'"
}

all_called() {
  sql -c "SELECT o.proname || ' was not called' FROM ours o WHERE NOT EXISTS
    (SELECT FROM pg_stat_user_functions f WHERE f.calls > 0 AND f.funcname ~ ('^' || o.proname || '(_[0-9]+)?$'))" | grep . && return 1
  return 0
}

no_crash() { ! grep -E -A 20 'TRAP:|PANIC:|terminated by signal|FATAL:  XX' "$PGHOST/log"; }

# errors: of the server's log, one line for each error: SQLSTATE, place in the source,
# "ours" if the place or the statement that failed is, and the message.
errors() {
  awk -v files="$(find "$RAG_ROOT/src" -name '*.c' -printf '%f ')" '
    BEGIN { n = split(files, f, " "); for (i = 1; i <= n; i++) ours[f[i]] = 1 }
    function flush() {
      if (state != "") print state "\t" place "\t" (mine ? "ours" : "") "\t" message
      state = ""; place = ""; mine = 0
    }
    /^[^\t].* ERROR:  [0-9A-Z]+: / { flush(); match($0, /ERROR:  [0-9A-Z]+: /); state = substr($0, RSTART + 8, 5); message = substr($0, RSTART + RLENGTH); next }
    /^[^\t].* LOCATION:  / { place = $NF; sub(/:.*/, "", place); if (place in ours) mine = 1; place = $NF; next }
    # What our functions run, which names the tables in full.
    /(CONTEXT:  |^\t)SQL statement ".*public\.(sessions|messages)/ { mine = 1 }
    END { flush() }' "$PGHOST/log"
}

no_internal_error() {
  ! grep -P '^XX[^\t]*\t[^\t]*\tours' "$RAG_TMP/errors"
}

rag_require server build sqlsmith psql
rag_workdir
# Nothing but a time-out ends the queries that never end.
rag_build_and_start "log_error_verbosity = verbose" "log_min_messages = error" "track_functions = all" \
  "statement_timeout = 1s" "max_parallel_workers_per_gather = 0"
prepare >"$RAG_TMP/prepare.log" 2>&1 || {
  cat "$RAG_TMP/prepare.log" >&2
  rag_die "the database cannot be prepared"
}
rag_note "$("$PG_CONFIG" --version), assertions $(sql -c 'SHOW debug_assertions'), $minutes minutes, seed $seed"
check "sqlsmith runs to its end" run_sqlsmith
errors >"$RAG_TMP/errors"
echo "# $(calls) calls of the extension's functions, $(sql -c 'SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()') transactions, $(wc -l <"$RAG_TMP/errors") errors; by class:"
cut -c 1-2 "$RAG_TMP/errors" | sort | uniq -c | sed 's/^/# /'
grep '^XX' "$RAG_TMP/errors" | sort | uniq -c | sed 's/^/# internal: /'
check "every function was called" all_called
check "no crash, no assertion failed" no_crash
check "no internal error comes from a function of the extension" no_internal_error
rag_total "$passed" "$failed" 0
