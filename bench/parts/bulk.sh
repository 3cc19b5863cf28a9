# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# Whole conversations in one transaction, from a client: rag_add_messages() gets them as
# JSON, one call a conversation, rag_add_conversations() all; COPY gets rows.

bulk_ways=(calls many recordset copy copy@1.0)

measure_bulk() {
  local db mode=${2%@*} files=("$RAG_TMP/calls") us

  db=$(database "$2")
  case $mode in
  copy) files=("$RAG_TMP/rows" "$RAG_TMP/ids") ;;
  many) files=("$RAG_TMP/many") ;;
  recordset) files+=("$RAG_TMP/ids") ;;
  esac
  sql -d "$db" -c 'TRUNCATE messages' -c 'VACUUM sessions' || exit 1
  us=$(PGDATABASE=$db rag_as_user "${client[@]}" "$RAG_TMP/load" "$mode" "${files[@]}" </dev/null) || exit 1
  check_rows "$db" "$bulk_messages"
  result bulk "$rows" "$1" "$2" "$(awk -v us="$us" -v n="$bulk_messages" 'BEGIN { print us / n }')"
}

part_bulk() {
  local rows file fold counts bulk_messages
  local rounds=$((rounds * 2)) # short ones

  templates
  rag_as_user gcc -O2 -Wall -o "$RAG_TMP/load" "$bench/bulk/load.c" "${libpq[@]}" || exit 1
  for rows in small real; do
    file=$bench/small.jsonl fold=5
    [ "$rows" = small ] || file=$real fold=1
    load_samples "$file"
    counts=$(sql -d rag_bench_new -v fold="$fold" -v calls="$RAG_TMP/calls" \
      -v rows="$RAG_TMP/rows" -v ids="$RAG_TMP/ids" -f "$bench/bulk/files.sql") || exit 1
    IFS='|' read -r bulk_messages counts <<<"$counts"
    gather_calls "$RAG_TMP/calls" "$RAG_TMP/many"
    [ "$counts" -le "$sessions" ] || rag_die "bulk needs --sessions $counts, or more"
    progress "bulk: $rows rows, $bulk_messages messages of $counts conversations"
    echo "bulk, $rows rows: $bulk_messages messages of $counts conversations." >>"$RAG_TMP/notes"
    fresh_databases "${bulk_ways[@]}"
    rotate measure_bulk "${bulk_ways[@]}"
  done
}
