#!/usr/bin/env bash
#
# What rag_get_prompt() returns is what OpenAI's client takes: the types of the npm package
# "openai" are the published form of its API, and TypeScript checks the prompts against
# them. Both come from the npm registry, as package-lock.json pins them.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
ok "npm ci" node_modules test/clients/openai.sql
finished

sql -c "CREATE EXTENSION rag_events" || exit 1

# typed NAME <PROMPTS: a program that gives each line of standard input to the client.
typed() {
  echo 'import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";'
  awk '{ print "export const prompt" NR ": ChatCompletionMessageParam[] = " $0 ";" }'
}

check() {
  (cd "$RAG_TMP" && node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module nodenext --target es2022 "$1")
}

rejects() { ! check "$1" >/dev/null; }

sql -f "$RAG_TMP/openai.sql" >"$RAG_TMP/prompts" || exit 1
ok "there are prompts" test "$(grep -c '"role"' "$RAG_TMP/prompts")" -ge 10
typed <"$RAG_TMP/prompts" >"$RAG_TMP/prompts.ts"
ok "each is what the client takes" check prompts.ts

# The compiler sees what is not: a result without its id, another role, a part of no type.
for wrong in '[{"role": "tool", "content": "x"}]' '[{"role": "bot", "content": "x"}]' \
  '[{"role": "user", "content": [{"type": "picture"}]}]' '[{"role": "assistant", "content": null, "tool_calls": [{"name": "f", "args": {}}]}]'; do
  typed <<<"$wrong" >"$RAG_TMP/wrong.ts"
  ok "and it does not take $wrong" rejects wrong.ts
done
finished
