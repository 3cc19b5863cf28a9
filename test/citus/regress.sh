# shellcheck shell=bash
# shellcheck disable=SC2154 # cluster_port, of tools/lib/cluster.sh
#
# The parts "regress" and "isolation" of test/citus.sh, which sources it: the regression and
# isolation tests on distributed tables. Each test runs in a database of the cluster, with
# rag_distribute() after each CREATE EXTENSION, and its output is compared with expected/.
# The differences that are meant are in test/citus/NAME.diff (NAME.delegated.diff, where calls
# that go to the worker as a whole differ otherwise); docs/scale-out.md has the reason of each
# kind. RAG_ACCEPT=1 writes these files instead.
#
# The tests know the ids of their messages. So all shards are on one worker, and the library
# is built to count ids by one. First each call is done by the coordinator, which sends its statements to
# that worker, as in BEGIN … COMMIT; then, for those tests whose ids stay the same, calls go
# to the worker as a whole.

# What cannot be asked of distributed tables:
#   *_direct   which way a row is stored or read, on one machine
#   triggers   there are none on distributed tables
#   orm        an application's own SQL, with the limits of Citus
#   install, migrations, storage   the versions of before
#   distribute   has a part of its own
#   iso_close_days   a table that inherits
#   iso_swapped_tables, iso_orm   DDL in the middle of a call, and an application's own SQL
regress_skipped="iso_close_days iso_swapped_tables iso_orm delete_direct find_key_direct find_session_direct get_messages_direct insert_direct
  update_message_direct triggers orm install migrations storage distribute"

regress_delegated="add_message add_messages create_session find_sessions get_context get_session grants hints import_forms
  list_sessions message_sources readonly reassign_sessions usage uuidv7"

# make_regress_database: on every node, with the settings that pg_regress gives it. Shards are
# asked one after the other, so that the order of what they answer is always the same.
make_regress_database() {
  local node setting

  for node in 0 1 2; do
    rag_on_node "$node" psql -X -q -d postgres -c "SET client_min_messages = error" \
      -c "CREATE DATABASE contrib_regression TEMPLATE template0" || return
    for setting in "lc_messages = 'C'" "timezone = 'PST8PDT'" "datestyle = 'Postgres, MDY'" \
      "citus.max_adaptive_executor_pool_size = 1"; do
      rag_on_node "$node" psql -X -q -d postgres -c "ALTER DATABASE contrib_regression SET $setting" || return
    done
  done
  export PGDATABASE=contrib_regression
  sql -c "CREATE EXTENSION citus" -o /dev/null -c "SELECT citus_set_coordinator_host('$PGHOST', $cluster_port)" &&
    rag_add_node 1 && rag_add_node 2 &&
    sql -o /dev/null -c "SELECT citus_set_node_property('$PGHOST', $((cluster_port + 2)), 'shouldhaveshards', false)" || return
  sql <<'SQL'
SET citus.enable_ddl_propagation = off;
CREATE SCHEMA regress_cluster;
GRANT USAGE ON SCHEMA regress_cluster TO PUBLIC;
CREATE FUNCTION regress_cluster.begin() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog SET citus.enable_ddl_propagation = off AS $$
BEGIN
  IF current_setting('regress.delegated') = 'off' THEN
    UPDATE pg_dist_object SET distribution_argument_index = NULL, colocationid = NULL WHERE classid = 'pg_proc'::regclass;
  END IF;
END $$;
SQL
}

# make_regress_tests: the tests, with what they do beforehand on a cluster. Roles connect to
# other nodes, so they may log in.
make_regress_tests() {
  local dir=$RAG_TMP/regress

  rag_as_user mkdir -p "$dir/results" && rag_as_user cp -r "$RAG_TMP/build/test" "$RAG_TMP/build/expected" "$dir" || return
  rag_as_user tee "$dir/test/sql/distribute.psql" >/dev/null <<'SQL'
\set echo :ECHO
\set ECHO none
\o /dev/null
SELECT to_regprocedure(format('%s.rag_distribute(int)', extnamespace::regnamespace)) IS NOT NULL AS distribute,
       extnamespace::regnamespace AS schema
FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'rag_events' \gset
\if :distribute
SELECT :schema.rag_distribute(4);
SELECT regress_cluster.begin();
\endif
\o
\set ECHO :echo
SQL
  # A type with the name of one of PostgreSQL's confuses Citus, where nodes other than the
  # coordinator have it.
  rag_as_user sed -i -E \
    -e "s,^CREATE EXTENSION rag_events.*;\$,&\n\\\\i $dir/test/sql/distribute.psql," \
    -e 's/^(CREATE ROLE [^;]*);$/\1 LOGIN;/' \
    -e 's/^CREATE TYPE hostile\.uuid .*/SET citus.enable_ddl_propagation = off;\n&\nSET citus.enable_ddl_propagation = on;/' \
    "$dir"/test/sql/*.sql "$dir/test/sql/opening.psql" || return
  # (Each setup is one command.)
  # shellcheck disable=SC2016 # dollar quotes
  rag_as_user sed -i -E \
    -e 's/CREATE EXTENSION rag_events;/DROP EXTENSION IF EXISTS rag_events CASCADE; &\n}\nsetup { DO $d$ BEGIN PERFORM rag_distribute(4); END $d$; }\nsetup { DO $d$ BEGIN PERFORM regress_cluster.begin(); END $d$; }\nsetup\n{\n  DO $d$ BEGIN END $d$;/' \
    "$dir"/test/specs/*.spec
}

# regress_output FILE: without what was added, names of shards, contexts of errors, and the
# widths of columns.
regress_output() {
  sed -E -e '/^\\i .*distribute\.psql$/,/^\\set ECHO none$/d' \
    -e '/^SET citus\.enable_ddl_propagation = /d; s,^psql:[^ ]*distribute\.psql:[0-9]+: ,,' \
    -e "s,$PGHOST:[0-9]+,another node,g" \
    -e 's/^(CREATE ROLE [^;]*) LOGIN;$/\1;/' \
    -e '/^(psql:[^ ]* )?WARNING:  .* has dependency on unsupported object/d; /^DETAIL: .* will be created only locally$/d' \
    -e 's/\b([a-z_]+)_10[0-9]{4}\b/\1/g' \
    -e 's/ for shard 10[0-9]{4} / for a shard /' \
    -e 's/ +/ /g; s/---+/--/g; s/--(\+--)+/--/g; s/ +$//' "$1" |
    awk '/^(CONTEXT: )?(SQL statement "|while executing command on )/ { skip = 1 }
      !skip { print }
      /"$|^(CONTEXT: )?while executing/ { skip = 0 }'
}

# regress_difference NAME
regress_difference() {
  diff -U 1 <(regress_output "$RAG_TMP/regress/expected/$1.out") <(regress_output "$RAG_TMP/regress/results/$1.out") |
    sed -e 1,2d -e 's/^@@.*/@@/'
}

# regress_run regress/pg_regress|isolation/pg_isolation_regress TEST…
regress_run() {
  (cd "$RAG_TMP/regress" &&
    rag_as_user "$(dirname "$("$PG_CONFIG" --pgxs)")/../test/$1" --use-existing \
      --dbname=contrib_regression --inputdir=test --outputdir=. --bindir="$("$PG_CONFIG" --bindir)" \
      --host="$PGHOST" --port="$PGPORT" "${@:2}") >"$RAG_TMP/regress.log" 2>&1
}

# regress_compare HOW ENDING NAME…
regress_compare() {
  local how=$1 ending=$2 name difference meant

  for name in "${@:3}"; do
    difference=$(regress_difference "$name")
    meant=$RAG_ROOT/test/citus/$name.diff
    if [ -n "${RAG_ACCEPT-}" ] && [ "$difference" != "$(cat "$meant" 2>/dev/null)" ]; then
      rm -f "$RAG_ROOT/test/citus/$name$ending"
      [ -z "$difference" ] || printf '%s\n' "$difference" >"$RAG_ROOT/test/citus/$name$ending"
    fi
    [ ! -f "$RAG_ROOT/test/citus/$name$ending" ] || meant=$RAG_ROOT/test/citus/$name$ending
    [ -f "$meant" ] || meant=/dev/null
    same "$name, $how" "$(cat "$meant")" "$difference"
  done
}

# regress_tests DIR ENDING: the names of the tests there, one a line.
regress_tests() {
  local file name

  for file in "$RAG_ROOT/test/$1"/*."$2"; do
    name=$(basename "$file" ".$2")
    case " ${regress_skipped//[[:space:]]/ } " in *" $name "*) ;; *) echo "$name" ;; esac
  done
}

# regress_build [COPT]: builds the part of the library that draws ids, and installs it.
regress_build() {
  rag_as_user find "$RAG_TMP/build" '(' -path '*/src/cluster/*.o' -o -name rag_events.so ')' -delete &&
    rag_as_user make -s -C "$RAG_TMP/build" PG_CONFIG="$PG_CONFIG" with_llvm=no COPT="${1-}" all install
}

# regress_begin on|off: whether calls are delegated.
regress_begin() {
  [ -d "$RAG_TMP/regress" ] || {
    ok "a database on all nodes" make_regress_database
    ok "the tests" make_regress_tests
  }
  ok "ids count by one" regress_build -DRAG_ID_STEP=1
  export PGDATABASE=contrib_regression
  sql -c "ALTER DATABASE contrib_regression SET regress.delegated = $1"
}

regress_end() {
  ok "ids count as ever" regress_build
  PGDATABASE=postgres
}

# A message that is added on the node that has the session.
add_there() {
  sql -o /dev/null -c "SET client_min_messages = error" -c "CREATE EXTENSION rag_events" -c "SELECT rag_distribute(4)" &&
    PGOPTIONS='-c client_min_messages=debug1' rag_on_node 1 sql \
      -c "SELECT rag_add_message(rag_create_session(), 'user', 'x')" 2>&1 &&
    sql -c "DROP EXTENSION rag_events CASCADE"
}

part_regress() {
  local tests

  mapfile -t tests < <(regress_tests sql sql)
  regress_begin off
  regress_run regress/pg_regress "${tests[@]}"
  regress_compare "each statement sent" .diff "${tests[@]}"
  regress_begin on
  # shellcheck disable=SC2086 # a list of words
  regress_run regress/pg_regress $regress_delegated
  # shellcheck disable=SC2086 # a list of words
  regress_compare "calls delegated" .delegated.diff $regress_delegated
  ok "without an INSERT where the session is" grep -q 'messages are inserted directly' <(add_there)
  regress_end
}

# Citus has a function for the isolation tester that sees who waits on another node.
part_isolation() {
  local tests

  mapfile -t tests < <(regress_tests specs spec)
  regress_begin on
  sql -o /dev/null -c "SELECT citus_internal.replace_isolation_tester_func()"
  regress_run isolation/pg_isolation_regress "${tests[@]}"
  regress_compare "isolation" .diff "${tests[@]}"
  regress_end
}
