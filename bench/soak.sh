#!/usr/bin/env bash
#
# Mixed load for a long time: does anything drift?
#
#   bench/soak.sh [OPTION…]
#
# Writers, readers, edits, deletes and copies (bench/soak/*.pgbench, each by its weight)
# on a fixed number of sessions, so that the tables soon keep their size. 60 or more
# samples of the throughput, of the memory of the backends, of the size of tables and
# indexes for each row in them, and of the part of HOT updates. Prints TAP: no call
# failed, and none of the latter is worse in the last quarter than in the second.
#
#   --minutes N     how long (60)
#   --seconds N     the same
#   --clients N     connections (4)
#   --rate N        transactions a second, at most (2000)
#   --sessions N    sessions (5000)
#   --samples FILE  keep the samples: a table with tabs
#   --svg FILE      draw them
#   --here          on the server of PGHOST, PGUSER …, which has rag_events installed,
#                   in a database of its own; without it, builds and starts a private
#                   server, with PostgreSQL's own settings but fsync

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

soak=$RAG_ROOT/bench/soak
seconds=3600 clients=4 rate=2000 sessions=5000 samples='' svg='' here=''
# Sessions that all clients write to. Each of the others is one client's alone, so that
# it can be deleted and made anew without anybody's call failing for it.
shared=20
status=0

while [ $# -gt 0 ]; do
  case $1 in
  --here) here=1 ;;
  --minutes | --seconds | --clients | --rate | --sessions | --samples | --svg)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    case $1 in
    --samples | --svg) printf -v "${1#--}" %s "$(realpath -m "$2")" ;;
    *) [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number" ;;&
    --minutes) seconds=$((60 * $2)) ;;
    --seconds | --clients | --rate | --sessions) printf -v "${1#--}" %s "$2" ;;
    esac
    shift
    ;;
  *) rag_die "unknown argument \"$1\"; see the head of bench/soak.sh" ;;
  esac
  shift
done
[ $((sessions / 2)) -gt $((shared + clients)) ] || rag_die "more sessions, or fewer clients"

sql() { rag_as_user psql -X -q -At -v ON_ERROR_STOP=1 -d rag_soak "$@"; }

cleanup() {
  local before=$?

  rag_kill_child
  [ -z "$here" ] || rag_as_user psql -X -q -d postgres -c 'DROP DATABASE IF EXISTS rag_soak WITH (FORCE)' 2>/dev/null
  (exit "$before")
  rag_cleanup
}

start() {
  if [ -z "$here" ]; then
    rag_require server build
    rag_workdir
    { rag_build && rag_start_server; } >&2 || exit 1
  else
    rag_require server
    rag_workdir
    PATH=$("$PG_CONFIG" --bindir):$PATH
  fi
  trap cleanup EXIT
  rag_as_user psql -X -q -d postgres -c 'DROP DATABASE IF EXISTS rag_soak' -c 'CREATE DATABASE rag_soak' 2>/dev/null || exit 1
  sql -v sessions="$sessions" -f "$soak/setup.sql" >/dev/null || exit 1
}

# scripts: fills args with the scripts of those functions that this version has.
scripts() {
  local file name

  args=()
  for file in "$soak"/*.pgbench; do
    name=$RAG_TMP/$(basename "$file")
    {
      # A session for a writer, one for whoever deletes it, one for a reader; a size.
      cat <<'END'
\set own 1 + :shared + (:client_id + :clients * random(0, (:sessions - :shared) / :clients - 1))
\set shared_one random(1, :shared)
\set slot case when random(1, 5) = 1 then :shared_one else :own end
\set any random(1, :sessions)
\set size random(1, 1500)
END
      cat "$file"
    } >"$name"
    args+=(-f "$name@$(sed -n 's/^-- weight: //p' "$file")")
  done
}

load() {
  PGAPPNAME=rag_soak rag_as_user "$(rag_pg pgbench)" -n -M prepared -c "$clients" -R "$rate" -T "$seconds" -D "sessions=$sessions" \
    -D "clients=$clients" -D "shared=$shared" "${args[@]}" rag_soak >"$RAG_TMP/load.log" 2>&1
}

# private_kb PID…: the largest private resident memory of these, or "-".
private_kb() {
  local pid

  for pid in "$@"; do
    awk '$1 == "RssAnon:" { print $2 }' "/proc/$pid/status" 2>/dev/null
  done | sort -n | tail -n 1 | grep . || echo -
}

# take_sample SECONDS: one line of samples; rates are those since the last one.
take_sample() {
  local -A now=()
  local name value pids=() rest

  while read -r name value rest; do
    while [ -n "$name" ]; do
      if [ "$name" = pid ]; then pids+=("$value"); else now[$name]=$value; fi
      read -r name value rest <<<"$rest"
    done
  done < <(sql -f "$soak/sample.sql")
  [ -n "${now[commits]-}" ] || return
  printf '%s\t' "$1" >>"$samples"
  awk -v OFS='\t' -v seconds=$(($1 - at)) -v commits=$((now[commits] - commits)) \
    -v updates=$((now[updates] - updates)) -v hot=$((now[hot] - hot)) -v sessions="${now[sessions]}" \
    -v messages="${now[messages]}" -v sessions_bytes="${now[sessions_bytes]}" -v messages_bytes="${now[messages_bytes]}" \
    -v index_bytes="${now[index_bytes]}" -v contexts="${now[contexts]}" -v memory="$(private_kb "${pids[@]}")" '
    function per(a, b) { return b > 0 ? sprintf("%.1f", a / b) : "-" }
    BEGIN {
      print per(commits, seconds), memory, contexts == "" ? "-" : sprintf("%.0f", contexts / 1024), per(sessions_bytes, sessions),
        per(messages_bytes, messages), per(index_bytes, sessions + messages), per(100 * hot, updates), sessions, messages
    }' >>"$samples"
  at=$1 commits=${now[commits]} updates=${now[updates]} hot=${now[hot]}
}

# sample: until the load ends.
sample() {
  local every=$((seconds / 60)) begin=$SECONDS next=0

  at=0 commits=0 updates=0 hot=0
  [ "$every" -gt 0 ] || every=1
  printf '%s\n' seconds calls_per_second memory_kb contexts_kb bytes_per_session bytes_per_message \
    index_bytes_per_row hot_percent sessions messages | paste -s -d '\t' >"$samples"
  while kill -0 "$rag_child" 2>/dev/null; do
    sleep 0.2
    [ $((SECONDS - begin)) -ge $next ] || continue
    [ $next -eq 0 ] || take_sample $((SECONDS - begin))
    next=$((SECONDS - begin + every))
  done
}

no_errors() {
  wait "$rag_child" && ! grep -qE 'ERROR|FATAL|aborted' "$RAG_TMP/load.log" && return
  tail -n 20 "$RAG_TMP/load.log"
  return 1
}

nothing_lost() {
  [ "$(sql -c "SELECT count(*) FROM sessions")" = "$sessions" ] &&
    [ "$(sql -c "SELECT count(*) FROM messages m WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.id = m.session_id)")" = 0 ] &&
    [ "$(sql -c "SELECT count(*) FROM rag_check_schema() WHERE kind <> 'not_dumped'")" = 0 ]
}

start
[ -n "$samples" ] || samples=$RAG_TMP/samples
scripts
set -m
load &
rag_child=$!
set +m
sample
rag_check "no call failed" no_errors || status=1
grep -E '^(number of transactions|latency average|tps)' "$RAG_TMP/load.log" | sed 's/^/# /'
rag_child=
rag_check "every session is there, every message has one, and the schema is that of the version" nothing_lost || status=1
awk -f "$soak/drift.awk" "$samples" || status=1
[ -z "$svg" ] || awk -f "$soak/picture.awk" "$samples" >"$svg"
exit "$status"
