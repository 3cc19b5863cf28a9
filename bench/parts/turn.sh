# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A turn from Node: rag_add_messages() by pg, and two libraries that store chats in
# PostgreSQL.

part_turn() {
  local dir=$RAG_TMP/peers round way us major

  rag_require node npm
  major=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$major" -lt 20 ]; then
    progress "turn: SKIPPED, the libraries need node 20, not $major"
    echo "A turn was not measured: the libraries need node 20 or later." >>"$RAG_TMP/notes"
    return
  fi
  templates
  progress "turn: npm ci"
  rag_as_user mkdir "$dir"
  rag_as_user cp "$bench"/peers/{package.json,package-lock.json,.npmrc,turn.mjs} "$dir/"
  if ! rag_as_user npm --prefix "$dir" ci --ignore-scripts --no-audit --no-fund \
    --cache "$RAG_TMP/npm" >"$RAG_TMP/npm.log" 2>&1; then
    cat "$RAG_TMP/npm.log" >&2
    exit 1
  fi
  fresh_databases turn
  sql -c 'CREATE DATABASE rag_bench_turn_peers' || exit 1
  progress "turn"
  PGDATABASE_NEW=$(database turn) PGDATABASE_PEERS=rag_bench_turn_peers \
    LANGCHAIN_TRACING_V2=false MASTRA_TELEMETRY_DISABLED=1 \
    rag_as_user "${client[@]}" node "$dir/turn.mjs" "$real" "$rounds" 200 >"$RAG_TMP/turns" || exit 1
  while IFS=$'\t' read -r round way us; do
    result turn real "$round" "$way" "$us"
  done <"$RAG_TMP/turns"
}
