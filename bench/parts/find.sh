# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A search over the 20,000 messages of one user: rag_find_sessions(), and a SELECT with ILIKE.
# Nothing has the first word; the second is a common one.

# without_sources FILE: its conversations, without what the answers are based on.
without_sources() {
  sql -d postgres -c "CREATE TEMP TABLE line (conversation jsonb)" \
    -c "\\copy line FROM '$1' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')" \
    -c "COPY (SELECT jsonb_build_object('messages', (SELECT jsonb_agg(m - 'sources') FROM jsonb_array_elements(conversation -> 'messages') AS m)) FROM line)
        TO STDOUT WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
}

# find_round WORD WAY CALLS
find_round() {
  read_round "find_$2" rag_bench_way_find 50 "$3" 50 -D "word=$1"
}

measure_nothing() { result find nothing "$1" "$2" "$(find_round xyzzy "$2" 15)"; }
measure_common() { result find common "$1" "$2" "$(find_round the "$2" 100)"; }

part_find() {
  local size=1000000

  [ -n "$full" ] || size=200000
  progress "find: filling a table with $size messages"
  make_template way_find '' 1
  without_sources "$real" >"$RAG_TMP/texts.jsonl" || exit 1
  sql -d rag_bench_way_find -v size="$size" -v length=50 -v together=100 -f "$bench/read/fill.sql" <"$RAG_TMP/texts.jsonl" || exit 1
  sql -d rag_bench_way_find -c "UPDATE sessions SET user_id = 'searcher' WHERE id IN (SELECT lpad((n * $((size / 50 / 400)))::text, 32, '0')::uuid FROM generate_series(1, 400) AS n)" \
    -c 'VACUUM (FREEZE, ANALYZE) sessions' || exit 1
  progress "find"
  rotate measure_nothing function select
  rotate measure_common function select
  sql -d rag_bench_way_find -c "SELECT format('find: %s messages of the user, of %s bytes on average; %s in the table.', count(*), round(avg(octet_length(content))), $size)
    FROM messages JOIN sessions AS s ON s.id = session_id WHERE user_id = 'searcher'" >>"$RAG_TMP/notes"
}
