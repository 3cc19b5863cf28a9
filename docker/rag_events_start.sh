#!/bin/sh
#
# Installs or updates rag_events in the database of PGHOST, PGDATABASE, PGUSER,
# PGPASSWORD …, once the server is there. For start-up lines of containers, any
# number of which may run this at once:
#
#   rag_events_start && exec my-service
#
# Each step is a transaction of its own, which waits for a lock for a moment only, so that
# nobody waits long behind it. Then this says who is in the way, and tries again.
#
# Variables:
#   RAG_EVENTS_WAIT            how many seconds to wait for the server: 60
#   RAG_EVENTS_LOCK_TIMEOUT    how long to wait for a lock, in seconds unless it has a unit
#                              (ms, s, min, h): 5; 0: for ever
#   RAG_EVENTS_LOCK_ATTEMPTS   how often to try a step: 12
#   RAG_EVENTS_LOCK_PAUSE      about how many seconds to pause after the first attempt; the
#                              pauses double, up to 16 times that: 1
#   RAG_EVENTS_SQL             where rag_events_start.sql is, outside of the image
#
# Exit status: 0 done; 1 failed; 2 no connection.

set -eu
sql=${RAG_EVENTS_SQL:-/docker-entrypoint-initdb.d/rag_events_start.sql}
wait=${RAG_EVENTS_WAIT:-60}

# In a checkout it is elsewhere than in the image.
lib=$(dirname "$0")/../tools/lib/locks.sh
[ -r "$lib" ] || lib=/usr/local/lib/rag_events/locks.sh
# shellcheck source=tools/lib/locks.sh
. "$lib"

rag_lock_settings RAG_EVENTS_

# What waiting for locks asks the database.
rag_ask() {
  {
    echo 'BEGIN ISOLATION LEVEL READ COMMITTED;'
    echo "SELECT COALESCE(pg_catalog.current_schema(), '') AS current_schema \gset"
    echo 'SET LOCAL search_path = pg_catalog, pg_temp;'
    cat
    echo 'COMMIT;'
  } | psql -X -q -A -t -w -v ON_ERROR_STOP=1 -v schema= -f -
}

step() {
  psql -X -q -w -v mark="$rag_mark" -v lock_timeout="$rag_lock_timeout" -f "$sql"
}

until pg_isready -q; do
  wait=$((wait - 1))
  if [ "$wait" -lt 0 ]; then
    echo "rag_events_start: there is no server: $(pg_isready)" >&2
    exit 1
  fi
  sleep 1
done

rag_result="more"
while [ "$rag_result" = more ]; do
  rag_politely step || {
    [ $? -ne 2 ] || exit 2
    exit 1
  }
done
