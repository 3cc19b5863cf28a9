#!/usr/bin/env bash
#
# What happens to conversations after they were stored: those of the samples (and of
# RAG_EVENTS_DATA) are given to ten users, found by words of their own questions, made
# prompts of, put, reassigned, erased and expired, and the counts add up.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
conversations

sql <<SQL || exit 1
CREATE EXTENSION rag_events;
CREATE TABLE line (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, conversation jsonb, session uuid, owner text);
$(for file in "${files[@]}"; do
  printf '%s\n' "\\copy line (conversation) FROM '$file' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
done)
-- The samples are few: as often as gives each user some. What a file calls its ids is kept as metadata.
INSERT INTO line (conversation) SELECT conversation FROM line, generate_series(1, 30) WHERE (SELECT count(*) < 100 FROM line);
UPDATE line SET owner = 'user ' || n % 10;
UPDATE line SET session = rag_import_session(conversation - 'conversation_id' - 'session_id', owner);
ANALYZE;
SQL

value() { sql -c "$1"; }

lines=$(value 'SELECT count(*) FROM line')
same "all conversations are imported" "$lines $(value "SELECT sum(jsonb_array_length(conversation->'messages')) FROM line")" \
  "$(value "SELECT count(*) || ' ' || (SELECT count(*) FROM messages) FROM sessions")"
same "for ten users" 10 "$(value 'SELECT count(DISTINCT user_id) FROM sessions')"

# Three words of a question, one of them the longest, find its session and a message that has them.
ok "there are questions to search for" test "$(value "
CREATE TABLE asked AS
SELECT session, owner, m.id, m.content, (SELECT string_agg(word, ' ') FROM (SELECT word FROM (SELECT DISTINCT word FROM regexp_split_to_table(m.content, '\s+') AS word
  WHERE word !~ '\"' AND word <> '') AS w ORDER BY length(word) DESC, word LIMIT 3) AS longest) AS query
FROM line JOIN LATERAL (SELECT * FROM messages WHERE session_id = session AND role = 'user' AND content ~ '[^\s\"]' ORDER BY id LIMIT 1) AS m ON true;
DELETE FROM asked WHERE query IS NULL;
SELECT count(*) FROM asked")" -ge 50
same "each session is found by words of its own question" 0 "$(value '
SELECT count(*) FROM asked WHERE NOT EXISTS (SELECT FROM rag_find_sessions(owner, query, max_sessions => NULL) AS f WHERE f.session_id = asked.session AND f.message_id IS NOT NULL)')"
same "in any case" 0 "$(value '
SELECT count(*) FROM asked WHERE NOT EXISTS (SELECT FROM rag_find_sessions(owner, upper(query), max_sessions => NULL) AS f WHERE f.session_id = asked.session AND f.message_id IS NOT NULL)
  AND query ~ '"'^[ -~]*\$'")"
same "nothing is found of another user" 0 "$(value '
SELECT count(*) FROM asked, rag_find_sessions(owner, query) AS f JOIN sessions AS s ON s.id = f.session_id WHERE s.user_id <> owner')"
same "page by page it is what is found at once" "$(value "SELECT string_agg(session_id::text, ' ' ORDER BY n) FROM rag_find_sessions('user 1', 'e', max_sessions => NULL) WITH ORDINALITY AS f (session_id, c2, c3, c4, c5, c6, c7, c8, c9, c10, n)")" \
  "$(value "WITH RECURSIVE page AS (
    SELECT 1 AS n, f.session_id, f.cursor FROM rag_find_sessions('user 1', 'e', max_sessions => 1) AS f
    UNION ALL SELECT n + 1, f.session_id, f.cursor FROM page, LATERAL (SELECT * FROM rag_find_sessions('user 1', 'e', max_sessions => 1, after_cursor => page.cursor)) AS f)
  SELECT string_agg(session_id::text, ' ' ORDER BY n) FROM page")"

# A prompt is the end of the conversation, from a question on, within its budget.
value 'CREATE TABLE prompt AS SELECT n, session, conversation, rag_get_prompt(session, 4000) AS p FROM line' >/dev/null || exit 1
same "each prompt is within 4000 tokens" 0 "$(value "
SELECT count(*) FROM prompt WHERE (SELECT sum(ceil(octet_length(m->>'content') / 4.0)) FROM jsonb_array_elements(p) AS m) > 4000")"
same "and begins with a question" 0 "$(value "SELECT count(*) FROM prompt WHERE p->0->>'role' <> 'user'")"
same "and is the end of its conversation" 0 "$(value "
SELECT count(*) FROM prompt WHERE p <> (
  SELECT coalesce(jsonb_agg(jsonb_build_object('role', m->'role', 'content', m->'content') ORDER BY o), '[]') FROM (
    SELECT m, o FROM jsonb_array_elements(conversation->'messages') WITH ORDINALITY AS e (m, o)
    WHERE NOT (m->>'role' = 'assistant' AND m->>'content' = '') ORDER BY o DESC LIMIT jsonb_array_length(p)) AS last)")"
ok "there are some" test "$(value "SELECT count(*) FROM prompt WHERE jsonb_array_length(p) > 1")" -ge 10

# An answer grows, and is stored again after a lost connection.
for answer in whole 'whole an' 'whole an' 'whole answer'; do
  value "SELECT rag_put_message((SELECT session FROM line WHERE n = 1), 'answer', 'assistant', '$answer')"
done >"$RAG_TMP/ids"
same "an answer that grows is one message" "1 whole answer" \
  "$(sort -u "$RAG_TMP/ids" | wc -l) $(value 'SELECT content FROM rag_get_messages((SELECT session FROM line WHERE n = 1), 1)')"

# The counts before, and what goes.
messages_of() { value "SELECT count(*) FROM messages JOIN sessions AS s ON s.id = session_id WHERE s.user_id $1"; }
sessions_of() { value "SELECT count(*) FROM sessions WHERE user_id $1"; }
same "an account becomes part of another" "$(sessions_of "= 'user 9'")" "$(value "SELECT rag_reassign_sessions('user 9', 'user 8')")"
same "and is empty then" 0 "$(sessions_of "= 'user 9'")"
held=$(value "SELECT session FROM line WHERE owner = 'user 3' LIMIT 1")
value "SELECT rag_update_session('$held', '{\"hold\": true}')" >/dev/null
expected="$(($(sessions_of "= 'user 3'") - 1))|$(($(messages_of "= 'user 3'") - $(value "SELECT count(*) FROM messages WHERE session_id = '$held'")))|1|f"
same "what would be erased is counted" "$expected" "$(value "SELECT * FROM rag_erase_user('user 3', '{\"hold\": true}', dry_run => true)")"
same "and erased, but for what is held" "$expected" "$(value "SELECT * FROM rag_erase_user('user 3', '{\"hold\": true}')")"
same "of the others nothing is gone" "$((lines - ${expected%%|*}))" "$(value 'SELECT count(*) FROM sessions')"

# The rest expires in batches, but for what is pinned or awake.
value "UPDATE sessions SET metadata = '{\"pinned\": true}' WHERE id IN (SELECT session FROM line WHERE owner = 'user 5' ORDER BY n LIMIT 3);
UPDATE sessions SET created_at = LOCALTIMESTAMP - interval '2 years', updated_at = LOCALTIMESTAMP - interval '1 year';
SELECT rag_add_message(session, 'user', 'awake') FROM line WHERE owner = 'user 6' ORDER BY n LIMIT 2" >/dev/null || exit 1
keep='[{"pinned": true}, {"hold": true}]'
kept="metadata @> '{\"pinned\": true}' OR metadata @> '{\"hold\": true}' OR updated_at > LOCALTIMESTAMP - interval '1 hour'"
expected="$(value "SELECT count(*) || '|' || (SELECT count(*) FROM messages WHERE session_id IN (SELECT id FROM sessions WHERE NOT coalesce($kept, false))) FROM sessions WHERE NOT coalesce($kept, false)")"
expire() { # all batches, each a transaction of its own, one a line
  local batch
  while batch=$(value "SELECT sessions, messages, more FROM rag_expire_sessions('90 days', 7, '$keep')"); do
    echo "$batch"
    [[ $batch == *'|t' ]] || break
  done
}
same "all that has expired is deleted, in batches" "$expected" "$(expire | awk -F '|' '{ s += $1; m += $2 } END { print s "|" m }')"
same "what is left is pinned, held or awake" "0 6" "$(value "SELECT count(*) FILTER (WHERE NOT coalesce($kept, false)) || ' ' || count(*) FROM sessions")"
same "no message is without its session" 0 "$(value 'SELECT count(*) FROM messages WHERE session_id NOT IN (SELECT id FROM sessions)')"
same "and nothing more expires" "0|0||f" "$(value "SELECT * FROM rag_expire_sessions('90 days', 7, '$keep')")"
finished
