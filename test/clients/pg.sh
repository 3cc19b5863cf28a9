#!/usr/bin/env bash
#
# Node's pg stores conversations and reads them back, byte for byte, with prepared
# statements; and calls every function of a conversation, directly and through
# PgBouncer. pg comes from the npm registry, as package-lock.json pins it.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
ok "npm ci" node_modules test/clients/{load_pg,conversation_pg,tap}.mjs
finished
conversations
start_pooler

sql -c "CREATE EXTENSION rag_events" || exit 1
node "$RAG_TMP/load_pg.mjs" "${files[@]}" || failures=$((failures + 1))
direct_and_pooled node "$RAG_TMP/conversation_pg.mjs"
finished
