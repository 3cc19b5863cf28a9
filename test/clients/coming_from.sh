#!/usr/bin/env bash
#
# The blocks of docs/coming-from.md print what they show, on tables as the stores'
# migrations make them. Run again they leave everything as it is; what has grown in the old
# tables meanwhile is moved anew, and the old tables stay as they are. Then the same with tables
# that LangChain.js and Mastra themselves have made and filled, as bench/peers pins them.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=test/clients/document.sh
. "$RAG_ROOT/test/clients/document.sh"

page=$RAG_ROOT/docs/coming-from.md
sql_of "$page"

# again: the helpers and the moving blocks, once more.
again() {
  awk '/^CREATE (FUNCTION|PROCEDURE) pg_temp/ || /^DO / { inside = 1 } inside { print } /^\$\$;$|\$\$;$|^END \$\$;$/ { if ($0 !~ /^CREATE/) inside = 0 }' "$page" >"$RAG_TMP/again.sql"
  sql -f "$RAG_TMP/again.sql"
}

# With the transaction that wrote each row: nothing may have been written anew.
state() { sql -c "SELECT md5(concat((SELECT string_agg(s.xmin || s::text, ' ' ORDER BY id) FROM sessions AS s), (SELECT string_agg(m.xmin || m::text, ' ' ORDER BY id) FROM messages AS m)))"; }
old() { sql -c "SELECT md5(string_agg(query_to_xml(format('SELECT * FROM %s ORDER BY 1', oid::regclass), true, true, '')::text, ' ' ORDER BY relname)) FROM pg_class WHERE relnamespace = 'old'::regnamespace AND relkind = 'r'"; }

before=$(state) tables=$(old)
ok "there are seven blocks that move" test "$(grep -c '^DO ' "$page")" -eq 7
ok "they run again" again
same "and leave everything as it is" "$before" "$(state)"
same "the old tables are as they were" "$tables" "$(old)"

sql -c "INSERT INTO old.langchain_chat_histories (session_id, message) VALUES ('thread_1', '{\"type\": \"human\", \"content\": \"Thanks\"}')" \
  -c "INSERT INTO old.\"Message_v2\" VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000002', 'user', '[{\"type\": \"text\", \"text\": \"Thanks\"}]', '[]', '2026-03-01 09:00:03')"
ok "they run after something was added" again
same "what was added is moved, once" "2 18" "$(sql -c "SELECT count(*) FILTER (WHERE content = 'Thanks'), count(*) FROM messages" | tr '|' ' ')"
same "and the sessions are as many" "7" "$(sql -c "SELECT count(*) FROM sessions")"
same "votes are feedback" "1|1" "$(sql -c "SELECT count(*), sum(score) FROM rag_feedback")"

# ---------------------------------------------------------------------------
# Tables of the libraries themselves
# ---------------------------------------------------------------------------

finished
needs_node 20
# shellcheck disable=SC2034 # for node_modules
packages=bench/peers
ok "npm ci" node_modules bench/peers/.npmrc test/clients/coming_from.mjs
finished

# moving SECTION: the helpers of the page, and the blocks that move in this section.
moving() {
  awk -v section="## $1" '
    /^## / { here = $0 == section }
    /^CREATE FUNCTION pg_temp/ || here && /^DO / { inside = 1 }
    inside { print }
    /\$\$;$/ { inside = 0 }' "$page"
}

# move_all: n8n's table as the page says, by its name and its prefix.
move_all() {
  cd "$RAG_TMP" && moving "LangChain.js, n8n" >langchain.sql && moving Mastra >mastra.sql &&
    sed 's/langchain_chat_histories/n8n_chat_histories/; s/langchain:/n8n:/' langchain.sql >n8n.sql &&
    sql -f langchain.sql && sql -f n8n.sql && sql -f mastra.sql
}

# by_thread: lines of JSON in the order of their first field, and else as they were.
by_thread() { sort -s -t, -k1,1; }
moved() {
  sql -c "SELECT json_build_array(s.metadata ->> 'thread_id', m.role, m.content)::text FROM sessions AS s JOIN messages AS m ON m.session_id = s.id ORDER BY m.id" |
    sed 's/", "/","/g' | by_thread
}

sql -c "SET client_min_messages = warning" -c "DROP SCHEMA old CASCADE" -c "DROP EXTENSION rag_events" -c "CREATE EXTENSION rag_events" || exit 1
node "$RAG_TMP/coming_from.mjs" | by_thread >"$RAG_TMP/read" || exit 1
tables=$(old)
ok "tables of the libraries are moved" move_all
same "texts are what the libraries read, in this order" "$(<"$RAG_TMP/read")" "$(moved)"
same "there are as many sessions, of each store" $'langchain 2\nmastra 3\nn8n 1' "$(
  sql -F ' ' -c "SELECT split_part(idempotency_key, ':', 1), count(DISTINCT session_id) FROM messages GROUP BY 1 ORDER BY 1"
)"

# Messages; those of a person or a model in the old tables; and those that are there by their ids.
counts() {
  sql -F ' ' -c "WITH had AS (
      SELECT 'langchain:' || id AS key FROM old.langchain_chat_histories WHERE message ->> 'type' IN ('human', 'ai')
      UNION ALL SELECT 'n8n:' || id FROM old.n8n_chat_histories WHERE message ->> 'type' IN ('human', 'ai')
      UNION ALL SELECT 'mastra:' || id FROM old.mastra_messages WHERE role IN ('user', 'assistant'))
    SELECT (SELECT count(*) FROM messages), count(*), count(m.id) FROM had LEFT JOIN messages AS m ON idempotency_key = key"
}
same "counts agree, and each message is there by its id" "16 16 16" "$(counts)"
same "calls and results are in the prompt" "$(printf '{"city": "Oslo"} %s\n' '{"sky": "snow"}' snow snow snow)"$'\n{"city": "Rome"} sun' "$(
  sql -F ' ' -c "SELECT jsonb_path_query_first(prompt, '\$[*].tool_calls[*].function.arguments') #>> '{}' AS arguments, jsonb_path_query_first(prompt, '\$[*] ? (@.role == \"tool\").content') #>> '{}' AS result
      FROM sessions, rag_get_prompt(id, NULL) AS prompt WHERE jsonb_path_exists(prompt, '\$[*].tool_calls') ORDER BY 1, 2 DESC"
)"
same "owners, titles and metadata of Mastra" $'maya Weather 0 trips\nmaya Weather 1 trips\nmaya Weather 2 trips' "$(
  sql -F ' ' -c "SELECT s.user_id, title, s.metadata ->> 'folder' FROM rag_list_sessions('maya') JOIN sessions AS s ON s.id = session_id ORDER BY title"
)"
same "times of Mastra" "7 t" "$(
  sql -F ' ' -c "SELECT count(*), bool_and(m.created_at = o.\"createdAtZ\") FROM messages AS m JOIN old.mastra_messages AS o ON idempotency_key = 'mastra:' || o.id"
)"
same "sources of Mastra" "s1 http://example.com/" "$(sql -F ' ' -c "SELECT document_id, source ->> 'url' FROM rag_message_sources")"
same "instructions and counts of LangChain" "Be brief. 9 4" "$(
  sql -F ' ' -c "SELECT s.metadata ->> 'system_prompt', m.metadata #>> '{usage_metadata,input_tokens}', m.metadata #>> '{usage_metadata,output_tokens}'
      FROM sessions AS s JOIN messages AS m ON m.session_id = s.id WHERE m.idempotency_key = 'langchain:3'"
)"

before=$(state)
ok "they are moved again" move_all
same "which leaves everything as it is" "$before" "$(state)"
same "the tables of the libraries are as they were" "$tables" "$(old)"

node "$RAG_TMP/coming_from.mjs" later | by_thread >"$RAG_TMP/read" || exit 1
newest=$(sql -c "SELECT max(id) FROM messages")
ok "they are moved when messages were added and changed" move_all
same "texts are what the libraries read now" "$(<"$RAG_TMP/read")" "$(moved)"
same "counts agree" "19 19 19" "$(counts)"
same "what has not grown was left as it was" $'maya:2\nthread-v1' "$(
  sql -c "SELECT DISTINCT s.metadata ->> 'thread_id' FROM sessions AS s JOIN messages AS m ON m.session_id = s.id WHERE m.id <= $newest ORDER BY 1"
)"
same "who comes with an old id changes the message that has it" "t 19" "$(
  sql -c "SELECT rag_put_message(session_id, 'mastra:later', 'user', 'Thanks!', user_id => 'maya') = id FROM messages WHERE idempotency_key = 'mastra:later'" \
    -c "SELECT count(*) FROM messages" | paste -sd ' '
)"
finished
