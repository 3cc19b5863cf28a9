# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# Eight connections that write into one session: rag_add_message(), and the same as one
# WITH statement.

measure_session() {
  pgbench_round "$2" "$(database "$2")" 1 8 1600
  result session "$rows" "$1" "$2" \
    "$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$RAG_TMP/output" | awk '{ print 1e6 / $1 }')"
}

part_session() {
  local rows file

  templates
  for rows in small real; do
    progress "session: $rows rows"
    file=$bench/small.jsonl
    [ "$rows" = small ] || file=$real
    load_samples "$file"
    prepare_scripts function with
    # All of them write to the first session.
    sed -i 's/^\\set session .*/\\set session 1/' "$RAG_TMP"/script.function.* "$RAG_TMP"/script.with.*
    fresh_databases function with
    rotate measure_session function with
  done
}
