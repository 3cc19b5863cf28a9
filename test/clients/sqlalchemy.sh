#!/usr/bin/env bash
#
# SQLAlchemy Core calls every function of a conversation by position, directly and
# through PgBouncer: with psycopg2, and from SQLAlchemy 2.0 on with psycopg 3 as well.
# On Debian the system's Python is used, whatever else is in PATH.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
rag_require deb:python3-sqlalchemy deb:python3-psycopg2
"$python" -c 'import sqlalchemy, psycopg2' || rag_die "$python lacks SQLAlchemy or psycopg2"
start_pooler

sql -c "CREATE EXTENSION rag_events" || exit 1

program=test/clients/conversation_sqlalchemy.py
LABEL="psycopg2, direct" "$python" $program psycopg2 || failures=$((failures + 1))
LABEL="psycopg2, pooled" through_pooler "$python" $program psycopg2 || failures=$((failures + 1))
if "$python" -c 'import sqlalchemy.dialects.postgresql.psycopg' 2>/dev/null; then
  direct_and_pooled "$python" $program psycopg
fi
finished
