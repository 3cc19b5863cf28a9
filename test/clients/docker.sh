#!/usr/bin/env bash
#
# What the Docker image does, without Docker: its build steps in a clean copy, and
# its start-up step, several at once, on databases without the extension, with an
# older version and with the newest.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

# ---------------------------------------------------------------------------
# Building
# ---------------------------------------------------------------------------

# build_steps: the make commands of the Dockerfile, with our folder for theirs.
build_steps() {
  sed -n '/^RUN make/,/[^\\]$/p' Dockerfile | sed "s/^RUN //; s| DESTDIR=/out| DESTDIR=$RAG_TMP/out|"
}

build() {
  local steps

  steps=$(build_steps)
  grep -q "DESTDIR=$RAG_TMP/out" <<<"$steps" || return
  rag_export "$RAG_TMP/src" && (cd "$RAG_TMP/src" && sh -euc "$steps")
}

installed() {
  local version

  version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)
  [ -s "$RAG_TMP/out$("$PG_CONFIG" --pkglibdir)/rag_events.so" ] &&
    [ -s "$RAG_TMP/out$("$PG_CONFIG" --sharedir)/extension/rag_events.control" ] &&
    compgen -G "$RAG_TMP/out$("$PG_CONFIG" --sharedir)/extension/rag_events--*$version.sql"
}

# copied: the files that the Dockerfile copies from the checkout.
copied() {
  sed -n '/--from/d; s/^COPY \(.*\) .*/\1/p' Dockerfile | xargs ls -d
}

ok "the build steps work in a clean copy" build
ok "they install library, control file and scripts" installed
ok "the files that are copied exist" copied

# ---------------------------------------------------------------------------
# Starting
# ---------------------------------------------------------------------------

export RAG_EVENTS_SQL=$RAG_ROOT/docker/rag_events_start.sql

# gate: nobody can create or update an extension for a moment: all that start
# meanwhile have looked for it before one of them has done anything.
gate() {
  PGUSER=$caller sql -c "BEGIN; LOCK TABLE pg_extension IN EXCLUSIVE MODE; SELECT pg_sleep(0.3); COMMIT" >/dev/null &
  until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE relation = 'pg_extension'::regclass AND mode = 'ExclusiveLock' AND granted")" = 1 ]; do
    kill -0 $! || return
  done
}

# at_once N: N start-ups at the same time; fails where one of them fails.
at_once() {
  local i pids=() status=0

  gate || return
  for ((i = 0; i < $1; i++)); do
    docker/rag_events_start.sh &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || status=1; done
  wait
  return "$status"
}

# many_times ROUNDS BEFORE: each time, BEFORE is run and then several start-ups.
many_times() {
  local i

  for ((i = 0; i < $1; i++)); do
    sql -c "SET client_min_messages = warning" -c "DROP EXTENSION IF EXISTS rag_events" -c "$2" || return
    at_once $((2 + i % 3)) || return
    [ "$(sql -c "SELECT extversion = default_version FROM pg_extension, pg_available_extensions
                  WHERE extname = 'rag_events' AND name = 'rag_events'")" = t ] || return
  done
}

older=$(sql -c "SELECT source FROM pg_extension_update_paths('rag_events'), pg_available_extensions
                 WHERE name = 'rag_events' AND target = default_version AND path IS NOT NULL AND source <> target
                   AND source = '1.0'")

ok "several at once install the extension" many_times 4 "SELECT 1"
if [ -n "$older" ]; then
  ok "several at once update the extension" many_times 4 "CREATE EXTENSION rag_events VERSION '$older'"
else
  echo "# 1.0 is the newest version: nothing to update from"
fi
ok "several at once leave the newest version alone" many_times 3 "CREATE EXTENSION rag_events"

sql -c "CREATE EXTENSION IF NOT EXISTS rag_events" 2>/dev/null
session=$(sql -c "SELECT rag_create_session(user_id => 'kept')")
ok "data is kept" at_once 2
same "the session is there" "$session" "$(sql -c "SELECT id FROM sessions WHERE user_id = 'kept'")"

as_caller -c "CREATE ROLE ${own}_guest LOGIN" || exit 1
as_guest() { PGUSER=${own}_guest "$@"; }
ok "who owns nothing may start when there is nothing to do" as_guest docker/rag_events_start.sh

# fails_with TEXT COMMAND…: the command fails, and says so.
fails_with() {
  local text=$1 output
  shift

  output=$("$@" 2>&1) && return 1
  grep -F "$text" <<<"$output"
}

sql -c "DROP EXTENSION rag_events"
ok "who may not install gets an error" fails_with "permission denied" as_guest docker/rag_events_start.sh
ok "without a server there is an error" fails_with "no response" \
  env PGHOST="$RAG_TMP" RAG_EVENTS_WAIT=1 docker/rag_events_start.sh
as_caller -c "DROP ROLE ${own}_guest"
finished
