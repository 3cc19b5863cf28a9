#!/usr/bin/env bash
#
# Distributed tables: a coordinator and two workers of the PostgreSQL of PG_CONFIG, with
# Citus, where it is installed there.
#
#   test/citus.sh [PART…]
#
# Parts, all of them by default: distribute, which only comes first, calls, and those in
# test/citus/ (regress, isolation, migrations, usage, attacks, order, faults, backup, roles).
# Prints lines of TAP, and ends with "N passed, N failed". Without Citus it says so, and counts
# as skipped.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/cluster.sh"
. "$(dirname "${BASH_SOURCE[0]}")/citus/writers.sh"
. "$(dirname "${BASH_SOURCE[0]}")/citus/regress.sh"

passed=0 failed=0

# ok NAME COMMAND…
ok() {
  if rag_check "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# equal EXPECTED ACTUAL: or the first differences.
equal() {
  [ "$1" = "$2" ] || {
    diff <(printf '%s\n' "$1") <(printf '%s\n' "$2") | head -n 20
    return 1
  }
}

# same NAME EXPECTED ACTUAL
same() { ok "$1" equal "$2" "$3"; }

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse "$@" 2>&1; }
own() { PGUSER=own sql "$@"; }
app() { PGUSER=app sql "$@"; }

# on_each_node SQL: its results as the owner, in one line.
on_each_node() {
  local node

  for node in 0 1 2; do rag_on_node "$node" own -c "$1"; done | paste -s -d ' '
}

# state SQL: the SQLSTATE of its error.
state() { psql -X -q -A -t -v VERBOSITY=sqlstate -c "$1" 2>&1 | sed -n 's/^ERROR: *//p'; }

# ---------------------------------------------------------------------------
# rag_distribute() and rag_undistribute()
# ---------------------------------------------------------------------------

# Tables with rows, own columns, policies and rights, of an ordinary owner.
make_tables() {
  sql -c "CREATE ROLE own LOGIN" -c "CREATE ROLE app LOGIN" -c "CREATE ROLE nobodys LOGIN" \
    -c "CREATE SCHEMA \"Chat Room\" AUTHORIZATION own" \
    -c "GRANT CREATE ON DATABASE postgres TO own" \
    -c "ALTER DATABASE postgres SET search_path = \"Chat Room\", public" \
    -c "GRANT USAGE ON SCHEMA \"Chat Room\" TO PUBLIC"
  own <<'SQL'
CREATE EXTENSION rag_events SCHEMA "Chat Room";
ALTER TABLE messages ADD COLUMN tenant text DEFAULT 'one', ADD COLUMN words int GENERATED ALWAYS AS (length(content)) STORED;
CREATE INDEX own_tenant ON messages (tenant);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, messages, rag_feedback TO app;
GRANT SELECT ON rag_usage_daily, rag_message_sources TO app;
GRANT USAGE ON SEQUENCE messages_id_seq TO app;
SELECT count(rag_import_session(jsonb_build_object('user_id', 'u' || s % 7, 'metadata', jsonb_build_object('n', s), 'messages',
  (SELECT jsonb_agg(jsonb_build_object('role', CASE m % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, 'content', 'message ' || m,
     'sources', CASE m % 2 WHEN 1 THEN '[{"document_id": "d", "score": 0.5}]'::jsonb END)) FROM generate_series(1, 10) m)))) FROM generate_series(1, 100) s;
SELECT count(rag_set_feedback(session_id, id, 1)) FROM messages WHERE id % 10 = 0;
SQL
}

everything() {
  own -c "SELECT * FROM sessions ORDER BY id" -c "SELECT * FROM messages ORDER BY session_id, id" \
    -c "SELECT * FROM rag_feedback ORDER BY session_id, message_id" \
    -c "SELECT * FROM rag_message_sources ORDER BY session_id, message_id" \
    -c "SELECT relname, relacl FROM pg_class WHERE relname IN ('sessions', 'messages', 'rag_feedback', 'messages_id_seq') ORDER BY 1"
}

part_distribute() {
  local before node

  before=$(everything)
  same "not by others than the owner" 42501 "$(PGUSER=nobodys state 'SELECT rag_distribute(8)')"
  own -c "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'" \
    -c "CREATE TRIGGER mine BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass()" \
    -c "CREATE TABLE notes (session_id uuid REFERENCES sessions)"
  ok "triggers and foreign keys of the user are named" \
    grep -q "foreign key notes_session_id_fkey of table .*notes, trigger mine of table" \
    <(PGUSER=own psql -X -q -c 'SELECT rag_distribute(8)' 2>&1)
  own -c "DROP TRIGGER mine ON messages" -c "DROP TABLE notes" \
    -c "CREATE POLICY kept ON messages AS RESTRICTIVE USING (true)"
  ok "and restrictive policies, which would be permissive ones" \
    grep -q "There is: restrictive policy kept of table" <(PGUSER=own psql -X -q -c 'SELECT rag_distribute(8)' 2>&1)
  own -c "DROP POLICY kept ON messages"
  rag_on_node 1 own -c "INSERT INTO sessions (user_id) VALUES ('alone')"
  ok "not where a node has rows of its own, which nobody would see" \
    grep -q 'table "sessions" of this node has rows' <(PGUSER=own psql -X -q -c 'SELECT rag_distribute(8)' 2>&1)
  rag_on_node 1 own -c "DELETE FROM sessions"
  own -c "ALTER TABLE messages ENABLE ROW LEVEL SECURITY" -c "ALTER TABLE messages FORCE ROW LEVEL SECURITY"
  same "not where rows are hidden from the owner" 55000 "$(PGUSER=own state 'SELECT rag_distribute(8)')"
  own -c "ALTER TABLE messages NO FORCE ROW LEVEL SECURITY" -c "ALTER TABLE messages DISABLE ROW LEVEL SECURITY"
  same "distributed by its owner" '' "$(own -c 'SELECT rag_distribute(8)')"
  same "rows, rights and columns stay" "$before" "$(everything)"
  same "as is the schema" '' "$(own -c "SELECT object FROM rag_check_schema() WHERE kind <> 'not_dumped'")"
  same "none is left behind" '0|0' \
    "$(own -c "SET citus.enable_ddl_propagation = off" -c "SELECT pg_relation_size('sessions'), pg_relation_size('messages')")"
  same "again, it does nothing" '' "$(own -c 'SELECT rag_distribute(16)')"
  same "there are as many shards as before" 8 \
    "$(sql -c "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'messages'::regclass")"
  for node in 1 2; do
    same "node $node sees the same" "$before" "$(rag_on_node "$node" everything)"
    same "not on node $node" 55000 "$(PGUSER=own rag_on_node "$node" state 'SELECT rag_distribute(8)')"
    same "nor back there" 55000 "$(PGUSER=own rag_on_node "$node" state 'SELECT rag_undistribute()')"
  done
  same "a step down is refused" 55000 "$(PGUSER=own state "ALTER EXTENSION rag_events UPDATE TO '1.4'")"
  own -c "ALTER TABLE messages ENABLE ROW LEVEL SECURITY" -c "ALTER TABLE messages FORCE ROW LEVEL SECURITY"
  same "nor back where rows are hidden from the owner" 55000 "$(PGUSER=own state 'SELECT rag_undistribute()')"
  own -c "ALTER TABLE messages NO FORCE ROW LEVEL SECURITY" -c "ALTER TABLE messages DISABLE ROW LEVEL SECURITY"
  same "nor back in a transaction that would not see what was written meanwhile" 25001 \
    "$(PGOPTIONS='-c default_transaction_isolation=repeatable\ read' PGUSER=own state 'SELECT rag_undistribute()')"
  same "brought back by its owner" '' "$(own -c 'SELECT rag_undistribute()')"
  same "rows, rights and columns stay" "$before" "$(everything)"
  same "as is the schema" 'column messages.id
sequence messages_id_seq' "$(own -c "SELECT object FROM rag_check_schema() WHERE object !~ 'tenant|words' ORDER BY 1")"
  same "nothing is left on the other nodes" '0
0' "$(for node in 1 2; do rag_on_node "$node" sql -c "SELECT count(*) FROM pg_class WHERE relname ~ '^(sessions|messages|rag_feedback)_[0-9]'"; done)"
  same "ids go on" t "$(own -c "SELECT rag_add_message(id, 'user', 'x') > (SELECT max(id) FROM messages) FROM sessions LIMIT 1")"
  same "and distributed again" '' "$(own -c 'SELECT rag_distribute(8)')"
  same "as is the schema" '' "$(own -c "SELECT object FROM rag_check_schema() WHERE kind <> 'not_dumped'")"
}

# ---------------------------------------------------------------------------
# Calls
# ---------------------------------------------------------------------------

# commands SQL…: how many remote commands it needs. A transaction's own are not counted.
commands() {
  local statements=() statement

  for statement; do statements+=(-c "$statement"); done
  psql -X -q -A -t -v ON_ERROR_STOP=1 -c "SET citus.log_remote_commands = on" -c "SET client_min_messages = notice" "${statements[@]}" 2>&1 |
    grep -v 'issuing \(BEGIN\|COMMIT\|ROLLBACK\|PREPARE\)' | grep -c 'issuing '
}

# One for each of twenty new sessions, and one for the last again.
conversations() {
  sql -c "SELECT jsonb_agg(jsonb_build_object('session_id', format('10000000-0000-4000-8000-0000000000%s', 10 + least(n, 20)), 'user_id', 'ute',
            'create_session', true, 'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'message ' || n),
            jsonb_build_object('role', '$1', 'content', 'x', 'idempotency_key', '$2' || n))) ORDER BY n DESC) FROM generate_series(1, 21) AS n"
}

many_conversations() {
  local node shards call written="SELECT count(*), count(DISTINCT m.session_id) FROM messages AS m
    JOIN sessions AS s ON s.id = m.session_id WHERE s.user_id = 'ute'"

  call="SELECT rag_add_conversations('$(conversations assistant a)')"
  same "many conversations" 42 "$(app -c "$call")"
  same "... each where it belongs" '42|20' "$(app -c "$written")"
  same "... in the order of the array" 'message 21,message 20' \
    "$(app -c "SELECT string_agg(content, ',' ORDER BY id) FROM messages WHERE session_id = '10000000-0000-4000-8000-000000000030' AND content <> 'x'")"
  shards=$(sql -c "SELECT count(DISTINCT get_shard_id_for_distribution_column('sessions', id)) FROM sessions WHERE user_id = 'ute'")
  same "... by one command for each shard" "$shards" "$(PGUSER=app commands "$call")"
  same "... within a transaction, too" "$shards" "$(PGUSER=app commands BEGIN "$call" ROLLBACK)"
  same "... where Citus is not to work here, by one for each conversation" 21 \
    "$(PGUSER=app commands 'SET citus.enable_local_execution = off' "$call")"
  same "... those with a key are there once" '84|20' "$(app -c "$written")"
  for node in 1 2; do
    same "... at node $node" 21 "$(PGUSER=app rag_on_node "$node" app -c "$call")"
    same "all or none, at node $node" 23514 "$(PGUSER=app rag_on_node "$node" state "SELECT rag_add_conversations('$(conversations bot b)')")"
  done
  same "nothing is left of those" '126|20' "$(app -c "$written")"
  own -c "ALTER TABLE rag_feedback RENAME TO votes"
  same "where the shards of a session are not known, by one for each conversation" 21 "$(PGUSER=app commands "$call")"
  same "... and erased shard by shard or one by one" '20|147|0|f' "$(own -c "SELECT * FROM rag_erase_user('ute')")"
  own -c "ALTER TABLE votes RENAME TO rag_feedback"
}

part_calls() {
  local call number session message

  session=$(app -c "SELECT rag_create_session('maya')")
  message=$(app -c "SELECT rag_add_message('$session', 'user', 'Hello')")
  while read -r call; do
    same "one remote command: ${call%%(*}" 1 "$(PGUSER=app commands "$call")"
    case $call in
    *rag_copy_session* | *rag_delete_session*) ;;
    *) same "... within a transaction, too" 1 "$(PGUSER=app commands BEGIN "$call" ROLLBACK)" ;;
    esac
  done <<SQL
SELECT rag_add_message('$session', 'assistant', 'Hi', sources => '[{"id": 1}]')
SELECT rag_add_messages('$session', '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]')
SELECT rag_put_message('$session', 'key', 'user', 'c')
SELECT * FROM rag_get_messages('$session')
SELECT * FROM rag_get_messages_after('$session', 1)
SELECT * FROM rag_get_context('$session', 1000)
SELECT rag_get_prompt('$session', 1000)
SELECT * FROM rag_get_session('$session')
SELECT rag_export_session('$session')
SELECT rag_update_session('$session', '{"title": "t"}')
SELECT rag_update_message('$session', $message, 'Hello!')
SELECT rag_set_feedback('$session', $message, 1)
SELECT * FROM rag_get_feedback('$session')
SELECT rag_copy_session('$session')
SELECT rag_delete_messages('$session', $message)
SELECT rag_delete_session('$session')
SQL
  many_conversations
  app -o /dev/null -c "SELECT rag_add_message(rag_create_session('zoe'), 'user', 'Hello')" \
    -c "SELECT rag_add_message(rag_create_session('otto', session_id => '00000000-0000-4000-8000-000000000001'), 'user', 'Hello')"
  own -c "UPDATE sessions SET created_at = '2020-01-01', updated_at = '2020-01-01' WHERE user_id = 'otto'"
  # There are 8 shards. To delete sessions of one takes 4 more: they are locked, their messages
  # counted, they are deleted, and it is made sure that no message is left.
  while read -r number call; do
    same "$number commands for 8 shards: $call" "$number" "$(commands "$call")"
  done <<SQL
8 SELECT * FROM rag_list_sessions('u1')
8 SELECT * FROM rag_find_sessions('u1')
8 SELECT * FROM rag_find_sessions('u1', 'message')
8 SELECT * FROM rag_find_sessions('u1', 'message 11', '{"n": null}', 1)
8 SELECT * FROM rag_usage(NULL, NULL)
12 SELECT rag_close_days()
8 SELECT rag_reassign_sessions('u1', 'u2')
8 SELECT * FROM rag_expire_sessions('100 years')
9 SELECT * FROM rag_expire_sessions('1 year', dry_run => true)
12 SELECT * FROM rag_expire_sessions('1 year')
24 SELECT * FROM rag_erase_user('nobody')
28 SELECT * FROM rag_erase_user('zoe')
SQL
  same "the session NULL is an error, in every form" "$(printf '22004\n%.0s' 1 2 3 4)" \
    "$(for call in "SELECT rag_get_session(NULL)" "SELECT * FROM rag_get_session(session_id => NULL)" \
      "SELECT rag_add_message(NULL, 'user', 'x')" "PREPARE p(uuid) AS SELECT * FROM rag_get_session(\$1); EXECUTE p(NULL)"; do
      PGUSER=app state "$call"
    done)"
}

# ---------------------------------------------------------------------------

rag_find_pg
if [ -z "$PG_CONFIG" ] || ! rag_has_citus; then
  echo "1..0 # SKIP no Citus in the PostgreSQL of ${PG_CONFIG:-this machine}"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
rag_require server build
rag_workdir
# (Bitcode for JIT compilation would take most of the time.)
rag_build with_llvm=no >"$RAG_TMP/build.log" 2>&1 || {
  cat "$RAG_TMP/build.log"
  rag_die "rag_events could not be built"
}
rag_start_cluster 2 || exit 1
make_tables >/dev/null || exit 1
[ $# -gt 0 ] || set -- distribute calls regress isolation migrations usage attacks order faults backup roles
# The other parts want distributed tables.
[ "$1" = distribute ] || own -c "SELECT rag_distribute(8)"
for part; do
  rag_note "$part"
  # shellcheck disable=SC1090 # a part
  [ ! -f "$RAG_ROOT/test/citus/$part.sh" ] || . "$RAG_ROOT/test/citus/$part.sh"
  "part_$part"
done
rag_total "$passed" "$failed" 0
