# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A new message with a key: rag_put_message(), and rag_add_message() with an idempotency key.

measure_put() {
  pgbench_round "$2" "$(database "$2")" "$sessions" 1 "$messages"
  result put "$rows" "$1" "$2" "$(middle)"
}

part_put() {
  local rows file

  templates
  for rows in small real; do
    progress "put: $rows rows"
    file=$bench/small.jsonl
    [ "$rows" = small ] || file=$real
    load_samples "$file"
    prepare_scripts put key
    fresh_databases put key
    rotate measure_put put key
  done
}
