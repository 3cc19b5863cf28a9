# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A turn from Node: rag_add_messages() by pg, and two libraries that store chats in
# PostgreSQL.

part_turn() {
  local round way us

  install_peers turn || return 0
  templates
  fresh_databases turn
  sql -c 'CREATE DATABASE rag_bench_turn_peers' || exit 1
  progress "turn"
  PGDATABASE_NEW=$(database turn) PGDATABASE_PEERS=rag_bench_turn_peers \
    LANGCHAIN_TRACING_V2=false MASTRA_TELEMETRY_DISABLED=1 \
    rag_as_user "${client[@]}" node "$RAG_TMP/peers/turn.mjs" "$real" "$rounds" 200 >"$RAG_TMP/turns" || exit 1
  while IFS=$'\t' read -r round way us; do
    result turn real "$round" "$way" "$us"
  done <"$RAG_TMP/turns"
}
