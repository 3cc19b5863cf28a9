# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A new message with a key: rag_put_message(), and rag_add_message() with an idempotency
# key. And an answer that is stored 50 times while it grows to 1000 bytes, each time in a
# transaction: rag_put_message() with its key, and rag_update_message() with the id that
# rag_add_message() returned.

measure_put() {
  pgbench_round "$2" "$(database "$2")" "$sessions" 1 "$messages"
  result put "$rows" "$1" "$2" "$(middle)"
}

measure_grow() {
  args=(-D n=-1 -D "sessions=$sessions" -D "round=$1")
  rag_as_user rm -f "$RAG_TMP"/script.*
  rag_as_user cp "$bench/edit/grow_$2.sql" "$RAG_TMP/script.grow.1"
  pgbench_round grow "$(database "grow_$2")" "$sessions" 1 "$messages"
  result grow small "$1" "$2" "$(middle)"
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
  progress "put: a growing answer"
  fresh_databases grow_put grow_function
  rotate measure_grow put function
}
