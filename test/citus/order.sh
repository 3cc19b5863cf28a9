# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Order: writers in one session on all nodes, while its shard moves, nodes are added, and
# the sequence of one node is far ahead.

move_ten_times() {
  local i

  for ((i = 1; i <= 10; i++)); do
    move_session $((i % 2 + 1)) && go_on 0 1 2 || return
  done
}

# A third worker, as docs/scale-out.md says it.
add_third_node() {
  rag_make_node 3 && rag_start_node 3 && rag_add_node 3 && own -o /dev/null -c "SELECT rag_distribute()"
}

part_order() {
  local reader

  session=$(app -c "SELECT rag_create_session('maya')")
  [ "$(node_of "$session")" = 1 ] || move_session 1
  rm -f "$RAG_TMP/written"
  follow &
  reader=$!

  start_writers 0 1 2
  ok "the session's shard moves ten times under three writers on three nodes" move_ten_times
  rag_on_node 2 sql -o /dev/null -c "SELECT setval('messages_id_seq', (last_value / 1024 + 1000000) * 1024 + 2) FROM messages_id_seq"
  ok "a fourth node comes" add_third_node
  new_calls "$session at 3" 1 | write_at 3 &
  writers="$writers $!"
  ok "the shard moves there, under four writers" move_session 3
  rag_on_node 3 sql -o /dev/null -c "SELECT setval('messages_id_seq', (last_value / 1024 + 5000000) * 1024 + last_value % 1024) FROM messages_id_seq"
  ok "all go on" go_on 0 1 2 3
  ok "and it moves back" move_session 1
  ok "all go on" go_on 0 1 2 3
  stop_writers
  touch "$RAG_TMP/written"
  wait "$reader"
  same "no call failed" '' "$(cat "$RAG_TMP"/errors.[0123])"
  same "a reader who follows the session gets every message, once and in order" \
    "$(app -c "SELECT id FROM messages WHERE session_id = '$session' ORDER BY id")" "$(cat "$RAG_TMP/followed")"
  check_messages 0 1 2 3
  same "each node has its own remainder" '4|t' \
    "$(app -c "SELECT count(DISTINCT id % 1024), bool_and(id % 1024 IN (SELECT groupid FROM pg_dist_node)) FROM messages WHERE session_id = '$session'")"
  same "the sequence went past the gaps" t "$(app -c "SELECT max(id) > 6000000::bigint * 1024 FROM messages WHERE session_id = '$session'")"
  ok "the node goes again" remove_third_node
  distribute_under_writers
}

# Three sessions are written to at the coordinator meanwhile. (Ids of several sessions show
# whether one was drawn twice: within a session they ascend in any case.)
distribute_under_writers() {
  local writer sessions=()

  own -c "SELECT rag_undistribute()"
  rm -f "$RAG_TMP/enough"
  writers=
  for writer in 1 2 3; do
    session=$(app -c "SELECT rag_create_session('maya')")
    sessions[writer]=$session
    new_calls "$session at $writer" 1 | write_at 0 "$writer" &
    writers="$writers $!"
  done
  ok "three write" go_on 1 2 3
  same "distributed under writers" '' "$(own -c 'SELECT rag_distribute(8)')"
  ok "all go on" go_on 1 2 3
  same "again" '' "$(own -c 'SELECT rag_distribute()')"
  ok "all go on" go_on 1 2 3
  same "and brought back" '' "$(own -c 'SELECT rag_undistribute()')"
  ok "all go on" go_on 1 2 3
  stop_writers
  same "they meet no error but those that are to be repeated" '' "$(cat "$RAG_TMP"/errors.[123] | grep -v '^ERROR:  40')"
  same "no id was drawn twice" 0 "$(own -c "SELECT count(*) - count(DISTINCT id) FROM messages")"
  for writer in 1 2 3; do
    session=${sessions[writer]}
    writers_node=0 check_messages "$writer"
  done
  distribute_beside_a_writer
}

# The ids of the other nodes begin after those that were drawn while rag_distribute() waited.
distribute_beside_a_writer() {
  local writer caller

  coproc WRITER { PGUSER=app psql -X -q -A -t 2>&1; }
  writer=$WRITER_PID
  echo "BEGIN; SELECT rag_add_message('$session', 'user', 'first');" >&"${WRITER[1]}"
  read -r _ <&"${WRITER[0]}"
  own -c "SELECT rag_distribute(8)" &
  caller=$!
  ok "rag_distribute() waits for a writer" wait_until is_waited_for_table
  echo "SELECT count(rag_add_message('$session', 'user', 'more')) FROM generate_series(1, 3000); COMMIT; \\q" >&"${WRITER[1]}"
  wait "$writer"
  wait "$caller"
  same "and no node begins with an id that it has drawn meanwhile" 't t' \
    "$(for node in 1 2; do rag_on_node "$node" sql -c "SELECT last_value > (SELECT max(id) FROM messages) FROM messages_id_seq"; done | paste -s -d ' ')"
}

is_waited_for_table() {
  [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")" != 0 ]
}

remove_third_node() {
  sql -o /dev/null -c "SELECT citus_drain_node('$PGHOST', $((cluster_port + 3)), 'force_logical')" \
    -c "CALL citus_cleanup_orphaned_resources()" -c "SELECT citus_remove_node('$PGHOST', $((cluster_port + 3)))" &&
    rag_stop_node 3 fast
}
