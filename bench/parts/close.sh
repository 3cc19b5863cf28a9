# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A day of 100 thousand messages closed by rag_close_days(), and counted by an INSERT
# written by hand, with percentile_cont(); as many days in the table as there are rounds.

measure_close() {
  result close small "$1" "$2" "$(read_round "close_$2" rag_bench_way_close "$size" 1 10 -D "round=$1")"
}

part_close() {
  local size=$((rounds * 100000))

  progress "close: filling a table with $size messages"
  make_template way_close '' 1
  sql -d rag_bench_way_close -v size="$size" -v days="$rounds" -v length=10 -v together=100 -v users="$users" -f "$bench/usage/fill.sql" >/dev/null || exit 1
  sql -d rag_bench_way_close -c 'CREATE TABLE usage_by_hand (day date, user_id text, model text, query_type text, sessions bigint, questions bigint,
    answers bigint, answers_without_sources bigint, input_tokens bigint, output_tokens bigint, latency double precision[])' || exit 1
  progress close
  rotate measure_close function select
  sql -d rag_bench_way_close -c "SELECT format('close: days of 100000 messages, %s rows each on average.', count(*) / $rounds) FROM rag_usage_daily" >>"$RAG_TMP/notes"
}
