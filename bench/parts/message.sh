# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# One message: rag_add_message(), the same work in plain SQL on the same tables and on
# those of 1.0, and a bare INSERT there.

message_ways=(function statements with plpgsql statements@1.0 insert@1.0)

measure_message() {
  pgbench_round "${2%@*}" "$(database "$2")" "$sessions" 1 "$messages"
  result message "$rows" "$1" "$2" "$(middle)"
}

part_message() {
  local rows file way

  templates
  for rows in small real; do
    progress "message: $rows rows"
    file=$bench/small.jsonl
    [ "$rows" = small ] || file=$real
    load_samples "$file"
    prepare_scripts function statements with plpgsql insert
    fresh_databases "${message_ways[@]}"
    rotate measure_message "${message_ways[@]}"
    for way in "${message_ways[@]}"; do
      check_rows "$(database "$way")" $((rounds * messages))
    done
  done
  sql -d "$(database function)" -c "
    SELECT format('Of %s updates of \`sessions\` by rag_add_message(), %s %% were HOT.',
      n_tup_upd, round(100.0 * n_tup_hot_upd / n_tup_upd, 1))
    FROM pg_stat_user_tables WHERE relname = 'sessions'" >>"$RAG_TMP/notes"
  sql -d rag_bench_new -c "
    SELECT format('Real rows: %s messages, on average %s bytes of text and %s bytes of sources.',
      count(*), round(avg(octet_length(content))), coalesce(round(avg(octet_length(sources))), 0))
    FROM sample" >>"$RAG_TMP/notes"
}
