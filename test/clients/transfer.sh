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

# The samples over and over, behind a byte order mark.
for _ in {1..400}; do cat "$RAG_ROOT/test/data/conversations.jsonl"; done |
  head -n 2500 | sed -e '1s/^/\xef\xbb\xbf/' -e '7s/^{/{"conversation_id": 7, /' >conversations.jsonl

sql -c "CREATE EXTENSION rag_events" || exit 1
sql_of "$RAG_ROOT/docs/transfer.md"

same "all lines of the export are documents" "$(wc -l <maya.jsonl)" "$(grep -c '^{.*}$' maya.jsonl)"

# The same recipe with lines that no text or JSON of PostgreSQL can hold, or that are none.
recipe=$(cat "$(grep -l 'CREATE TEMPORARY TABLE line' ./*.sql)" "$(grep -l 'FOR given IN' ./*.sql)")
mkdir bad && cd bad || exit 1
printf '%s\n' '{"messages": [{"role": "user", "content": "one"}]}' '{"messages": [{"role": "user", "content": "a \u0000"}]}' \
  '{"messages": [{"role": "user", "content": "a \ud800"}]}' 'no JSON' '' '{"messages": [{"role": "user", "content": "six"}]}' >conversations.jsonl
same "a line that cannot be stored does not keep the others out" "one six" "$(
  sql 2>/dev/null <<SQL | tail -n 1
$recipe
SELECT string_agg(content, ' ' ORDER BY n) FROM line JOIN messages USING (session_id);
SQL
)"
cd .. || exit 1

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
