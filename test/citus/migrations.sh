# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Migrations: a version made for the test, 9.9, has every kind of statement that a step may
# have. Its steps go up and down on distributed tables with rows, from one command on the
# coordinator.

# helper NAME PARAMETERS ARGUMENTS…: creates it, calls it with each of the arguments, and
# drops it.
helper() {
  local call

  echo "CREATE FUNCTION @extschema@.$1($2) RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', '$1';"
  for call in "${@:3}"; do echo "SELECT @extschema@.$1($call);"; done
  echo "DROP FUNCTION @extschema@.$1;"
}

get_session() {
  cat <<'SQL'
CREATE OR REPLACE FUNCTION @extschema@.rag_get_session(
  session_id pg_catalog.uuid,
  user_id    pg_catalog.text DEFAULT NULL
) RETURNS TABLE (
  session_id pg_catalog.uuid, user_id pg_catalog.text, title pg_catalog.text, preview pg_catalog.text,
  created_at pg_catalog.timestamp, updated_at pg_catalog.timestamp, metadata pg_catalog.jsonb
) LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'rag_get_session';
ALTER FUNCTION @extschema@.rag_get_session(pg_catalog.uuid, pg_catalog.text) SUPPORT @extschema@.rag_delegation_support;
SQL
}

make_next_version() {
  local dir table='tab pg_catalog.text, action pg_catalog.text'

  dir=$("$PG_CONFIG" --sharedir)/extension
  rag_as_user cp "$dir/rag_events--1.5.json" "$dir/rag_events--9.9.json"
  {
    helper rag_lock_tables '' ''
    helper rag_alter_table "$table" "'messages', 'ADD COLUMN extra pg_catalog.int4'" "'sessions', 'ADD COLUMN extra pg_catalog.text'" \
      "'messages', 'ADD CONSTRAINT ck_extra CHECK (extra OPERATOR(pg_catalog.>=) 0)'"
    helper rag_ensure_index 'index pg_catalog.text, tab pg_catalog.text, definition pg_catalog.text' "'ix_extra', 'messages', 'USING btree (extra)'"
    helper rag_replace_index 'tab pg_catalog.text, index pg_catalog.text, columns pg_catalog.text' "'sessions', 'ix_sessions_created_at', 'created_at, id'"
    cat <<'SQL'
CREATE TABLE @extschema@.rag_extra (id pg_catalog.int4);
CREATE FUNCTION @extschema@.rag_extra(session_id pg_catalog.uuid) RETURNS pg_catalog.text LANGUAGE c AS 'MODULE_PATHNAME', 'rag_version';
ALTER FUNCTION @extschema@.rag_extra(pg_catalog.uuid) SUPPORT @extschema@.rag_delegation_support;
COMMENT ON FUNCTION @extschema@.rag_extra(pg_catalog.uuid) IS 'extra';
COMMENT ON TABLE @extschema@.sessions IS 'extra';
COMMENT ON COLUMN @extschema@.messages.extra IS 'extra';
COMMENT ON TABLE @extschema@.rag_extra IS 'extra';
SQL
    get_session
    echo "INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('9.9', '1.5');"
  } | rag_as_user tee "$dir/rag_events--1.5--9.9.sql" >"$RAG_TMP/up.sql"
  {
    helper rag_lock_tables '' ''
    helper rag_refuse_data_loss 'tab pg_catalog.regclass, VARIADIC columns pg_catalog.text[]' "'@extschema@.messages', 'extra'"
    helper rag_alter_table "$table" "'messages', 'DROP CONSTRAINT ck_extra'" "'messages', 'DROP COLUMN extra'" "'sessions', 'DROP COLUMN extra'"
    helper rag_replace_index 'tab pg_catalog.text, index pg_catalog.text, columns pg_catalog.text' "'sessions', 'ix_sessions_created_at', 'created_at'"
    cat <<'SQL'
DROP FUNCTION @extschema@.rag_extra(pg_catalog.uuid);
DROP TABLE @extschema@.rag_extra;
COMMENT ON TABLE @extschema@.sessions IS NULL;
SQL
    get_session
    echo "INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('1.5', '9.9');"
  } | rag_as_user tee "$dir/rag_events--9.9--1.5.sql" >"$RAG_TMP/down.sql"
}

version="SELECT extversion FROM pg_extension WHERE extname = 'rag_events'"
up="ALTER EXTENSION rag_events UPDATE TO '9.9'"
down="ALTER EXTENSION rag_events UPDATE TO '1.5'"

part_migrations() {
  local before comments

  sql -c "COMMENT ON TABLE sessions IS NULL"
  before=$(everything)
  make_next_version

  same "a step up, with rows, from one command" '' "$(own -c "$up")"
  same "every node has the version" '9.9 9.9 9.9' "$(on_each_node "$version")"
  same "... in its log" '9.9 9.9 9.9' "$(on_each_node "SELECT version FROM rag_migration_log ORDER BY id DESC LIMIT 1")"
  same "... and the columns" '0 0 0' "$(on_each_node 'SELECT count(m.extra) + count(s.extra) FROM messages m JOIN sessions s ON s.id = m.session_id')"
  comments="SELECT concat(obj_description('sessions'::regclass), obj_description('rag_extra'::regclass), obj_description('rag_extra(uuid)'::regprocedure),
    col_description('messages'::regclass, (SELECT attnum FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'extra')))"
  same "... and the descriptions" 'extraextraextraextra extraextraextraextra extraextraextraextra' "$(on_each_node "$comments")"
  same "every shard has the index, and the constraint" 0 \
    "$(sql -c "SELECT count(*) FROM run_command_on_shards('messages', \$\$SELECT 1 / (SELECT count(*) FROM pg_index WHERE indrelid = '%1\$s'::regclass AND indexrelid::regclass::text ~ 'ix_extra')
      / (SELECT count(*) FROM pg_constraint WHERE conrelid = '%1\$s'::regclass AND conname ~ 'ck_extra')\$\$) WHERE NOT success")"
  same "new functions are delegated when rag_distribute() is called again" '9.9|1' \
    "$(own -o /dev/null -c "SELECT rag_distribute()" && own -c "SELECT rag_extra('00000000-0000-0000-0000-000000000000')")|$(commands "SELECT rag_extra('00000000-0000-0000-0000-000000000000')")"
  own -c "UPDATE messages SET extra = 1 WHERE session_id = (SELECT id FROM sessions ORDER BY id LIMIT 1)"
  same "a step down refuses to lose data" 55000 "$(PGUSER=own state "$down")"
  same "... and every node stays where it is" '9.9 9.9 9.9' "$(on_each_node "$version")"
  own -c "UPDATE messages SET extra = NULL WHERE extra = 1"
  same "and leads back" '' "$(own -c "$down")"
  same "every node has the version" '1.5 1.5 1.5' "$(on_each_node "$version")"
  same "with the rows of before" "$before" "$(everything)"
  same "as is the schema" '' "$(own -c "SELECT object FROM rag_check_schema() WHERE kind <> 'not_dumped'")"

  same "up and down in one transaction" on "$(own -c BEGIN -c "$up" -c "$down" -c COMMIT -c "SHOW citus.enable_ddl_propagation")"
  not_on_one_node
  half_a_step
  writers_meet_a_step
  all_or_none
  down_to_others
}

not_on_one_node() {
  ok "not from another node" grep -q "Connect to the coordinator" <(PGUSER=own rag_on_node 1 psql -X -q -c "$up" 2>&1)
  same "nor there alone" 55000 "$(PGOPTIONS='-c citus.enable_ddl_propagation=off' PGUSER=own rag_on_node 1 state "$up")"
  same "nor on the coordinator alone" 55000 "$(PGOPTIONS='-c citus.enable_ddl_propagation=off' PGUSER=own state "$up")"
}

# A node where the script fails, as it meets something of the name of a new function.
half_a_step() {
  rag_on_node 2 own -c "SET citus.enable_ddl_propagation = off" \
    -c "CREATE FUNCTION rag_extra(uuid) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'"
  same "a script that fails on another node" 42723 "$(PGUSER=own state "$up")"
  same "... leaves every node where it was" '1.5 1.5 1.5' "$(on_each_node "$version")"
  same "... and its tables" '0 0 0' "$(on_each_node "SELECT count(*) FROM pg_attribute WHERE attname = 'extra'")"
  rag_on_node 2 own -c "SET citus.enable_ddl_propagation = off" -c "DROP FUNCTION rag_extra(uuid)"
}

# Nobody sees the one part of a step without the other: while its transaction is open,
# who writes waits, on any node and wherever the session is.
writers_meet_a_step() {
  local node place sessions step jobs=()

  sessions=("" "$(session_on 1)" "$(session_on 2)")
  coproc STEP { PGUSER=own psql -X -q -A -t 2>&1; }
  step=$STEP_PID
  echo "BEGIN; $up; SELECT 'done';" >&"${STEP[1]}"
  read -r _ <&"${STEP[0]}"
  for place in 1 2; do
    for node in 0 1 2; do
      rag_on_node "$node" app -c "SELECT rag_add_message('${sessions[place]}', 'user', 'x') > 0" >"$RAG_TMP/waiter.$node.$place" 2>&1 &
      jobs+=($!)
    done
  done
  ok "a step is open: a writer at each node, to a session of each worker, waits" wait_until six_wait
  same "... and none has added anything" '' "$(cat "$RAG_TMP"/waiter.*)"
  echo 'ROLLBACK; \q' >&"${STEP[1]}"
  wait "$step" "${jobs[@]}"
  same "... until it ends" 't t t t t t' "$(cat "$RAG_TMP"/waiter.* | paste -s -d ' ')"

  session=$(session_on 1)
  start_writers 0 1 2
  for _ in 1 2 3; do
    same "steps up and down, under writers on three nodes" '' "$(own -c "$up" -c "$down")"
  done
  stop_writers
  ok "calls meet no error but those that are to be repeated" \
    test -z "$(cat "$RAG_TMP"/errors.[012] | grep -v '^ERROR:  40')"
  check_messages 0 1 2
}

# six_wait: so many backends of the cluster wait for a lock.
six_wait() {
  on_each_node "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted" | awk '{ exit $1 + $2 + $3 < 6 }'
}

all_or_none() {
  own -c "$up"
  for node in 0 1 2; do
    same "9.9 works at node $node" 't' "$(rag_on_node "$node" app -c "SELECT rag_add_message('$session', 'user', 'in 9.9') > 0")"
  done
  own -c "$down"
}

down_to_others() {
  local from to

  same "further down it refuses" 55000 "$(PGUSER=own state "ALTER EXTENSION rag_events UPDATE TO '1.4'")"
  ok "... and says what to do first" grep -q 'HINT:  Run SELECT rag_undistribute() first' \
    <(PGUSER=own psql -X -q -c "ALTER EXTENSION rag_events UPDATE TO '1.4'" 2>&1)
  own -o /dev/null -c "SELECT rag_undistribute()"
  for from in 1.3 1.4 1.5; do
    for to in 1.3 1.4 1.5; do
      own -c "SET rag_events.allow_data_loss = on" -c "ALTER EXTENSION rag_events UPDATE TO '$from'" >/dev/null
      own -c "SET rag_events.allow_data_loss = on" -c "ALTER EXTENSION rag_events UPDATE TO '$to'" >/dev/null
      same "where they are not distributed, from $from to $to" "$to $to $to t" \
        "$(on_each_node "$version") $(own -c "SELECT rag_add_message('$session', 'user', 'in $to') > 0")"
    done
  done
  own -c "ALTER EXTENSION rag_events UPDATE TO '1.5'"
  same "and then they can be" '' "$(own -c 'SELECT rag_distribute(8)')"
}
