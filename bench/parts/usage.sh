# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A closed year by rag_usage(), 1 million messages in the table, with --full also 10 million:
# all its rows fetched, only counted, and added up by month and model, with percentiles; and the same
# from the messages, by percentile_cont(). How many rows a year has depends on how many
# users write in a day: see --users.

measure_usage() {
  result usage "$size" "$1" "$2" "$(read_round "usage_$2" "rag_bench_way_usage_$size" "$size" "$calls" 10)"
}

part_usage() {
  local size calls=1 sizes=(1000000)
  local rounds=$((rounds > 5 ? 5 : rounds)) # long ones

  [ -z "$full" ] || sizes+=(10000000)
  for size in "${sizes[@]}"; do
    progress "usage: filling a table with $size messages"
    make_template "way_usage_$size" '' 1
    sql -d "rag_bench_way_usage_$size" -v size="$size" -v days=365 -v length=10 -v together=100 -v users="$users" \
      -f "$bench/usage/fill.sql" >/dev/null || exit 1
    progress "usage: closing a year of $size messages"
    sql -d "rag_bench_way_usage_$size" -c 'SELECT rag_close_days()' -c 'VACUUM (FREEZE, ANALYZE) rag_usage_daily' >/dev/null || exit 1
    sql -d "rag_bench_way_usage_$size" -c "SELECT format('usage: %s messages of %s users: %s rows in rag_usage_daily, %s, with %s pairs in a histogram on average.',
        $size, $users, count(*), pg_size_pretty(pg_table_size('rag_usage_daily')), round(avg(cardinality(latency) / 2), 1))
      FROM rag_usage_daily" >>"$RAG_TMP/notes"
    progress "usage: $size messages"
    rotate measure_usage all count months raw
    sql -c "DROP DATABASE rag_bench_way_usage_$size"
  done
}
