#!/usr/bin/env bash
#
# The blocks of docs/coming-from.md print what they show, on tables as the stores'
# migrations make them. Run again they leave everything as it is; what has grown in the old
# tables meanwhile is moved anew, and the old tables stay as they are.

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
finished
