# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The last 20 messages of a session of which nothing is in a cache: as a busy table has them,
# on a page each, and after CLUSTER, side by side.

# forget: the server starts anew, and what the operating system has of its files goes,
# where that is allowed.
forget() {
  sql -c CHECKPOINT
  restart_server
  sync
  if ! echo 3 2>/dev/null >/proc/sys/vm/drop_caches; then cold_note=' The cache of the operating system was not emptied.'; fi
}

measure_cold() {
  forget
  result cold small "$1" "$2" "$(read_round last_function "rag_bench_way_cold_$2" "$size" 50)"
}

part_cold() {
  local size=500000 way cold_note=''

  [ -z "$here" ] || {
    progress "cold: SKIPPED, needs the private server"
    return
  }
  for way in spread clustered; do
    progress "cold: filling a table with $size messages, $way"
    make_template "way_cold_$way" '' 1
    sql -d "rag_bench_way_cold_$way" -v size="$size" -v length=50 -v together=1000 -f "$bench/read/fill.sql" <"$bench/small.jsonl" || exit 1
  done
  sql -d rag_bench_way_cold_clustered -c 'CLUSTER messages USING ix_messages_session_id' -c 'ANALYZE messages' || exit 1
  sql -c "ALTER SYSTEM SET shared_buffers = '16MB'"
  rotate measure_cold clustered spread
  sql -c 'ALTER SYSTEM RESET shared_buffers'
  restart_server
  echo "cold: 50 calls after a start of the server, shared_buffers = 16MB.$cold_note" >>"$RAG_TMP/notes"
}
