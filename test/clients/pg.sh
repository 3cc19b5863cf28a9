#!/usr/bin/env bash
#
# Node's pg stores conversations and reads them back, byte for byte, with prepared
# statements. pg comes from the npm registry, as package-lock.json pins it.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
ok "npm ci" node_modules test/clients/load_pg.mjs
finished
conversations

sql -c "CREATE EXTENSION rag_events" || exit 1
node "$RAG_TMP/load_pg.mjs" "${files[@]}" || exit 1
