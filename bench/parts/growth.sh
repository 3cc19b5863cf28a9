# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# One small message, with ever more messages in the table: ten to a session, and the
# new ones to any session.

measure_growth() {
  pgbench_round function "rag_bench_growth_$2" $(($2 / 10)) 1 "$messages"
  [ "$1" = warm ] || result growth small "$1" "$2" "$(middle)"
}

part_growth() {
  local sizes=(10000 1000000) size

  templates
  [ -z "$full" ] || sizes+=(10000000)
  load_samples "$bench/small.jsonl"
  prepare_scripts function
  for size in "${sizes[@]}"; do
    progress "growth: filling a table with $size messages"
    make_template "growth_$size" '' $((size / 10))
    sql -d "rag_bench_growth_$size" -v size="$size" -f "$bench/fill.sql" || exit 1
    [ -n "$here" ] || sync -f "$data"
    for _ in 1 2 3; do measure_growth warm "$size"; done
  done
  progress "growth"
  rotate measure_growth "${sizes[@]}"
  for size in "${sizes[@]}"; do
    check_rows "rag_bench_growth_$size" $((size + (rounds + 3) * messages))
    sql -c "DROP DATABASE rag_bench_growth_$size"
  done
}
