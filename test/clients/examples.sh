#!/usr/bin/env bash
#
# The examples run as they are, print what they are to print, and store a turn whose
# question is committed before the answer is there. The chats do so through PgBouncer
# as well, and keep what there is when something goes wrong.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
ok "npm ci" node_modules examples/node/*.mjs test/clients/{chat_pg,tap}.mjs
finished
start_pooler

# ---------------------------------------------------------------------------
# One turn
# ---------------------------------------------------------------------------

printed="200 A single ticket is valid for 75 minutes.
404 session does not exist
422 invalid message role \"human\""
stored='user|How long is a ticket valid?|f|||
assistant|A single ticket is valid for 75 minutes.|t|5|tariff-04|2'

# stored: the messages, which have an answer's latency, and their transactions.
stored() {
  sql <<'SQL'
SELECT role, content, latency_ms IS NOT NULL, top_k, sources->0->>'document_id',
       CASE role WHEN 'assistant' THEN (SELECT count(DISTINCT xmin::text) FROM messages) END
  FROM messages JOIN sessions s ON s.id = session_id
 WHERE user_id = 'maya' AND s.metadata = '{"collection": "trams"}' ORDER BY messages.id;
SQL
}

fresh() {
  sql -c "SET client_min_messages = warning" -c "DROP EXTENSION IF EXISTS rag_events" -c "CREATE EXTENSION rag_events" || exit 1
}

# example NAME COMMAND…
example() {
  local name=$1 output
  shift

  fresh
  output=$("$@" 2>&1)
  same "$name: prints each outcome" "$printed" "$output"
  same "$name: stores the turn, in two transactions" "$stored" "$(stored)"
}

example "Python" "$python" examples/python/loop.py
example "Node" node "$RAG_TMP/loop.mjs"

# ---------------------------------------------------------------------------
# A chat
# ---------------------------------------------------------------------------

questions='How long is a ticket valid?
And for dogs?
/again
/list'
chat='Session UUID
Answer 1: A single ticket is valid for 75 minutes.
Answer 2: A single ticket is valid for 75 minutes.
Answer 2: A single ticket is valid for 75 minutes.
UUID Trams: How long is a ticket valid?'
chat_stored='user|How long is a ticket valid?|||f|t
assistant|Answer 1: A single ticket is valid for 75 minutes.|{"model": "m-1", "status": "done"}|tariff-04|t|f
user|And for dogs?|||f|t
assistant|Answer 2: A single ticket is valid for 75 minutes.|{"model": "m-1", "status": "done"}|tariff-04|t|f'

chat_stored() {
  sql <<'SQL'
SELECT role, content, metadata, sources->0->>'document_id', latency_ms IS NOT NULL, idempotency_key IS NOT NULL
  FROM messages ORDER BY id
SQL
}

# without_ids: what is printed, with UUID for each UUID and without empty lines.
without_ids() { sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g; /^$/d'; }

# chat NAME COMMAND…
chat() {
  local name=$1 session
  shift

  fresh
  same "$name: answers, again, and lists the sessions" "$chat" "$("$@" maya <<<"$questions" 2>&1 | without_ids)"
  same "$name: stores questions with the key of their request, and finished answers" "$chat_stored" "$(chat_stored)"
  session=$(sql -c "SELECT id FROM sessions")
  same "$name: goes on with a session" "Answer 3: A single ticket is valid for 75 minutes." \
    "$("$@" maya "$session" <<<"And at night?" 2>&1)"
  same "$name: another user gets 404" "404 session does not exist
404 session does not exist" "$("$@" eve "$session" <<<$'What did she ask?\n/again' 2>&1)"
  same "$name: what is no session id gets 400" '400 invalid input syntax for type uuid: "x"' "$("$@" maya x <<<"Hello?" 2>&1)"
}

chat "Python chat" "$python" examples/python/chat.py
chat "Python chat, pooled" through_pooler "$python" examples/python/chat.py
chat "Node chat" node "$RAG_TMP/chat.mjs"
chat "Node chat, pooled" through_pooler node "$RAG_TMP/chat.mjs"

for program in "$python test/clients/chat_psycopg.py" "node $RAG_TMP/chat_pg.mjs"; do
  # shellcheck disable=SC2086 # a list of words
  LABEL="${program##*/}" $program || failures=$((failures + 1))
  # shellcheck disable=SC2086 # a list of words
  LABEL="${program##*/}, pooled" through_pooler $program || failures=$((failures + 1))
done
finished
