# shellcheck shell=bash
#
# What the client tests share. To be sourced; see test/run.sh for what a client
# test may rely on. Creates a role and a database of its own, where that role, not
# a superuser, has installed the extension, and removes both at exit.
#
# Variables:
#   RAG_EVENTS_DATA   a file of conversations to try besides those of test/data
#   files             all files of conversations: one JSON object a line

set -u
# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/common.sh"
cd "$RAG_ROOT" || exit 1

failures=0

# ok NAME COMMAND…: one test.
ok() { rag_check "$@" || failures=$((failures + 1)); }

# same NAME EXPECTED ACTUAL
same() {
  local name=$1

  ok "$name" diff <(printf '%s\n' "$2") <(printf '%s\n' "$3")
}

finished() { [ "$failures" -eq 0 ] || exit 1; }

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# The caller's connection, to create and drop with.
as_caller() { PGUSER=$caller PGDATABASE=$callers_database sql "$@"; }

own_database() {
  caller=${PGUSER-$(id -un)} callers_database=${PGDATABASE-$caller}
  own=rag_client_$$
  rag_workdir
  trap 'status=$?; stop_pooler; drop_database; (exit "$status"); rag_cleanup' EXIT
  as_caller -c "CREATE ROLE $own LOGIN" -c "CREATE DATABASE $own OWNER $own TEMPLATE template0 ENCODING 'UTF8'" || exit 1
  export PGUSER=$own PGDATABASE=$own PGCLIENTENCODING=UTF8
}

drop_database() {
  as_caller -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS $own WITH (FORCE)" -c "DROP ROLE IF EXISTS $own"
}

# A conversation of two messages, each as long as the longest found in practice.
large_conversation() {
  local text='' i

  RANDOM=7
  for i in {1..1300}; do
    # shellcheck disable=SC1003 # backslashes, as JSON escapes them
    text+="$i. \\\"$((RANDOM * RANDOM))\\\" 'C:\\\\data\\\\$RANDOM' \\\\u0000 $((RANDOM * RANDOM)) – 🙂\\n"
  done
  printf '{"user_id": "large", "metadata": null, "messages": [{"role": "user", "content": "%s"}, ' "$text"
  printf '{"role": "assistant", "content": "%s", "sources": [{"document_id": "d", "text": "%s"}]}]}\n' "$text" "$text"
}

conversations() {
  large_conversation >"$RAG_TMP/large.jsonl"
  # shellcheck disable=SC2034 # for the tests
  files=("$RAG_ROOT"/test/data/*.jsonl "$RAG_TMP/large.jsonl" ${RAG_EVENTS_DATA:+"$RAG_EVENTS_DATA"})
}

# psycopg_python: sets python, the one that has psycopg 3.
psycopg_python() {
  rag_require deb:python3-psycopg
  python=/usr/bin/python3
  rag_debian || python=python3
  "$python" -c 'import psycopg' || rag_die "$python has no psycopg 3"
}

# node_modules FILE…: what package-lock.json names, in $RAG_TMP, where the files
# are copied to: Node looks for packages beside the script. packages is the folder that
# has that file.
packages=test/clients
node_modules() {
  rag_require npm
  cp "$RAG_ROOT/$packages"/package*.json "$@" "$RAG_TMP" &&
    npm ci --prefix "$RAG_TMP" --ignore-scripts --loglevel error --no-audit --no-fund --no-update-notifier >&2
}

# needs_node MAJOR: skips the test, out loud, where Node is older.
needs_node() {
  rag_require npm
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$1" ] && return
  echo "1..0 # SKIP Node $1 or later"
  exit 0
}

# ---------------------------------------------------------------------------
# A pooler
# ---------------------------------------------------------------------------

# Clients wait for one of so many connections to the server.
pool_size=3
pooler_roles=() # who may connect besides $own
pooler=
pooler_port=6432

# start_pooler [ADDRESS]: PgBouncer in front of the server, in transaction pooling, with a Unix
# socket and a log of its own (with ADDRESS, on a TCP port as well). It hands the connections to the server out in turn, so
# that consecutive statements of one client run on different ones. Sets prepares to 1
# where it knows of prepared statements, and to nothing where it does not.
start_pooler() {
  local dir=$RAG_TMP/pooler program

  rag_require deb:pgbouncer
  program=$(PATH=$PATH:/usr/sbin command -v pgbouncer) || rag_die "no pgbouncer"
  version=$("$program" --version | sed -n 's/^PgBouncer \([0-9.]*\).*/\1/p')
  # shellcheck disable=SC2034 # for the tests
  prepares=$(printf '%s\n' 1.21 "$version" | sort -C -V && echo 1)
  echo "# PgBouncer $version"
  # A socket has a folder of its own, and a port of TCP does not.
  [ -z "${1-}" ] || pooler_port=$((20000 + $$ % 20000))
  mkdir "$dir" && printf '"%s" ""\n' "$own" "${pooler_roles[@]}" >"$dir/users" || exit 1
  cat >"$dir/pgbouncer.ini" <<END
[databases]
$own = host=${PGHOST:-/var/run/postgresql} port=${PGPORT:-5432}
[pgbouncer]
listen_addr = ${1-}
listen_port = $pooler_port
ignore_startup_parameters = extra_float_digits
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = $pool_size
server_round_robin = 1
${prepares:+max_prepared_statements = 100}
END
  "$program" -q "$dir/pgbouncer.ini" >"$dir/log" 2>&1 &
  pooler=$!
  for _ in {1..100}; do
    ! through_pooler sql -c "SELECT 1" >/dev/null 2>&1 || return 0
    kill -0 "$pooler" 2>/dev/null || break
    sleep 0.1
  done
  cat "$dir/log"
  rag_die "PgBouncer does not answer"
}

# stop_pooler: if there is one.
stop_pooler() {
  [ -n "$pooler" ] || return 0
  kill "$pooler" 2>/dev/null
  wait "$pooler" 2>/dev/null
  pooler=
}

# through_pooler COMMAND…
through_pooler() { PGHOST=$RAG_TMP/pooler PGPORT=$pooler_port POOL_SIZE=$pool_size "$@"; }

# direct_and_pooled COMMAND…: a program of tests, which prints TAP, against the server
# with prepared statements, through the pooler without, and with them where it can. The
# program is told by PREPARE (1 or nothing), POOL_SIZE (connections of the pooler to
# the server, if there is one) and LABEL (what the names of the tests begin with).
direct_and_pooled() {
  LABEL="direct, prepared" PREPARE=1 "$@" || failures=$((failures + 1))
  LABEL="pooled, not prepared" PREPARE='' through_pooler "$@" || failures=$((failures + 1))
  [ -n "$prepares" ] || return 0
  LABEL="pooled, prepared" PREPARE=1 through_pooler "$@" || failures=$((failures + 1))
}

own_database
