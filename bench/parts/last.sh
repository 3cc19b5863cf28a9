# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The last 20 messages of a session: rag_get_messages() and plain SQL on the same table,
# small rows and real ones; and with ever more messages in the table.

last_ways=(function sql checked)

# read_database ROWS SIZE: makes sure of the database rag_bench_way_read_ROWS_SIZE.
read_database() {
  local name=way_read_$1_$2 file=$bench/small.jsonl

  case " ${read_databases-} " in *" $name "*) return ;; esac
  progress "filling a table with $2 messages, $1 rows"
  [ "$1" = small ] || file=$real
  make_template "$name" '' 1
  sql -d "rag_bench_$name" -v size="$2" -v length=50 -v together=100 -f "$bench/read/fill.sql" <"$file" || exit 1
  read_databases="${read_databases-} $name"
}

# read_round SCRIPT DATABASE SIZE CALLS [LENGTH] [OPTION…]: the time of a call, of SCRIPT.sql
# in bench/read, edit, usage or feedback, with SIZE messages in sessions of LENGTH (50), and with
# options of pgbench.
read_round() {
  args=("${@:6}")
  rag_as_user rm -f "$RAG_TMP"/script.*
  rag_as_user cp "$(find "$bench/read" "$bench/edit" "$bench/usage" "$bench/feedback" -name "$1.sql")" "$RAG_TMP/script.$1.1"
  pgbench_round "$1" "$2" $(($3 / ${5:-50})) 1 "$4"
  middle
}

measure_last() {
  result last "$rows" "$1" "$2" "$(read_round "last_$2" "rag_bench_way_read_${rows}_$size" "$size" "$messages")"
}

# Of 200 sessions, whatever the size of the table; and of any session.
measure_last_growth() {
  local us

  us=$(read_round last_active "rag_bench_way_read_small_$2" "$2" "$messages") || exit 1
  [ "$1" = warm ] || result last_growth small "$1" "$2" "$us"
  us=$(read_round last_function "rag_bench_way_read_small_$2" "$2" "$messages") || exit 1
  [ "$1" = warm ] || result last_growth_any small "$1" "$2" "$us"
}

part_last() {
  local rows size sizes=(10000 1000000)

  for rows in small real; do
    size=1000000
    [ "$rows" = small ] || size=20000
    read_database "$rows" "$size"
    progress "last: $rows rows"
    rotate measure_last "${last_ways[@]}"
    check_rows "rag_bench_way_read_${rows}_$size" "$size"
    echo "last, $rows rows: 20 of 50 messages, $size messages in the table." >>"$RAG_TMP/notes"
  done

  [ -z "$full" ] || sizes+=(10000000)
  for size in "${sizes[@]}"; do
    read_database small "$size"
    for _ in 1 2 3; do measure_last_growth warm "$size"; done
  done
  progress "last: growth"
  rotate measure_last_growth "${sizes[@]}"
  echo "last, growth: of 200 sessions, or of any of the table." >>"$RAG_TMP/notes"
}
