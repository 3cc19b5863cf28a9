#!/usr/bin/env bash
#
# examples/rag/ with a real pgvector: the file runs as a newcomer runs it; the statements of
# its README stand in it, and what the README shows is what it prints; each answer is stored
# with its sources, latency and number of passages; what nothing is near to has no sources.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

rag_wish pgvector
rag_has pgvector || {
  echo "1..0 # SKIP no pgvector for this PostgreSQL (Debian has it from 17 on)"
  exit 0
}
rag=$RAG_ROOT/examples/rag
cd "$RAG_TMP" || exit 1

# pgvector is not trusted; rag.sql finds it there.
PGUSER=$caller sql -c "CREATE EXTENSION vector" || exit 1
trimmed() { sed 's/ *$//'; }
runs() { (cd "$rag" && psql -X -f rag.sql) >printed 2>errors && [ ! -s errors ] || { cat printed errors; return 1; }; }
ok "rag.sql runs to its end, without a warning" runs
trimmed <printed >output

# blocks_of KIND: the blocks ```KIND of the README as files KIND.N; prints these.
blocks_of() {
  awk -v kind="$1" '
    /^```/ && inside { inside = 0; next }
    /^```/ { inside = 1; file = $0 == "```" kind ? "block" kind "." ++n : ""; if (file) print file; next }
    inside && file { print >file }' "$rag/README.md"
}

# within FILE PART: whether the lines of PART stand in FILE, one after the other.
within() {
  [ -s "$2" ] && awk 'NR == FNR { part = part $0 "\n"; next } { all = all $0 "\n" } END { exit !index("\n" all, "\n" part) }' "$2" "$1" ||
    { cat "$2"; return 1; }
}

for block in $(blocks_of sql); do ok "rag.sql has the README's statement (${block#blocksql.})" within "$rag/rag.sql" "$block"; done
for block in $(blocks_of ''); do ok "it prints what the README shows (${block#block.})" within output "$block"; done
same "there are blocks of both kinds" "8 4" "$(blocks_of sql | wc -l) $(blocks_of '' | wc -l)"

same "each answer has its sources, latency, top_k and query_type" $'2 3 3 t lookup\n4 3 3 t follow-up' "$(
  sql -F ' ' -c "SELECT id, jsonb_array_length(sources), top_k, latency_ms BETWEEN 0 AND 600000, query_type FROM messages WHERE role = 'assistant' ORDER BY id"
)"
same "the sources are what the search gave, in its order" "t" "$(
  sql -c "SELECT jsonb_agg(source - 'text' ORDER BY source_no) = (SELECT jsonb_agg(s - 'text') FROM jsonb_array_elements(retrieve('How long is a single ticket valid?', 3)) AS s)
            FROM rag_message_sources WHERE message_id = 2"
)"
same "the search is that of the distances" "t" "$(
  sql -c "SELECT jsonb_path_query_array(retrieve('day ticket for a bicycle', 2), '\$[*].passage') = jsonb_agg(no)
            FROM (SELECT no FROM passages ORDER BY embedding <=> embed('day ticket for a bicycle') LIMIT 2) AS nearest"
)"
same "what nothing is near to has no sources, nor has a question without words" "[] []" "$(sql -F ' ' -c "SELECT retrieve('quantum', 3), retrieve('', 3)")"
same "an index can give the order" "1" "$(
  sql -c "SET enable_seqscan = off" -c "SET enable_sort = off" -c "EXPLAIN SELECT * FROM passages ORDER BY embedding <=> embed('ticket') LIMIT 3" | grep -c 'Index Scan using passages_embedding_idx'
)"
finished
