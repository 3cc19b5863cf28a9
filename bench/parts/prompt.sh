# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The same 20 messages, within the same budget, as a prompt and as a context:
# rag_get_prompt(), and rag_get_context(). Large messages have 4096 characters.

measure_prompt() {
  result prompt "$rows" "$1" "$2" "$(read_round "window_$2" "$database" "$count" "$messages")"
}

part_prompt() {
  local rows database count=20000

  fill_with_texts prompt_large "$count" 4096
  for rows in small real large; do
    database=rag_bench_way_read_${rows}_$count
    if [ "$rows" = large ]; then database=rag_bench_way_prompt_large; else read_database "$rows" "$count"; fi
    progress "prompt: $rows rows"
    rotate measure_prompt prompt context
  done
  echo "prompt: 20 of 50 messages of any session, $count messages in the table; large rows have 4096 characters." >>"$RAG_TMP/notes"
}
