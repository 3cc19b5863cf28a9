# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# One small message by rag_add_message(), with the index on messages.created_at as it is, with a
# plain minmax index in its place, and without. At the end of the table, where no range
# of pages is summarized yet; and on pages that were emptied and that the index has summarized.

measure_brin() {
  pgbench_round function "rag_bench_way_brin_${rows}_$2" "$sessions" 1 "$messages"
  result brin "$rows" "$1" "$2" "$(middle)"
}

part_brin() {
  local rows way size=200000

  templates
  load_samples "$bench/small.jsonl"
  prepare_scripts function
  for way in asis minmax none; do
    progress "brin: filling a table with $size messages, $way"
    make_template "way_brin_end_$way" '' $((size / 10))
    [ "$way" = asis ] || sql -d "rag_bench_way_brin_end_$way" -c 'DROP INDEX ix_messages_created_at' || exit 1
    [ "$way" != minmax ] || sql -d "rag_bench_way_brin_end_$way" -c 'CREATE INDEX ix_messages_created_at ON messages USING brin (created_at timestamp_minmax_ops) WITH (pages_per_range = 32)' || exit 1
    sql -d "rag_bench_way_brin_end_$way" -v size="$size" -f "$bench/fill.sql" || exit 1
    sql -c "CREATE DATABASE rag_bench_way_brin_emptied_$way TEMPLATE rag_bench_way_brin_end_$way" || exit 1
    # As after sessions have expired: every other one of the older half of the table.
    sql -d "rag_bench_way_brin_emptied_$way" -c "DELETE FROM messages WHERE id <= $((size / 2)) AND session_id IN (SELECT lpad((n * 2)::text, 32, '0')::uuid FROM generate_series(1, $((size / 40))) AS n)" \
      -c 'VACUUM (FREEZE, ANALYZE) messages' || exit 1
  done
  for rows in end emptied; do
    progress "brin: $rows"
    rotate measure_brin asis minmax none
  done
}
