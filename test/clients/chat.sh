#!/usr/bin/env bash
#
# examples/chat in a browser: each thing that the page can do, an answer that goes on through a
# reload, a lost connection and in two tabs, and two users who never see each other. React, vite
# and Playwright come from the npm registry, and Chromium from Debian.
#
# CHAT_SCREENSHOT=FILE has it write the picture of examples/chat/README.md, as the user of the tests.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
rag_require npm
rag_wish deb:chromium
CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "1..0 # SKIP there is no Chromium"
  exit 0
}
export CHROMIUM RAG_ROOT
# shellcheck disable=SC2034 # for node_modules
packages=test/clients/chat
ok "npm ci" node_modules test/clients/chat/*.mjs test/clients/tap.mjs
finished

sql -c "CREATE EXTENSION rag_events" || exit 1
node "$RAG_TMP/chat.mjs" || failures=$((failures + 1))
finished
