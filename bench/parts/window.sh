# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The context of a prompt, 20 messages: rag_get_context(), a SELECT with a window sum, and
# the same messages by rag_get_messages().

measure_window() {
  result window "$rows" "$1" "$2" "$(read_round "window_$2" "rag_bench_way_read_${rows}_$size" "$size" "$messages")"
}

part_window() {
  local rows size=20000

  for rows in small real; do
    read_database "$rows" "$size"
    progress "window: $rows rows"
    rotate measure_window context select last
  done
  echo "window: 20 of 50 messages of any session, $size messages in the table." >>"$RAG_TMP/notes"
}
