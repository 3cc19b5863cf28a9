#!/bin/sh
#
# Installs or updates rag_events in the database of PGHOST, PGDATABASE, PGUSER,
# PGPASSWORD …, once the server is there. For start-up lines of containers, any
# number of which may run this at once:
#
#   rag_events_start && exec my-service
#
# Variables:
#   RAG_EVENTS_WAIT   how many seconds to wait for the server: 60
#   RAG_EVENTS_SQL    where rag_events_start.sql is, outside of the image

set -eu
sql=${RAG_EVENTS_SQL:-/docker-entrypoint-initdb.d/rag_events_start.sql}
wait=${RAG_EVENTS_WAIT:-60}

until pg_isready -q; do
  wait=$((wait - 1))
  if [ "$wait" -lt 0 ]; then
    echo "rag_events_start: there is no server: $(pg_isready)" >&2
    exit 1
  fi
  sleep 1
done
exec psql -X -q -w -f "$sql"
