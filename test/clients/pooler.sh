#!/usr/bin/env bash
#
# Clients that share the backends of a pooler in transaction mode: prepared statements,
# updates of the extension meanwhile, roles and row security of each transaction.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
start_pooler

sql -c "CREATE EXTENSION rag_events" || exit 1
as_caller -c "CREATE ROLE ${own}_member" -c "GRANT ${own}_member TO $own" || exit 1
export DIRECT_HOST=${PGHOST-} DIRECT_PORT=${PGPORT:-5432} PREPARES=${prepares:-0} MEMBER=${own}_member
LABEL="pooled" through_pooler "$python" test/clients/pooler_psycopg.py || failures=$((failures + 1))

sql -c "DROP EXTENSION IF EXISTS rag_events"
as_caller -c "DROP ROLE ${own}_member"
finished
