#!/usr/bin/env bash
#
# psycopg 3 stores conversations and reads them back, byte for byte, with prepared
# statements; and calls every function of a conversation, directly and through
# PgBouncer. On Debian the system's Python is used, whatever else is in PATH.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
conversations
start_pooler

sql -c "CREATE EXTENSION rag_events" || exit 1
"$python" test/clients/load_psycopg.py "${files[@]}" || failures=$((failures + 1))
direct_and_pooled "$python" test/clients/conversation_psycopg.py
finished
