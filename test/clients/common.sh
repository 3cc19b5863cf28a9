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
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
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
  trap 'status=$?; drop_database; (exit "$status"); rag_cleanup' EXIT
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
# are copied to: Node looks for packages beside the script.
node_modules() {
  rag_require npm
  cp "$RAG_ROOT"/test/clients/package*.json "$@" "$RAG_TMP" &&
    npm ci --prefix "$RAG_TMP" --loglevel error --no-audit --no-fund --no-update-notifier >&2
}

own_database
