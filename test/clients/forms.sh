#!/usr/bin/env bash
#
# Conversations that the libraries themselves have made are imported with their texts,
# calls and results, in whatever form, make the same prompt for a model, and come out again
# by the recipes of docs/transfer.md as they went in.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
needs_node 20
# shellcheck disable=SC2034 # for node_modules
packages=test/clients/frameworks
ok "npm ci" node_modules test/clients/forms/samples.mjs
finished

node "$RAG_TMP/samples.mjs" >"$RAG_TMP/samples" || exit 1
sql -c "CREATE EXTENSION rag_events" -c "CREATE TABLE sample (form text, messages jsonb, session uuid)" || exit 1
sql -c "\copy sample (form, messages) FROM '$RAG_TMP/samples' WITH (FORMAT csv, DELIMITER E'\t', QUOTE E'\x02')" \
  -c "UPDATE sample SET session = rag_import_session(messages, user_id => form)" || exit 1
same "each library gave a sample" "5" "$(sql -c "SELECT count(session) FROM sample")"

# texts FORM: what is said to a person, and by whom.
texts() { sql -c "SELECT m.role, m.content FROM sample, rag_get_messages(session) AS m WHERE form = '$1' AND m.content <> '' ORDER BY m.id"; }

weather=$'user|Weather in Oslo?\nassistant|Let me see. \nassistant|It snows.'
same "texts of UIMessage" $'user|Weather in Oslo?\nassistant|Let me see. It snows.' "$(texts UIMessage)"
same "texts of ModelMessage" "$weather" "$(texts ModelMessage)"
same "texts of LangChain's messages" "${weather/$'\nassistant|Let me see. '/}" "$(texts LangChain)"
same "texts of LlamaIndex's messages" "${weather/$'\nassistant|Let me see. '/}" "$(texts LlamaIndex)"
same "texts of the Agents SDK's items" $'user|How much is 6 times 7?\nassistant|It is 42.' "$(texts items)"

# calls FORM: what a model is told of the calls and their results.
calls() {
  sql -c "SELECT concat_ws(' ', message #>> '{tool_calls,0,function,name}', message #>> '{tool_calls,0,function,arguments}', CASE message ->> 'role' WHEN 'tool' THEN message ->> 'content' END)
      FROM sample, jsonb_array_elements(rag_get_prompt(session, NULL)) WITH ORDINALITY AS p (message, n)
     WHERE form = '$1' AND (message ? 'tool_calls' OR message ->> 'role' = 'tool') ORDER BY n"
}
for form in UIMessage ModelMessage LangChain LlamaIndex; do
  same "calls and results of $form in a prompt" $'weather {"city": "Oslo"}\n'"$(
    case $form in LangChain | LlamaIndex) echo snow ;; *) echo '{"sky": "snow", "degrees": -3}' ;; esac
  )" "$(calls $form)"
done
same "calls and results of items in a prompt" $'multiply {"a":6,"b":7}\n42' "$(calls items)"

# recipe WORD FORM: the statement of docs/transfer.md with the word, on the sample.
recipe() {
  local statement session

  session=$(sql -c "SELECT session FROM sample WHERE form = '$2'")
  statement=$(awk -v word="$1" '
    /^SELECT/ && !/gset/ { text = ""; inside = 1 }
    inside { text = text $0 "\n" }
    /;$/ { if (inside && text ~ word) { printf "%s", text; exit } inside = 0 }' "$RAG_ROOT/docs/transfer.md")
  sql -v session="$session" <<<"$statement"
}

same "UIMessages come out as they went in" "t" "$(
  recipe ui_messages UIMessage | tr -d '\n' >"$RAG_TMP/out"
  sql -c "CREATE TABLE got (messages jsonb)" -c "\copy got FROM '$RAG_TMP/out' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')" \
    -c "SELECT s.messages = g.messages FROM sample AS s, got AS g WHERE form = 'UIMessage'"
)"
same "items come out as they went in" "$(sql -c "SELECT jsonb_array_elements(messages) FROM sample WHERE form = 'items'")" "$(recipe "'items'" items)"
finished
