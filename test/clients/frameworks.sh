#!/usr/bin/env bash
#
# The examples for the Agents SDK, the AI SDK, LangChain.js, LlamaIndex.TS and MCP keep what these give to them,
# directly and through PgBouncer; what one has stored, the others go on with; and the demos print what they are to
# print. The packages come from the npm registry, as package-lock.json pins them. No test asks a real model.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
needs_node 20
# shellcheck disable=SC2034 # for node_modules
packages=test/clients/frameworks
ok "npm ci" node_modules test/clients/tap.mjs
finished
start_pooler
sql -c "CREATE EXTENSION rag_events" || exit 1

# An adapter that one can read at once.
ok "no example is longer than 100 lines" awk 'FNR > 100 { print FILENAME; exit 1 }' \
  examples/{agents,ai-sdk,langchain,llamaindex,mcp}/*.mjs

for framework in agents ai-sdk langchain llamaindex mcp; do
  mkdir "$RAG_TMP/$framework"
  cp "examples/$framework"/*.mjs "$RAG_TMP/tap.mjs" "$RAG_TMP/$framework"
  cp "test/clients/frameworks/$framework.mjs" "$RAG_TMP/$framework/test.mjs"
  LABEL="$framework" node "$RAG_TMP/$framework/test.mjs" || failures=$((failures + 1))
  LABEL="$framework, pooled" through_pooler node "$RAG_TMP/$framework/test.mjs" || failures=$((failures + 1))
done
mkdir "$RAG_TMP/together"
cp test/clients/frameworks/together.mjs "$RAG_TMP/tap.mjs" "$RAG_TMP/together"
LABEL="together" node "$RAG_TMP/together/together.mjs" || failures=$((failures + 1))

refused='23505 duplicate key value violates unique constraint "sessions_pkey"'

# demo FRAMEWORK EXPECTED
demo() {
  same "$1: the demo prints the conversation" "$2"$'\n'"$refused" "$(node "$RAG_TMP/$1/demo.mjs" 2>&1)"
}

demo agents 'A single ticket is valid for 75 minutes.
Dogs need a child ticket.
user
function_call
function_call_result
assistant
user
assistant'
demo ai-sdk "200 true
user: How long is a ticket valid?
assistant: A single ticket is valid for 75 minutes. (m-1, done)
user: How long is a ticket valid?
assistant: A single ticket is valid for 75 minutes. (m-1, done)"
demo langchain 'A single ticket is valid for 75 minutes.
Dogs need a child ticket.
human: How long is a ticket valid?
ai: A single ticket is valid for 75 minutes.
human: And for dogs?
ai: Dogs need a child ticket.'
demo llamaindex 'A single ticket is valid for 75 minutes.
Dogs need a child ticket.
user: How long is a ticket valid?
assistant: A single ticket is valid for 75 minutes.
user: And for dogs?
assistant: Dogs need a child ticket.
tariff-04 0.91
tariff-04 0.91'
finished
