# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
#
# Measuring with pgbench. What is measured goes to $RAG_TMP/results, one line each:
# part, rows, round, way, microseconds for one message (or turn).

result() {
  local IFS=$'\t'

  printf '%s\n' "$*" >>"$RAG_TMP/results"
}

# keep_awake: a process that everything else goes before, on each processor, until this
# script ends. A processor of a virtual machine that has nothing to do is put to sleep between
# a call and the next, and takes longer to be woken than the call does.
keep_awake() {
  local cpu

  for ((cpu = 0; cpu < $(nproc); cpu++)); do
    # shellcheck disable=SC2016 # for the inner shell
    chrt --idle 0 taskset -c "$cpu" sh -c '
      while kill -0 "$0"; do
        n=0
        while [ "$n" -lt 100000 ]; do n=$((n + 1)); done
      done' $$ >/dev/null 2>&1 </dev/null &
  done
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

# gather_calls CALLS MANY [CREATE]: the calls for one conversation each, as those for many: a line
# with the first twenty, and one for each hundred of the others. With CREATE (true) they create
# their sessions.
gather_calls() {
  awk -F '\t' -v create="${3:-false}" '
    { printf "%s{\"session_id\": \"%s\", \"create_session\": %s, \"messages\": %s}", (ended || NR == 1 ? "[" : ", "), $1, create, $2 }
    { ended = NR % 100 == 20 }
    ended { print "]" }
    END { if (!ended) print "]" }' "$1" | rag_as_user tee "$2" >/dev/null
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

# install_peers: the libraries in $RAG_TMP/peers; false, with a note, where node is too
# old for PART's.
install_peers() {
  local dir=$RAG_TMP/peers major

  rag_require node npm
  major=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$major" -lt 20 ]; then
    progress "$1: SKIPPED, the libraries need node 20, not $major"
    echo "$1: not measured, the libraries need node 20 or later." >>"$RAG_TMP/notes"
    return 1
  fi
  [ ! -d "$dir" ] || return 0
  progress "$1: npm ci"
  rag_as_user mkdir "$dir"
  rag_as_user cp "$bench"/peers/{package.json,package-lock.json,.npmrc,turn.mjs,read.mjs} "$dir/"
  if ! rag_as_user npm --prefix "$dir" ci --ignore-scripts --no-audit --no-fund \
    --cache "$RAG_TMP/npm" >"$RAG_TMP/npm.log" 2>&1; then
    cat "$RAG_TMP/npm.log" >&2
    exit 1
  fi
}

# peers_read DATABASE WHAT ROWS ARGUMENT: what read.mjs measures goes to the results.
peers_read() {
  local round way us

  PGDATABASE=$1 LANGCHAIN_TRACING_V2=false MASTRA_TELEMETRY_DISABLED=1 \
    rag_as_user "${client[@]}" node "$RAG_TMP/peers/read.mjs" "$2" "$rounds" "$4" >"$RAG_TMP/reads" || exit 1
  while IFS=$'\t' read -r round way us; do
    result "$2" "$3" "$round" "$way" "$us"
  done <"$RAG_TMP/reads"
}

# picture VERB PARTS FILE: of the parts that match, if any were measured.
picture() {
  awk -F '\t' -v parts="$2" '$1 ~ parts' "$RAG_TMP/bars" >"$RAG_TMP/bars_$1"
  [ -s "$RAG_TMP/bars_$1" ] || return 0
  awk -v verb="$1" -f "$bench/picture.awk" "$RAG_TMP/bars_$1" >"$3" && progress "picture: $3"
}

# name_cpus: what the report says of them.
name_cpus() {
  case $cpus in
  split) echo ', client and server on CPUs of their own' ;;
  together) echo ', client and server on one CPU' ;;
  esac
}

# report: the tables, and the pictures.
report() {
  sql -d postgres -v rounds="$rounds" -v messages="$messages" -v sessions="$sessions" \
    -v cpus="$(name_cpus)" \
    -v bars="$RAG_TMP/bars" -f "$bench/report.sql" <"$RAG_TMP/results" || exit 1
  cat "$RAG_TMP/notes"
  picture writes '^(message|turn|bulk|growth|clients)$' "$svg"
  picture reads '^(last|last_growth|last_growth_any|history|context|sidebar|import)$' "${svg%.svg}_reading.svg"
}
