# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A search over the 20,000 messages of one user, 258 characters each, in a table of a
# million: rag_find_sessions(), and a SELECT with ILIKE. Nothing has the first word; the
# second is a common one.

# fill_with_texts NAME SIZE LENGTH: the database rag_bench_way_NAME, with SIZE messages of
# LENGTH characters: texts of the sample conversations, or those of --data.
fill_with_texts() {
  local file=$RAG_ROOT/test/data/conversations.jsonl

  [ "$real" = "$bench/rag.jsonl" ] || file=$real
  progress "filling a table with $2 messages of $3 characters"
  make_template "way_$1" '' 1
  sql -d "rag_bench_way_$1" -v length="$3" -f "$bench/texts.sql" <"$file" >"$RAG_TMP/texts.jsonl" || exit 1
  sql -d "rag_bench_way_$1" -v size="$2" -v length=50 -v together=100 -f "$bench/read/fill.sql" <"$RAG_TMP/texts.jsonl" || exit 1
}

# find_round WORD WAY CALLS
find_round() {
  read_round "find_$2" rag_bench_way_find 50 "$3" 50 -D "word=$1"
}

measure_nothing() { result find nothing "$1" "$2" "$(find_round xyzzy "$2" 15)"; }
measure_common() { result find common "$1" "$2" "$(find_round the "$2" 100)"; }

part_find() {
  local step=$((size / 50 / 400))

  fill_with_texts find "$size" 258
  # 400 sessions, spread over the table.
  sql -d rag_bench_way_find -c "UPDATE sessions SET user_id = 'searcher' WHERE id IN (SELECT lpad((n * $((step > 0 ? step : 1)))::text, 32, '0')::uuid FROM generate_series(1, 400) AS n)" \
    -c 'VACUUM (FREEZE, ANALYZE) sessions' || exit 1
  progress "find"
  rotate measure_nothing function select
  rotate measure_common function select
  sql -d rag_bench_way_find -c "SELECT format('find: %s messages of the user, of %s bytes on average; %s in the table.', count(*), round(avg(octet_length(content))), $size)
    FROM messages JOIN sessions AS s ON s.id = session_id WHERE user_id = 'searcher'" >>"$RAG_TMP/notes"
}
