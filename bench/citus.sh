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
#   bulk      whole conversations: rag_add_conversations(), rag_add_messages(), and
#             rag_import_session() for new ones; COPY; and these by a client on each worker at once, for the sessions that the worker has
#   memory    the backends of one connection, the client's and those that serve it on the other
#             nodes, while it makes many calls: their memory, and their CPU time
#   nodes     messages added on clusters of one, two and three nodes, all with shards; the clients
#             are spread over the nodes. (They share the cores of this machine.)
#
#   --rounds N      measurements of each way (9)
#   --seconds S     how long one takes (2)
#   --calls N       calls of memory (10000); by hand, 10000 at most, as some of these take 45 kB more
#                   with each call
#   --clients N     clients of nodes, a multiple of 6 (6)
#   --save FILE     what was measured goes there, too: part, at, round, way, microseconds
#
# One client, prepared statements, over a Unix socket. The report, in Markdown, goes to standard
# output; the progress to standard error.

# shellcheck disable=SC2034 # what the files read below use
# shellcheck disable=SC2030,SC2031 # make_nodes has a work folder of its own in a subshell
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
. "$RAG_ROOT/tools/lib/cluster.sh"

bench=$RAG_ROOT/bench
rounds=9 seconds=2 calls=10000 clients=6 save='' workers=2 shards=8 sessions=400 client=()
all_parts=(add last list bulk memory nodes)
parts=()

while [ $# -gt 0 ]; do
  case $1 in
  --save | --rounds | --seconds | --calls | --clients)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    [ "$1" = --save ] || [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
    printf -v "${1#--}" %s "$2"
    shift
    ;;
  add | last | list | bulk | memory | nodes) parts+=("$1") ;;
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

# fill: sessions with messages.
fill() {
  sql -v sessions="$sessions" -f "$bench/citus/setup.sql" &&
    sql -c 'COPY (SELECT id, user_id FROM sessions) TO STDOUT' >"$RAG_TMP/every" || exit 1
}

# draw_at NODE ALL: the node draws from all sessions, or from its own.
draw_at() {
  rag_on_node "$1" sql -o /dev/null -v all="$2" -f "$bench/citus/sessions.sql" <"$RAG_TMP/every" || exit 1
}

# run NODE NAME WEIGHT OPTION…: bench/citus/NAME.sql by pgbench, with a session at random. Another
# script draws it; pgbench chooses among the two, WEIGHT to 1. Both are in the log, the calls as script 1.
run() {
  local node=$1 n first

  IFS='|' read -r n first < <(rag_on_node "$node" sql -c 'SELECT count(*), min(session::text) FROM bench_session')
  rag_as_user cp "$bench/citus/"{draw,"$2"}.sql "$RAG_TMP/"
  rag_on_node "$node" rag_as_user pgbench -n -M prepared -l --log-prefix="$RAG_TMP/all.$node" "${@:4}" \
    -D "sessions=$n" -D session="$first" -D user=user-0 -D content='Hello!' \
    -f "$RAG_TMP/draw.sql@1" -f "$RAG_TMP/$2.sql@$3" >"$RAG_TMP/output.$node" 2>&1 || {
    cat "$RAG_TMP/output.$node" >&2
    exit 1
  }
}

forget_logs() { rag_as_user rm -f "$RAG_TMP"/log.* "$RAG_TMP"/all.*; }

# call_round AT NAME: the time of a call in microseconds.
call_round() {
  forget_logs
  run "$(node_of "$1")" "$2" 1 -T "$seconds" || exit 1
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
  draw_at 0 true
  draw_at 1 false
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

# split_by_node: calls, rows and ids, what is for the sessions of each worker apart: calls.1 …
split_by_node() {
  sql -v port="$PGPORT" -f "$bench/citus/nodes.sql" <"$RAG_TMP/sessions" | rag_as_user tee "$RAG_TMP/nodes" >/dev/null
  # shellcheck disable=SC2016 # for awk
  rag_as_user awk -v dir="$RAG_TMP" '
    FILENAME ~ /nodes$/ { node[$1] = $2; ids[$2] = ids[$2] "," $1; next }
    { print >(FILENAME "." node[$1]) }
    END { for (n in ids) print "{" substr(ids[n], 2) "}" >(dir "/ids." n) }' "$RAG_TMP"/{nodes,calls,rows}
}

# load_at_workers WAY FILE…: a client at each worker with its files, all at once; the time of the
# one that takes longest.
load_at_workers() {
  local node begin jobs=() files=("${@:2}")

  rag_as_user mkfifo "$RAG_TMP/begin" || exit 1
  for ((node = 1; node <= workers; node++)); do
    rag_on_node "$node" rag_as_user "$RAG_TMP/load" "$1" "${files[@]/%/.$node}" <"$RAG_TMP/begin" >"$RAG_TMP/us.$node" &
    jobs+=($!)
  done
  exec {begin}>"$RAG_TMP/begin"
  sleep 1 # until all have warmed up
  exec {begin}>&-
  for node in "${jobs[@]}"; do wait "$node" || exit 1; done
  rm "$RAG_TMP/begin"
  cat "$RAG_TMP"/us.* | sort -n | tail -n 1
}

measure_bulk() {
  local files load=(rag_as_user "$RAG_TMP/load") way=$2 us

  case $way in
  calls | each) files=(calls) ;;
  many) files=(many) ;;
  new) way=many files=(new) ;;
  copy) files=(rows ids) ;;
  import) files=(documents) ;;
  rows) files=(rows sessions) ;;
  many_there) load=(load_at_workers) way=many files=(many) ;;
  calls_there) load=(load_at_workers) way=calls files=(calls) ;;
  copy_there) load=(load_at_workers) way=copy files=(rows ids) ;;
  esac
  if [ "$part" = bulk ]; then sql -c 'TRUNCATE messages'; else sql -c 'TRUNCATE sessions, messages, rag_feedback'; fi || exit 1
  us=$("${load[@]}" "$way" "${files[@]/#/$RAG_TMP/}" </dev/null) || exit 1
  check_rows postgres "$bulk_messages"
  result "$part" "$rows" "$1" "$2" "$(awk -v us="$us" -v n="$bulk_messages" 'BEGIN { print us / n }')"
}

part_bulk() {
  local node rows file fold counts bulk_messages part

  for ((node = 0; node <= workers; node++)); do rag_on_node "$node" fill_wal || exit 1; done
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
    split_by_node
    for file in "$RAG_TMP"/calls{,.*}; do gather_calls "$file" "${file/\/calls/\/many}"; done
    part=bulk
    rotate measure_bulk many calls each copy many_there calls_there copy_there
    part=import
    gather_calls "$RAG_TMP/calls" "$RAG_TMP/new" true
    rotate measure_bulk new import rows
  done
}

# ---------------------------------------------------------------------------
# Memory and CPU time
# ---------------------------------------------------------------------------

# backends NODE: the process of pgbench's connection, and those that serve it elsewhere.
backends() {
  local node

  pid=$(rag_on_node "$1" sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'")
  others=$(for ((node = 0; node <= workers; node++)); do
    rag_on_node "$node" sql -c "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^citus_internal gpid=[0-9]*$pid\$'"
  done)
}

# used PID…: the kilobytes that they have for themselves, and the microseconds that they worked.
used() {
  local pid

  for pid; do
    sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1 0/p' "/proc/$pid/status"
    awk '{ print 0, $1 / 1000 }' "/proc/$pid/schedstat"
  done 2>/dev/null | awk '{ kb += $1; us += $2 } END { printf "%d %d\n", kb, us }'
}

calls_made() { cat "$RAG_TMP"/all.* 2>/dev/null | awk '$4 == 1' | wc -l; }

# watch NAME LABEL CALLS: so many in one connection, ours or by hand.
watch() {
  local node calls=$3 points=(2 25 50 75 100) point pgbench made kb us their_kb their_us pid others
  local before=0 us_before=0 their_us_before=0

  node=$(node_of "$at")
  forget_logs
  run "$node" "$1" 9 -t "$((calls * 6 / 5 + 1000))" &
  pgbench=$!
  for point in "${points[@]}"; do
    while made=$(calls_made) && [ "$made" -lt $((calls * point / 100)) ]; do
      kill -0 "$pgbench" 2>/dev/null || rag_die "pgbench ended early"
      sleep "$((calls / 200000)).2"
    done
    backends "$node"
    # shellcheck disable=SC2086 # a list of words
    read -r their_kb their_us < <(used $others)
    read -r kb us < <(used "$pid")
    printf '| %s | %s | %s | %s | %s |' "$2" "$at" "$made" "$kb" "$their_kb"
    if [ "$before" = 0 ]; then
      echo " | |"
    else
      echo " $(((us - us_before) / (made - before))) | $(((their_us - their_us_before) / (made - before))) |"
    fi
    before=$made us_before=$us their_us_before=$their_us
  done >>"$RAG_TMP/memory"
  wait "$pgbench" || exit 1
}

part_memory() {
  local at by_hand=$((calls < 10000 ? calls : 10000))

  fill
  draw_at 0 true
  draw_at 1 false
  for at in coordinator node; do
    progress "memory: $at"
    # shellcheck disable=SC2016 # backquotes of Markdown
    watch add_function '`rag_add_message()`' "$calls"
    watch add_statements 'BEGIN; UPDATE; INSERT; COMMIT' "$by_hand"
    # shellcheck disable=SC2016
    watch last_function '`rag_get_messages()`' "$calls"
    watch last_select 'SELECT … LIMIT 20' "$by_hand"
  done
}

report_memory() {
  [ -s "$RAG_TMP/memory" ] || return 0
  printf '%s\n' '' "One connection. Memory is RssAnon of /proc/PID/status; CPU time, /proc/PID/schedstat, is that of a call since the row before." '' \
    "| | at | calls | kB, the client's backend | kB, those behind it | CPU µs a call, the client's backend | those behind it |" \
    '| --- | --- | ---: | ---: | ---: | ---: | ---: |'
  cat "$RAG_TMP/memory"
}

# ---------------------------------------------------------------------------
# One, two and three nodes
# ---------------------------------------------------------------------------

# on_nodes N COMMAND…: with the cluster of so many nodes.
on_nodes() {
  local cluster_port=$((54340 + 10 * $1))
  local -x PGHOST=$RAG_TMP/nodes$1/cluster PGPORT=$cluster_port

  "${@:2}"
}

# make_nodes N: makes that cluster.
make_nodes() {
  local node

  rag_as_user mkdir "$RAG_TMP/nodes$1"
  (
    RAG_TMP=$RAG_TMP/nodes$1 cluster_port=$((54340 + 10 * $1))
    rag_start_cluster $(($1 - 1)) "${settings[@]}"
  ) || exit 1
  on_nodes "$1" sql -o /dev/null \
    -c "SELECT citus_set_node_property(nodename, nodeport, 'shouldhaveshards', true) FROM pg_dist_node WHERE groupid = 0" \
    -c 'CREATE EXTENSION rag_events' -c "SELECT rag_distribute($shards)" || exit 1
  on_nodes "$1" fill
  for ((node = 0; node < $1; node++)); do on_nodes "$1" draw_at "$node" true; done
}

# measure_nodes ROUND N-WAY: as many clients whatever the number of nodes.
measure_nodes() {
  local n=${2%%-*} node jobs=()

  forget_logs
  for ((node = 0; node < n; node++)); do
    on_nodes "$n" run "$node" "add_${2#*-}" 1 -T "$seconds" -c $((clients / n)) &
    jobs+=($!)
  done
  for node in "${jobs[@]}"; do wait "$node" || exit 1; done
  result nodes "$n" "$1" "${2#*-}" "$(calls_made | awk -v s="$seconds" '{ print 1e6 * s / $1 }')"
}

part_nodes() {
  local n

  [ $((clients % 6)) = 0 ] || rag_die "--clients is a multiple of 6"
  for n in 1 2 3; do
    progress "nodes: making a cluster of $n"
    make_nodes "$n"
  done
  progress "nodes: $clients clients"
  rotate measure_nodes {1,2,3}-{function,statements}
  echo "nodes: $clients clients." >>"$RAG_TMP/notes"
}

# ---------------------------------------------------------------------------

settings=('shared_buffers = 256MB' 'max_wal_size = 8GB' 'checkpoint_timeout = 1h' 'autovacuum = off')
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
keep_awake
: >"$RAG_TMP/results"
: >"$RAG_TMP/notes"
rag_start_cluster "$workers" "${settings[@]}" || exit 1
sql -c 'CREATE EXTENSION rag_events' -c "SELECT rag_distribute($shards)" >/dev/null || exit 1
for part in "${parts[@]}"; do
  "part_$part"
done
sql -v rounds="$rounds" -v workers="$workers" -v shards="$shards" -v cores="$(nproc)" \
  -f "$bench/citus/report.sql" <"$RAG_TMP/results" || exit 1
report_memory
cat "$RAG_TMP/notes"
[ -z "$save" ] || cp "$RAG_TMP/results" "$save"
