#!/usr/bin/env bash
#
# The message history for LangChain.js keeps what LangChain gives to it, directly and
# through PgBouncer. LangChain comes from the npm registry, as package-lock.json pins it.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
ok "npm ci" node_modules examples/langchain/history.mjs test/clients/{langchain,tap}.mjs
finished
start_pooler

sql -c "CREATE EXTENSION rag_events" || exit 1
LABEL="direct" node "$RAG_TMP/langchain.mjs" || failures=$((failures + 1))
LABEL="pooled" through_pooler node "$RAG_TMP/langchain.mjs" || failures=$((failures + 1))
finished
