# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Days are closed when nobody writes to them any more, on any node.

part_usage() {
  local node writer closer day

  day=$(app -c "SELECT current_date - 1")
  own -c "DELETE FROM rag_usage_daily" -o /dev/null -c "SELECT rag_close_days(current_date - 2)"
  for node in 0 1 2; do
    session=$(session_on 1)
    own -c "DELETE FROM rag_usage_daily WHERE day = '$day'" \
      -c "DELETE FROM messages WHERE created_at < current_date AND created_at >= '$day'"
    coproc WRITER { PGUSER=app rag_on_node "$node" psql -X -q -A -t 2>&1; }
    writer=$WRITER_PID
    echo "BEGIN; SELECT rag_add_messages('$session', '[{\"role\": \"user\", \"content\": \"late\", \"created_at\": \"$day 23:59\"}]');" >&"${WRITER[1]}"
    read -r _ <&"${WRITER[0]}"
    own -c "SELECT rag_close_days('$day')" >"$RAG_TMP/closed" &
    closer=$!
    ok "a writer at node $node: rag_close_days() waits" waits "rag_close_days"
    echo 'COMMIT; \q' >&"${WRITER[1]}"
    wait "$writer" "$closer"
    same "... and counts what it wrote" '1|1' "$(cat "$RAG_TMP/closed")|$(own -c "SELECT sum(questions) FROM rag_usage_daily WHERE day = '$day'")"
  done
  rag_stop_node 2 fast
  own -c "DELETE FROM rag_usage_daily WHERE day = '$day'"
  same "not while a node is away" 08006 "$(PGUSER=own state "SELECT rag_close_days('$day')")"
  rag_start_node 2
  same "and then it does" 1 "$(own -c "SELECT rag_close_days('$day')")"
  an_erasure_is_kept
}

# A session that a policy for UPDATE keeps from being locked is not erased, and not passed
# over either.
an_erasure_is_kept() {
  app -c "SELECT rag_create_session('kept')" >/dev/null
  own -c "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY" -c "CREATE POLICY see ON sessions FOR SELECT USING (true)" \
    -c "CREATE POLICY go ON sessions FOR DELETE USING (true)" -c "GRANT SELECT, DELETE ON rag_usage_daily TO app"
  same "an erasure that a policy keeps from locking a session is an error" 27000 \
    "$(PGUSER=app state "SELECT sessions FROM rag_erase_user('kept')")"
  own -c "CREATE POLICY lock ON sessions FOR UPDATE USING (true)"
  same "and done where policies allow it" '1|f' "$(app -c "SELECT sessions, more FROM rag_erase_user('kept')")"
  own -c "DROP POLICY see ON sessions" -c "DROP POLICY go ON sessions" -c "DROP POLICY lock ON sessions" \
    -c "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY" -c "REVOKE DELETE ON rag_usage_daily FROM app"
}

# waits CALL: it is still there after a while, and a process waits for a transaction.
waits() {
  local node

  for _ in {1..100}; do
    for node in 0 1 2; do
      [ "$(rag_on_node "$node" sql -c "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('virtualxid', 'transactionid')")" = 0 ] ||
        { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT $1%'")" = 1 ] && return; }
    done
    sleep 0.05
  done
  return 1
}
