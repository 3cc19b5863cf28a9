#!/usr/bin/env bash
#
# What the functions of rag_events cost on a cluster of Citus, beside statements by hand: a
# coordinator and two workers of the PostgreSQL of PG_CONFIG, where it has Citus.
#
#   bench/citus.sh [OPTION…] [PART…]
#
# Parts, all of them by default. Through the coordinator, and (node) on a worker, for sessions that
# it has:
#   add       one message: rag_add_message(), four statements, a WITH statement, an INSERT
#   last      the last 20 messages of a session: rag_get_messages(), a SELECT
#   list      the sessions of a user: rag_list_sessions(), a SELECT over all shards
#   bulk      whole conversations: rag_add_messages(), and rag_import_session() for new ones; COPY
#
#   --rounds N      measurements of each way (9)
#   --seconds S     how long one takes (2)
#   --save FILE     what was measured goes there, too: part, at, round, way, microseconds
#
# One client, prepared statements, over a Unix socket. The report, in Markdown, goes to standard
# output; the progress to standard error.

# shellcheck disable=SC2034 # what the files read below use
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
. "$RAG_ROOT/tools/lib/cluster.sh"

bench=$RAG_ROOT/bench
rounds=9 seconds=2 save='' workers=2 shards=8 sessions=400 client=()
all_parts=(add last list bulk)
parts=()

while [ $# -gt 0 ]; do
  case $1 in
  --save | --rounds | --seconds)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    [ "$1" = --save ] || [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
    printf -v "${1#--}" %s "$2"
    shift
    ;;
  add | last | list | bulk) parts+=("$1") ;;
  *) rag_die "unknown argument \"$1\"; see the head of bench/citus.sh" ;;
  esac
  shift
done
[ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")
[ -z "$save" ] || save=$(realpath -m "$save")

. "$bench/server.sh"
. "$bench/measure.sh"

# node_of AT: the number of the node.
node_of() { [ "$1" = coordinator ] && echo 0 || echo 1; }

# fill: sessions with messages, and on each node those that its calls are for.
fill() {
  local node

  sql -v sessions="$sessions" -f "$bench/citus/setup.sql" || exit 1
  sql -c 'COPY (SELECT id, user_id FROM sessions) TO STDOUT' >"$RAG_TMP/every" || exit 1
  for node in 0 1; do
    drawn[node]=$(rag_on_node "$node" sql -f "$bench/citus/sessions.sql" <"$RAG_TMP/every") || exit 1
  done
}

# call_round AT NAME: the time of bench/citus/NAME.sql in microseconds, with a session at random.
# Between the calls draw.sql draws it; pgbench chooses among the two.
call_round() {
  local node first

  node=$(node_of "$1")
  first=$(rag_on_node "$node" sql -c 'SELECT session FROM bench_session WHERE n = 1')
  rag_as_user rm -f "$RAG_TMP"/log.* "$RAG_TMP"/all.*
  rag_as_user cp "$bench/citus/"{draw,"$2"}.sql "$RAG_TMP/"
  rag_on_node "$node" rag_as_user pgbench -n -M prepared -T "$seconds" -l --log-prefix="$RAG_TMP/all" \
    -D "sessions=${drawn[node]}" -D session="$first" -D user=user-0 -D content='Hello!' \
    -f "$RAG_TMP/draw.sql" -f "$RAG_TMP/$2.sql" >"$RAG_TMP/output" 2>&1 || {
    cat "$RAG_TMP/output" >&2
    exit 1
  }
  awk '$4 == 1' "$RAG_TMP"/all.* >"$RAG_TMP/log.1"
  middle
}

measure_call() {
  local us

  us=$(call_round "$at" "${part}_$2") || exit 1
  result "$part" "$at" "$1" "$2" "$us"
}

# calls WAY…: the ways of the part, through the coordinator and on the node.
calls() {
  local at

  fill
  for at in coordinator node; do
    progress "$part: $at"
    rotate measure_call "$@"
  done
}

part_add() { calls function statements with insert; }
part_last() { calls function select; }
part_list() { calls function select; }

# ---------------------------------------------------------------------------
# Whole conversations
# ---------------------------------------------------------------------------

measure_bulk() {
  local files us

  case $2 in
  calls | each) files=(calls) ;;
  copy) files=(rows ids) ;;
  import) files=(documents) ;;
  rows) files=(rows sessions) ;;
  esac
  if [ "$part" = bulk ]; then sql -c 'TRUNCATE messages'; else sql -c 'TRUNCATE sessions, messages, rag_feedback'; fi || exit 1
  us=$(rag_as_user "$RAG_TMP/load" "$2" "${files[@]/#/$RAG_TMP/}") || exit 1
  check_rows postgres "$bulk_messages"
  result "$part" "$rows" "$1" "$2" "$(awk -v us="$us" -v n="$bulk_messages" 'BEGIN { print us / n }')"
}

part_bulk() {
  local rows file fold counts bulk_messages part

  rag_as_user gcc -O2 -Wall -o "$RAG_TMP/load" "$bench/bulk/load.c" "${libpq[@]}" || exit 1
  for rows in small real; do
    file=$bench/small.jsonl fold=5
    [ "$rows" = small ] || file=$bench/rag.jsonl fold=1
    sql -v samples=8 -c 'SET citus.enable_ddl_propagation = off' -f "$bench/samples.sql" <"$file" || exit 1
    counts=$(sql -v fold="$fold" -v calls="$RAG_TMP/calls" -v rows="$RAG_TMP/rows" -v ids="$RAG_TMP/ids" \
      -f "$bench/bulk/files.sql") || exit 1
    IFS='|' read -r bulk_messages counts <<<"$counts"
    echo "bulk, $rows rows: $bulk_messages messages of $counts conversations." >>"$RAG_TMP/notes"
    progress "bulk: $rows rows, $bulk_messages messages of $counts conversations"
    cut -f 1 "$RAG_TMP/calls" | rag_as_user tee "$RAG_TMP/sessions" >/dev/null
    sed 's/^[^\t]*\t\(.*\)$/{"messages": \1}/' "$RAG_TMP/calls" | rag_as_user tee "$RAG_TMP/documents" >/dev/null
    sql -c 'TRUNCATE sessions, messages, rag_feedback' -c "\\copy sessions (id) FROM '$RAG_TMP/sessions'" || exit 1
    part=bulk
    rotate measure_bulk calls each copy
    part=import
    rotate measure_bulk import rows
  done
}

# ---------------------------------------------------------------------------

rag_find_pg
if [ -z "$PG_CONFIG" ] || ! rag_has_citus; then
  echo "There is no Citus in the PostgreSQL of ${PG_CONFIG:-this machine}: nothing was measured."
  exit 0
fi
rag_require server build
libpq=(-I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" -lpq)
rag_workdir
progress "$("$PG_CONFIG" --version)"
# (Bitcode for JIT compilation would take most of the time.)
rag_build with_llvm=no >"$RAG_TMP/build.log" 2>&1 || {
  cat "$RAG_TMP/build.log" >&2
  rag_die "rag_events could not be built"
}
: >"$RAG_TMP/results"
: >"$RAG_TMP/notes"
rag_start_cluster "$workers" 'shared_buffers = 256MB' 'max_wal_size = 8GB' 'checkpoint_timeout = 1h' 'autovacuum = off' || exit 1
sql -c 'CREATE EXTENSION rag_events' -c "SELECT rag_distribute($shards)" >/dev/null || exit 1
for part in "${parts[@]}"; do
  "part_$part"
done
sql -v rounds="$rounds" -v workers="$workers" -v shards="$shards" -v cores="$(nproc)" -f "$bench/citus/report.sql" <"$RAG_TMP/results" || exit 1
cat "$RAG_TMP/notes"
[ -z "$save" ] || cp "$RAG_TMP/results" "$save"
