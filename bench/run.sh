#!/usr/bin/env bash
#
# What one message costs: rag_add_message() beside the same work in plain SQL.
#
#   bench/run.sh [OPTION…]
#
#   --data FILE     also measure messages of FILE: JSON Lines, one conversation a
#                   line, {"messages": [{"role", "content", "sources", …}, …], …}
#   --rounds N      measurements of each variant (40)
#   --messages N    messages that one measurement writes (1000)
#   --sessions N    sessions that they go to, at random (1000)
#   --clients N     connections at once (1)
#   --split         client and server on CPUs of their own, as on two machines: the
#                   kernel often puts both on one, where a round trip costs least
#   --sync          wait for the disk at each commit (synchronous_commit, fsync)
#   --here          on the server of PGHOST, PGUSER …, which has rag_events
#                   installed, in databases of its own; without it, builds and
#                   starts a private server
#
# The report, in Markdown, goes to standard output; the progress to standard error.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"

bench=$RAG_ROOT/bench
data_files=("$bench/small.jsonl" "$bench/rag.jsonl")
rounds=40 messages=1000 sessions=1000 clients=1 sync=off here='' split=''
samples=8 # messages of a data file that are written in turn
variants=(function statements with plpgsql)

while [ $# -gt 0 ]; do
  case $1 in
  --sync) sync=on ;;
  --split) split=1 ;;
  --here) here=1 ;;
  --data | --rounds | --messages | --sessions | --clients)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    if [ "$1" = --data ]; then
      [ -r "$2" ] || rag_die "cannot read $2"
      data_files+=("$(realpath "$2")")
    else
      [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
      printf -v "${1#--}" %s "$2"
    fi
    shift
    ;;
  *) rag_die "unknown argument \"$1\"; see the head of bench/run.sh" ;;
  esac
  shift
done

sql() { rag_as_user psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
progress() { printf '%s\n' "== $*" >&2; }

drop_databases() {
  local name

  for name in rag_bench "${variants[@]/#/rag_bench_}"; do
    sql -c "DROP DATABASE IF EXISTS $name" 2>/dev/null
  done
}

cleanup() {
  local status=$?

  rag_kill_child
  drop_databases
  (exit "$status")
  rag_cleanup
}

start() {
  if [ -n "$here" ]; then
    rag_require server
    rag_workdir
    trap cleanup EXIT
    PATH=$("$PG_CONFIG" --bindir):$PATH
    sql -c 'SELECT 1' >/dev/null || exit 1
    drop_databases
  else
    rag_require server build
    rag_workdir
    # shellcheck disable=SC2119 # nothing for make
    rag_build >&2 || exit 1
    rag_start_server "fsync = $sync" 'shared_buffers = 512MB' 'max_wal_size = 16GB' \
      'checkpoint_timeout = 1h' || exit 1
  fi
  export PGOPTIONS="-c synchronous_commit=$sync"
}

# split_cpus: sets client, the command that runs pgbench on the first half of the
# CPUs, and leaves the other half to the server's connections.
split_cpus() {
  local cpus

  cpus=$(nproc)
  [ "$cpus" -gt 1 ] || rag_die "--split needs two CPUs"
  client=(taskset -c "0-$((cpus / 2 - 1))")
  taskset -cp "$((cpus / 2))-$((cpus - 1))" "$(head -n 1 "$PGHOST/data/postmaster.pid")" >/dev/null
}

# load_samples FILE NAME: the messages of FILE that are to be written go to the
# table sample.
load_samples() {
  sql -d rag_bench -v samples="$samples" -v name="$2" \
    -f "$bench/samples.sql" <"$1" || exit 1
}

# prepare_scripts: fills args, the arguments of pgbench for all variants, and
# writes for each of them one script a sample, to be drawn at random.
prepare_scripts() {
  local variant arg n count

  args=(-D "sessions=$sessions")
  while IFS= read -r -d '' arg; do
    args+=(-D "$arg")
  done < <(sql -0 -d rag_bench -c 'SELECT argument FROM sample_argument')
  count=$(sql -d rag_bench -c 'SELECT count(*) FROM sample')
  rm -f "$RAG_TMP"/*.sql
  for variant in "${variants[@]}"; do
    for ((n = 1; n <= count; n++)); do
      sed -E "s/:(role|content|sources|latency_ms|top_k|query_type)/&_$n/g" \
        "$bench/message/$variant.sql" >"$RAG_TMP/$variant.$n.sql"
    done
  done
}

# fresh_databases: one for each variant, all the same.
fresh_databases() {
  local variant

  for variant in "${variants[@]}"; do
    sql -c "DROP DATABASE IF EXISTS rag_bench_$variant" 2>/dev/null
    sql -c "CREATE DATABASE rag_bench_$variant TEMPLATE rag_bench" || exit 1
  done
}

# measure NAME ROUND VARIANT: one line of results, with the microseconds that a
# message took: the mean of the middle half of the transactions, as pgbench's log
# has them. What else the machine does and a connection's first calls are in the
# other half.
measure() {
  local files=("$RAG_TMP/$3".*.sql) output=$RAG_TMP/pgbench.out

  sql -d "rag_bench_$3" -c 'VACUUM sessions, messages' || exit 1
  rag_as_user rm -f "$RAG_TMP"/log.*
  if ! rag_as_user "${client[@]}" pgbench -n -M prepared \
    -c "$clients" -t $((messages / clients)) -l --log-prefix="$RAG_TMP/log" \
    "${args[@]}" "${files[@]/#/-f}" "rag_bench_$3" >"$output" 2>&1; then
    cat "$output" >&2
    exit 1
  fi
  cut -d ' ' -f 3 "$RAG_TMP"/log.* | sort -n | awk -v key="$1\t$2\t$3" '
    { time[NR] = $1 }
    END {
      for (i = int(NR / 4) + 1; i <= NR - int(NR / 4); i++) { sum += time[i]; n++ }
      print key "\t" sum / n
    }' >>"$RAG_TMP/results"
}

# measure_all NAME: all variants side by side, the order rotated each round.
measure_all() {
  local round i

  for ((round = 0; round < rounds; round++)); do
    [ $((round % 10)) -gt 0 ] || progress "$1, round $((round + 1)) of $rounds"
    for ((i = 0; i < ${#variants[@]}; i++)); do
      measure "$1" "$round" "${variants[(i + round) % ${#variants[@]}]}"
    done
  done
}

# check_rows: every variant has written the same number of messages.
check_rows() {
  local variant expected=$((rounds * (messages / clients) * clients)) found

  for variant in "${variants[@]}"; do
    found=$(sql -d "rag_bench_$variant" -c 'SELECT count(*) FROM messages')
    [ "$found" = "$expected" ] ||
      rag_die "$variant wrote $found messages, not $expected"
  done
}

[ -z "$here" ] || [ -z "$split" ] || rag_die "--split needs the private server"
start
client=()
[ -z "$split" ] || split_cpus
progress "$("$PG_CONFIG" --version)"
sql -c 'CREATE DATABASE rag_bench' || exit 1
sql -d rag_bench -v sessions="$sessions" -f "$bench/setup.sql" || exit 1
for file in "${data_files[@]}"; do
  name=$(basename "${file%.*}")
  load_samples "$file" "$name"
  prepare_scripts
  fresh_databases
  measure_all "$name"
  check_rows
done
sql -d rag_bench -v rounds="$rounds" -v messages="$messages" -v sessions="$sessions" \
  -v clients="$clients" -v cpus="${split:+ on CPUs of its own}" -f "$bench/report.sql" <"$RAG_TMP/results"
