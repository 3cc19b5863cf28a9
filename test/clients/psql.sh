#!/usr/bin/env bash
#
# psql stores conversations and reads them back, byte for byte: from variables,
# message by message, and from a table that COPY filled, all at once.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
conversations

# A line of JSON has no control characters: quoted by one of them, it is one field.
sql <<SQL || exit 1
CREATE EXTENSION rag_events;
CREATE TABLE line (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, conversation jsonb);
$(for file in "${files[@]}"; do
  printf '%s\n' "\\copy line (conversation) FROM '$file' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
done)
CREATE VIEW given AS
  SELECT n, i, m->>'role' AS role, m->>'content' AS content, NULLIF(m->'sources', 'null') AS sources,
         (m->>'latency_ms')::double precision AS latency_ms, (m->>'top_k')::integer AS top_k,
         m->>'query_type' AS query_type
    FROM line, jsonb_array_elements(conversation->'messages') WITH ORDINALITY AS e (m, i);
CREATE TABLE stored (way text, n integer, session_id uuid, PRIMARY KEY (way, n));
SQL

same "all lines arrive" "$(cat "${files[@]}" | grep -c .)" "$(sql -c 'SELECT count(*) FROM line')"

# psql's variables know no null: what may be absent is a whole literal.
cat >"$RAG_TMP/session.sql" <<'SQL'
SELECT quote_nullable(conversation->>'user_id') AS user_id, quote_nullable(NULLIF(conversation->'metadata', 'null')) AS metadata
  FROM line WHERE n = :n \gset
SELECT rag_create_session(user_id => :user_id, metadata => :metadata) AS session_id \gset
INSERT INTO stored VALUES ('variables', :n, :'session_id');
SQL
cat >"$RAG_TMP/message.sql" <<'SQL'
SELECT role, content, quote_nullable(sources) AS sources, quote_nullable(latency_ms) AS latency_ms,
       quote_nullable(top_k) AS top_k, quote_nullable(query_type) AS query_type
  FROM given WHERE n = :n AND i = :i \gset
SELECT rag_add_message(:'session_id', :'role', :'content', :sources, :latency_ms, :top_k, :query_type) AS id \gset
SQL

by_variables() {
  sql -F ' ' -c 'SELECT n, max(i) FROM given GROUP BY n ORDER BY n' | while read -r n messages; do
    printf '\\set n %s\n\\i %s\n' "$n" "$RAG_TMP/session.sql"
    for i in $(seq "$messages"); do printf '\\set i %s\n\\i %s\n' "$i" "$RAG_TMP/message.sql"; done
  done >"$RAG_TMP/variables.sql"
  sql -1 -f "$RAG_TMP/variables.sql"
}

by_copy() {
  sql -1 <<'SQL'
INSERT INTO stored
  SELECT 'copy', n, rag_create_session(user_id => conversation->>'user_id', metadata => NULLIF(conversation->'metadata', 'null'))
    FROM line;
SELECT count(rag_add_message(session_id, role, content, sources, latency_ms, top_k, query_type))
  FROM (SELECT * FROM given JOIN stored USING (n) WHERE way = 'copy' ORDER BY n, i) AS g;
SQL
}

# read_back WAY: both sides as COPY writes them, in the order of the messages.
read_back() {
  sql -v way="$1" <<SQL
CREATE TEMP VIEW sessions_of AS SELECT n, s.* FROM stored JOIN sessions s ON s.id = session_id WHERE way = '$1';
CREATE TEMP VIEW messages_of AS
  SELECT n, row_number() OVER (PARTITION BY n ORDER BY m.id) AS i, m.* FROM stored JOIN messages m USING (session_id) WHERE way = '$1';
\\copy (SELECT n, conversation->>'user_id', NULLIF(conversation->'metadata', 'null') FROM line ORDER BY n) TO '$RAG_TMP/given.sessions'
\\copy (SELECT n, user_id, metadata FROM sessions_of ORDER BY n) TO '$RAG_TMP/$1.sessions'
\\copy (SELECT n, i, role, content, sources, latency_ms, top_k, query_type FROM given ORDER BY n, i) TO '$RAG_TMP/given.messages'
\\copy (SELECT n, i, role, content, sources, latency_ms, top_k, query_type FROM messages_of ORDER BY n, i) TO '$RAG_TMP/$1.messages'
SQL
}

for way in variables copy; do
  ok "$way: conversations are stored" "by_$way"
  ok "$way: conversations are read" read_back "$way"
  ok "$way: sessions are the same" cmp "$RAG_TMP/given.sessions" "$RAG_TMP/$way.sessions"
  ok "$way: messages are the same, in the same order" cmp "$RAG_TMP/given.messages" "$RAG_TMP/$way.messages"
done

# shellcheck disable=SC2016 # no expansion: a shell's $ is not meant
same "\\u0000 as text is kept" t "$(sql -c "SELECT count(*) > 1 FROM messages WHERE content LIKE '%\\\\u0000%'")"
echo "# $(wc -l <"$RAG_TMP/given.sessions") sessions, $(sql -c 'SELECT count(*) FROM given') messages"
finished
