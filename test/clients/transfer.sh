#!/usr/bin/env bash
#
# The recipes of docs/transfer.md print what they show, with a file of 2500
# conversations, one of them with a field too many; and a file that they export can be
# imported again, here or in another database, where it is exported as the same.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=test/clients/document.sh
. "$RAG_ROOT/test/clients/document.sh"

cd "$RAG_TMP" || exit 1

# The samples over and over.
for _ in {1..400}; do cat "$RAG_ROOT/test/data/conversations.jsonl"; done |
  head -n 2500 | sed '7s/^{/{"conversation_id": 7, /' >conversations.jsonl

sql -c "CREATE EXTENSION rag_events" || exit 1
sql_of "$RAG_ROOT/docs/transfer.md"

same "all lines of the export are documents" "$(wc -l <maya.jsonl)" "$(grep -c '^{.*}$' maya.jsonl)"

# there_and_back FILE: imports a file with its ids and exports the sessions again.
there_and_back() {
  sql <<SQL
CREATE TEMPORARY TABLE line (n integer GENERATED ALWAYS AS IDENTITY, conversation jsonb, session_id uuid);
\\copy line (conversation) FROM '$1' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
UPDATE line SET session_id = rag_import_session(conversation, keep_id => true);
COPY (SELECT rag_export_session(session_id) FROM line ORDER BY n)
  TO STDOUT WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
SQL
}

# The ids of messages are the only number below "id" there.
without_ids() { sed -E 's/"id": [0-9]+, "role"/"role"/g' "$1"; }

there_and_back maya.jsonl >again.jsonl || exit 1
same "what was exported and imported is exported as the same" "$(without_ids maya.jsonl)" "$(without_ids again.jsonl)"
ok "the ids of messages are others" test "$(head -n 1 maya.jsonl)" != "$(head -n 1 again.jsonl)"
finished
