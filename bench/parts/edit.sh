# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A message that is changed: rag_update_message(), rag_put_message() by its key, and the same
# as one WITH statement.

measure_edit() {
  result edit "$rows" "$1" "$2" "$(read_round "update_$2" "rag_bench_way_read_${rows}_$size" "$size" "$messages")"
}

part_edit() {
  local rows size=20000

  for rows in small real; do
    read_database "$rows" "$size"
    progress "edit: $rows rows"
    sql -d "rag_bench_way_read_${rows}_$size" -c "UPDATE messages SET idempotency_key = lpad(id::text, 9, '0'), role = CASE id % 2 WHEN 1 THEN 'user' ELSE 'assistant' END" \
      -c 'VACUUM (FULL, ANALYZE) messages' || exit 1
    rotate measure_edit function put with
    check_rows "rag_bench_way_read_${rows}_$size" "$size"
  done
  echo "edit: any of $size messages, its content replaced by 90 bytes." >>"$RAG_TMP/notes"
}
