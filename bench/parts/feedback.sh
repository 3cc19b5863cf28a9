# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# A vote on a message, from pgbench: rag_set_feedback(), and an upsert that also looks
# whether the session has the message. First votes, and votes that replace the first.

measure_vote() {
  local what

  for what in new again; do
    # As many messages as there are calls have been judged, or none.
    sql -d "rag_bench_way_feedback_$2" -c 'TRUNCATE rag_feedback' || exit 1
    [ "$what" = new ] || sql -d "rag_bench_way_feedback_$2" -c "INSERT INTO rag_feedback (session_id, message_id, name, score)
      SELECT session_id, id, 'user', 1 FROM messages WHERE id <= $messages" -c 'VACUUM ANALYZE rag_feedback' || exit 1
    result feedback "$what" "$1" "$2" "$(read_round "vote_$2" "rag_bench_way_feedback_$2" "$([ "$what" = new ] && echo 100000 || echo "$messages")" "$messages" 10 -D "size=$([ "$what" = new ] && echo 100000 || echo "$messages")")"
  done
}

part_feedback() {
  local way

  progress "feedback: filling two tables with 100000 messages"
  make_template way_feedback_function '' 1
  sql -d rag_bench_way_feedback_function -v size=100000 -v days=1 -v length=10 -v together=100 -v users=100 -f "$bench/usage/fill.sql" >/dev/null || exit 1
  sql -c 'CREATE DATABASE rag_bench_way_feedback_upsert TEMPLATE rag_bench_way_feedback_function' || exit 1
  progress feedback
  rotate measure_vote function upsert
  echo "feedback: votes on any of 100000 messages; again: on any of $messages messages that have one." >>"$RAG_TMP/notes"
}
