# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Faults: servers and backends die, and come back.

# kill_backend NODE PID: at once, as the kernel does when memory is short. Its server then
# starts anew, with all that is shared.
kill_backend() {
  kill -KILL "$2"
  for _ in {1..300}; do
    sleep 0.1
    [ "$(rag_on_node "$1" sql -c "SELECT 1" 2>/dev/null)" != 1 ] || return 0
  done
  return 1
}

no_prepared_transaction() {
  local node left

  for _ in {1..50}; do
    sql -o /dev/null -c "SELECT recover_prepared_transactions()"
    left=$(for node in 0 1 2; do rag_on_node "$node" sql -c "SELECT gid FROM pg_prepared_xacts"; done)
    [ -n "$left" ] || return 0
    sleep 0.1
  done
  echo "$left"
  return 1
}

# The shards that a node has, and those that it should have.
no_stray_shard() {
  local node there wanted

  sql -o /dev/null -c "CALL citus_cleanup_orphaned_resources()"
  for node in 0 1 2; do
    there=$(rag_on_node "$node" sql -c "SET citus.override_table_visibility = off" \
      -c "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(sessions|messages|rag_feedback)_[0-9]+\$' ORDER BY 1")
    wanted=$(sql -c "SELECT logicalrelid::text || '_' || shardid FROM pg_dist_shard JOIN pg_dist_shard_placement USING (shardid)
      WHERE nodeport = $((cluster_port + node)) AND logicalrelid::text ~ '^(sessions|messages|rag_feedback)\$' ORDER BY 1")
    equal "$wanted" "$there" || return
  done
}

# sqlstates: of the errors that clients have seen. Those of psql itself are told by words.
sqlstates() {
  sed -nE -e 's/^(ERROR|FATAL): +([0-9A-Z]{5})$/\2/p' \
    -e 's/.*server closed the connection unexpectedly.*/08006/p' \
    -e 's/.*(Connection refused|No such file or directory).*/08001/p' \
    -e 's/.*the database system is (starting up|shutting down|in recovery mode|not yet accepting connections).*/57P03/p' \
    "$RAG_TMP/seen" | sort -u
}

documented_sqlstates() {
  sed -n '/^## Errors, and/,/^## M/p' "$RAG_ROOT/docs/scale-out.md" | sed -n 's/^| \([0-9A-Z, ]*\) |.*/\1/p' |
    tr -d ' ' | tr ',' '\n' | sort -u
}

part_faults() {
  : >"$RAG_TMP/seen"
  workers_die
  coordinator_dies
  worker_is_away
  same "clients saw no errors but those of docs/scale-out.md" '' "$(sqlstates | comm -23 - <(documented_sqlstates))"
  ok "and they saw some" test -n "$(sqlstates)"
  rag_note "SQLSTATEs seen: $(sqlstates | paste -s -d ' ')"
  halfway
}

workers_die() {
  session=$(app -c "SELECT rag_create_session('maya')")
  start_writers 0
  ok "a client writes" go_on 0
  rag_stop_node 1 immediate
  rag_stop_node 2 immediate
  ok "calls fail while the workers are away" meet_errors 0
  rag_start_node 1
  rag_start_node 2
  ok "and go on afterwards" go_on 0
  stop_writers
  check_messages 0
  ok "no prepared transaction is left" no_prepared_transaction
}

# Clients of the workers need no coordinator for calls with a session.
coordinator_dies() {
  session=$(session_on 1)
  start_writers 0 1 2
  ok "clients of three nodes write" go_on 0 1 2
  rag_stop_node 0 immediate
  ok "calls at the coordinator fail while it is away" meet_errors 0
  ok "those at workers go on" go_on 1 2
  rag_start_node 0
  ok "and all do afterwards" go_on 0 1 2
  stop_writers
  same "those at workers met no error" '' "$(cat "$RAG_TMP"/errors.[12])"
  check_messages 0 1 2
  ok "no prepared transaction is left" no_prepared_transaction
}

worker_is_away() {
  local there here

  there=$(session_on 2)
  here=$(session_on 1)
  session=$here
  start_writers 1
  session=$there
  new_calls "$session at 0" 1 | write_at 0 &
  writers="$writers $!"
  ok "clients write into sessions of two nodes" go_on 0 1
  rag_stop_node 2 fast
  ok "a worker is away: calls for its sessions fail" meet_errors 0
  ok "those for others go on" go_on 1
  same "calls that ask every shard fail" 08006 "$(PGUSER=app state "SELECT count(*) FROM rag_list_sessions('maya')")"
  rag_start_node 2
  ok "and all go on afterwards" go_on 0 1
  stop_writers
  same "those for others met no error" '' "$(cat "$RAG_TMP/errors.1")"
  check_messages 0
  session=$here
  check_messages 1
  ok "no prepared transaction is left" no_prepared_transaction
}

# ---------------------------------------------------------------------------
# rag_distribute() and rag_undistribute() halfway
# ---------------------------------------------------------------------------

# A computed column whose function waits while somebody holds a lock of its node: so the
# rows stop on their way into that node.
make_pause() {
  own <<'SQL'
CREATE FUNCTION pause(content text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(16); RETURN 0; END $$;
ALTER TABLE messages ADD COLUMN paused int GENERATED ALWAYS AS (pause(content)) STORED;
SQL
}

# hold NODE, let_go: the lock.
hold() {
  coproc HOLDER { rag_on_node "$1" psql -X -q -A -t 2>&1; }
  echo "SELECT pg_advisory_lock(16);" >&"${HOLDER[1]}"
  read -r _ <&"${HOLDER[0]}"
}

let_go() {
  local pid=$HOLDER_PID

  echo '\q' >&"${HOLDER[1]}"
  wait "$pid"
  true
}

# paused NODE: the process there that waits.
paused() {
  local pid

  for _ in {1..200}; do
    pid=$(rag_on_node "$1" sql -c "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted LIMIT 1")
    [ -z "$pid" ] || break
    sleep 0.1
  done
  echo "$pid"
}

# halfway_died CALL NODE HOW: the call stops while rows go into the node, and then "client"
# (the process of the call on the coordinator), "backend" (one that works for it on a
# worker) or "server" (the coordinator) dies.
halfway_died() {
  local call=$1 node=$2 how=$3 pid waiting status=0

  hold "$node"
  own -c "SELECT $call" >"$RAG_TMP/halfway" 2>&1 &
  pid=$!
  waiting=$(paused "$node")
  [ -n "$waiting" ] || status=1
  case $how in
  client) kill_backend 0 "$(sql -c "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT $call' AND state = 'active'")" ;;
  backend) kill_backend 1 "$(rag_on_node 1 sql -c "SELECT pid FROM pg_stat_activity
      WHERE application_name LIKE 'citus_internal%' AND usename = 'own' AND xact_start IS NOT NULL LIMIT 1")" ;;
  server) rag_stop_node 0 immediate && rag_start_node 0 ;;
  esac || status=1
  let_go
  wait "$pid" && status=1
  return "$status"
}

# after_halfway CALL BEFORE: everything is as before, and usable, and the call again does it.
after_halfway() {
  ok "no prepared transaction is left" no_prepared_transaction
  same "... the rows are the same" "$2" "$(everything)"
  same "... calls work" t "$(own -c BEGIN -c "SELECT rag_add_message(rag_create_session('maya'), 'user', 'x') > 0" -c ROLLBACK)"
  same "... the call again does it" '' "$(own -c "SELECT $1")"
  same "... with the same rows" "$2" "$(everything)"
  ok "... no prepared transaction is left" no_prepared_transaction
  ok "... and no shard" no_stray_shard
  same "... nor is anything missing" '' "$(own -c "SELECT object FROM rag_check_schema() WHERE kind <> 'not_dumped'")"
}

halfway() {
  local before how

  own -c "SELECT rag_undistribute()"
  make_pause
  before=$(everything)
  for how in client backend server; do
    ok "rag_distribute(), halfway: $how dies" halfway_died "rag_distribute(8)" 1 "$how"
    same "... the tables are as they were" 0 "$(sql -c "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::text ~ 'messages'")"
    after_halfway "rag_distribute(8)" "$before"
    ok "rag_undistribute(), halfway: $how dies" halfway_died "rag_undistribute()" 0 "$how"
    same "... the tables are distributed" 1 "$(sql -c "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::text ~ 'messages'")"
    after_halfway "rag_undistribute()" "$before"
  done
  own -c "SELECT rag_distribute(8)" -c "ALTER TABLE messages DROP COLUMN paused"
}
