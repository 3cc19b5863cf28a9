# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
#
# Measuring with pgbench. What is measured goes to $RAG_TMP/results, one line each:
# part, rows, round, way, microseconds for one message (or turn).

result() {
  local IFS=$'\t'

  printf '%s\n' "$*" >>"$RAG_TMP/results"
}

# load_samples FILE: the messages of FILE that are to be written go to the table
# sample of rag_bench_new.
load_samples() {
  sql -d rag_bench_new -v samples=8 -f "$bench/samples.sql" <"$1" || exit 1
}

# prepare_scripts NAME…: fills args, the arguments of pgbench, and writes for each
# of bench/message/NAME.sql one script a sample, to be drawn at random.
prepare_scripts() {
  local name arg n count

  args=()
  while IFS= read -r -d '' arg; do
    args+=(-D "$arg")
  done < <(sql -0 -d rag_bench_new -c 'SELECT argument FROM sample_argument')
  count=$(sql -d rag_bench_new -c 'SELECT count(*) FROM sample')
  rag_as_user rm -f "$RAG_TMP"/script.*
  for name in "$@"; do
    for ((n = 1; n <= count; n++)); do
      sed -E "s/:(role|content|sources|latency_ms|top_k|query_type)/&_$n/g" \
        "$bench/message/$name.sql" >"$RAG_TMP/script.$name.$n"
    done
  done
}

# pgbench_round NAME DATABASE SESSIONS CLIENTS MESSAGES: the time of each message in
# microseconds goes to $RAG_TMP/log.*, pgbench's output to $RAG_TMP/output.
pgbench_round() {
  local files=("$RAG_TMP/script.$1".*)

  sql -d "$2" -c 'VACUUM sessions, messages' || exit 1
  rag_as_user rm -f "$RAG_TMP"/log.*
  if ! rag_as_user "${client[@]}" pgbench -n -M prepared -c "$4" -t $(($5 / $4)) -l \
    --log-prefix="$RAG_TMP/log" -D "sessions=$3" -D "clients=$4" \
    "${args[@]}" "${files[@]/#/-f}" "$2" >"$RAG_TMP/output" 2>&1; then
    cat "$RAG_TMP/output" >&2
    exit 1
  fi
}

# middle: of the times in pgbench's log, the mean of the middle half. What else the
# machine does and a connection's first calls are in the other half.
middle() {
  cut -d ' ' -f 3 "$RAG_TMP"/log.* | sort -n | awk '
    { time[NR] = $1 }
    END {
      for (i = int(NR / 4) + 1; i <= NR - int(NR / 4); i++) { sum += time[i]; n++ }
      print sum / n
    }'
}

# rotate COMMAND WAY…: calls "COMMAND ROUND WAY" for all ways side by side, the
# order rotated each round.
rotate() {
  local command=$1 round i
  shift

  for ((round = 0; round < rounds; round++)); do
    for ((i = 0; i < $#; i++)); do
      local n=$(((i + round) % $# + 1))
      "$command" "$round" "${!n}"
    done
  done
}

# check_rows DATABASE EXPECTED: so many messages are in there.
check_rows() {
  local found

  found=$(sql -d "$1" -c 'SELECT count(*) FROM messages')
  [ "$found" = "$2" ] || rag_die "$1 has $found messages, not $2"
}

# report: the tables, and the picture.
report() {
  sql -d postgres -v rounds="$rounds" -v messages="$messages" -v sessions="$sessions" \
    -v cpus="${split:+, client and server on CPUs of their own}" \
    -v bars="$RAG_TMP/bars" -f "$bench/report.sql" <"$RAG_TMP/results" || exit 1
  cat "$RAG_TMP/notes"
  awk -f "$bench/picture.awk" "$RAG_TMP/bars" >"$svg" && progress "picture: $svg"
}
