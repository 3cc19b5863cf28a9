# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Backups of a cluster, as docs/scale-out.md has them: a dump through the coordinator, and
# base backups of all nodes with a restore point.

part_backup() {
  dump_into_one_machine
  restore_point
}

# plain_rows [PSQL-ARGUMENT…]: the conversations, whatever is about their tables.
plain_rows() {
  psql -X -q -A -t "$@" -c "SELECT id, user_id, created_at, updated_at, metadata FROM \"Chat Room\".sessions ORDER BY id" \
    -c "SELECT id, session_id, role, content, sources, tenant FROM \"Chat Room\".messages ORDER BY session_id, id" \
    -c "SELECT session_id, message_id, name, score FROM \"Chat Room\".rag_feedback ORDER BY 1, 2" 2>&1
}

# While it is made, writers wait on all nodes: Citus has no snapshot of all of them.
dump_into_one_machine() {
  local before part

  session=$(session_on 1)
  start_writers 0 1 2
  ok "clients of three nodes write" go_on 0 1 2
  coproc HOLDER { PGUSER=own psql -X -q -A -t 2>&1; }
  echo "BEGIN; LOCK TABLE sessions, messages, rag_feedback IN SHARE MODE; SELECT 'locked';" >&"${HOLDER[1]}"
  read -r _ <&"${HOLDER[0]}"
  before=$(plain_rows)
  for part in pre post; do
    own -c "SELECT ddl || ';' FROM rag_local_ddl() WHERE section = '$part-data'" >"$RAG_TMP/$part.sql"
  done
  ok "a dump through the coordinator" pg_dump -Fc -e rag_events -f "$RAG_TMP/cluster.dump"
  same "... under writers, who wait" "$before" "$(plain_rows)"
  echo 'COMMIT; \q' >&"${HOLDER[1]}"
  wait "$HOLDER_PID"
  ok "... and go on afterwards" go_on 0 1 2
  stop_writers
  same "... without an error" '' "$(cat "$RAG_TMP"/errors.[012])"
  check_messages 0 1 2

  sql -c "CREATE DATABASE one_machine OWNER own"
  ok "... is restored" restore_into one_machine
  same "... with every row, into one machine without Citus" "$before" "$(plain_rows -d one_machine)"
  same "... whose schema is right" '' "$(sql -d one_machine -c "SET search_path = \"Chat Room\"" -c "SELECT object FROM rag_check_schema() WHERE kind <> 'not_dumped'")"
  sql -d one_machine -o /dev/null -c "SELECT setval('\"Chat Room\".messages_id_seq', max(id)) FROM \"Chat Room\".messages"
  same "... and where ids go on" t "$(sql -d one_machine -c "SET search_path = \"Chat Room\"" \
    -c "SELECT rag_add_message('$session', 'user', 'on one machine') > (SELECT max(id) FROM messages)")"
  sql -c "DROP DATABASE one_machine"
}

# restore_into DATABASE: as docs/backup.md says it.
restore_into() {
  local run=(psql -X -q -1 -d "$1" -v ON_ERROR_STOP=1 -o /dev/null -c "SET LOCAL ROLE own" -f)
  local restore=(pg_restore --exit-on-error --role=own -d "$1")

  export PGOPTIONS="-c search_path=pg_catalog -c citus.enable_ddl_propagation=off"
  "${restore[@]}" --section=pre-data "$RAG_TMP/cluster.dump" && "${run[@]}" "$RAG_TMP/pre.sql" &&
    "${run[@]}" - <<<'ALTER TABLE "Chat Room".messages ALTER COLUMN id TYPE bigint; ALTER SEQUENCE "Chat Room".messages_id_seq AS bigint;' &&
    "${restore[@]}" --section=data --section=post-data "$RAG_TMP/cluster.dump" && "${run[@]}" "$RAG_TMP/post.sql"
  local status=$?
  unset PGOPTIONS
  return "$status"
}

# ---------------------------------------------------------------------------
# Base backups of all nodes
# ---------------------------------------------------------------------------

restart_with_archive() {
  local node

  for node in 0 1 2; do
    rag_as_user mkdir -p -m 700 "$PGHOST/archive$node" "$PGHOST/backup$node" || return
    printf '%s\n' "archive_mode = on" "archive_command = 'cp %p $PGHOST/archive$node/%f'" >>"$(rag_node_data "$node")/postgresql.conf"
    rag_stop_node "$node" fast && rag_start_node "$node" || return
  done
}

backup_all_nodes() {
  local node

  for node in 0 1 2; do
    rag_on_node "$node" rag_as_user pg_basebackup -D "$PGHOST/backup$node" -c fast -X none || return
  done
}

restore_all_nodes() {
  local node data

  for node in 0 1 2; do
    data=$(rag_node_data "$node")
    rag_stop_node "$node" immediate && rm -rf "$data" && rag_as_user cp -a "$PGHOST/backup$node" "$data" || return
    printf '%s\n' "restore_command = 'cp $PGHOST/archive$node/%f %p'" "recovery_target_name = 'nightly'" \
      "recovery_target_action = 'promote'" >>"$data/postgresql.conf"
    rag_as_user touch "$data/recovery.signal" || return
  done
  for node in 0 1 2; do rag_start_node "$node" || return; done
  for node in 0 1 2; do
    for _ in {1..100}; do
      [ "$(rag_on_node "$node" sql -c "SELECT pg_is_in_recovery()")" != f ] || break
      sleep 0.1
    done
  done
}

restore_point() {
  local before last

  ok "servers with an archive" restart_with_archive
  session=$(session_on 1)
  start_writers 0 1
  ok "base backups of all nodes, under writers" backup_all_nodes
  stop_writers
  before=$(everything)
  ok "a restore point of all nodes" sql -o /dev/null -c "SELECT citus_create_restore_point('nightly')"
  app -o /dev/null -c "SELECT rag_add_message('$session', 'user', 'too late')"
  for node in 0 1 2; do
    last=$(rag_on_node "$node" sql -c "SELECT pg_walfile_name(pg_switch_wal())")
    ok "... which is in the archive of node $node" wait_until test -f "$PGHOST/archive$node/$last"
  done
  ok "all nodes restored to it" restore_all_nodes
  . "$RAG_ROOT/test/citus/faults.sh"
  ok "... no prepared transaction is left" no_prepared_transaction
  same "... every row is there that was there, and no other" "$before" "$(everything)"
  for node in 0 1 2; do
    same "... node $node goes on" t "$(rag_on_node "$node" app -c "SELECT rag_add_message('$session', 'user', 'after') > 0")"
  done
}
