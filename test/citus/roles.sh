# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# The roles of examples/roles.sql may do on a cluster what they may on one machine.

# may ROLE CALL: as it may on one machine.
may() { same "rag_$1 may: ${2%%(*}" '' "$(PGUSER=app_$1 sql -o /dev/null -c "SELECT $2")"; }
may_not() { same "rag_$1 may not: ${2%%(*}" 42501 "$(PGUSER=app_$1 state "SELECT $2")"; }

part_roles() {
  local message role

  for role in reader writer editor keeper; do sql -c "CREATE ROLE rag_$role"; done
  ok "examples/roles.sql" psql -X -q -v schema="Chat Room" -v owner=own -f "$RAG_ROOT/examples/roles.sql"
  sql -c "GRANT INSERT (created_at, updated_at) ON sessions TO rag_writer"
  own -o /dev/null -c "SELECT rag_distribute()" # grants on the sequence
  for role in reader writer editor keeper; do sql -c "CREATE ROLE app_$role LOGIN IN ROLE rag_$role"; done
  session=$(session_on 2)
  message=$(app -c "SELECT rag_add_message('$session', 'user', 'x')")
  may writer "rag_create_session('maya')"
  may writer "rag_add_message('$session', 'user', 'x')"
  may writer "rag_add_messages('$session', '[{\"role\": \"user\", \"content\": \"x\"}]')"
  may_not writer "rag_get_messages('$session')"
  may_not writer "rag_delete_session('$session')"
  may reader "rag_get_messages('$session')"
  may reader "rag_list_sessions('maya')"
  may_not reader "rag_add_message('$session', 'user', 'x')"
  may editor "rag_update_message('$session', $message, 'y')"
  may editor "rag_set_feedback('$session', $message, 1)"
  may editor "rag_close_days(current_date - 50)"
  may editor "rag_copy_session('$session')"
  may_not keeper "rag_get_messages('$session')"
  may keeper "rag_reassign_sessions('maya', 'otto', '$session')"
  may keeper "rag_erase_user('otto')"
  may keeper "rag_expire_sessions('1000 years')"
  for role in reader writer editor keeper; do may_not "$role" "rag_distribute()"; done
}
