#!/usr/bin/env bash
#
# The examples run as they are, print what the README says, and store a turn whose
# question is committed before the answer is there.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
ok "npm ci" node_modules examples/node/loop.mjs
finished

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

# example NAME COMMAND…
example() {
  local name=$1 output
  shift

  sql -c "SET client_min_messages = warning" -c "DROP EXTENSION IF EXISTS rag_events" -c "CREATE EXTENSION rag_events" || exit 1
  output=$("$@" 2>&1)
  same "$name: prints each outcome" "$printed" "$output"
  same "$name: stores the turn, in two transactions" "$stored" "$(stored)"
}

example "Python" "$python" examples/python/loop.py
example "Node" node "$RAG_TMP/loop.mjs"
finished
