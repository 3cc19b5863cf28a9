#!/usr/bin/env bash
#
# What retention costs those who read and write meanwhile, and what becomes of the room:
#
#   bench/retention.sh [OPTION…]
#
# Half of the sessions expire by the DO block of docs/retention.md, beside a reader
# (rag_get_messages() and rag_list_sessions()) and a writer (rag_add_message()), each at a
# rate that leaves the machine time. Then autovacuum comes by itself, and as many
# messages as before fill the tables again. Once with PostgreSQL's own settings, and once
# with those of the page.
#
#   --expire N      sessions that expire (100000); as many stay
#   --messages N    messages in the table, the same number in each session (1000000)
#   --batch N       sessions that one call deletes (1000)
#   --rate N        calls of the reader in a second; the writer makes a quarter (200). More than
#                   the machine can do shows as times that are much longer, before as well
#   --seconds N     how long it runs before (20)
#   --patience N    how many seconds autovacuum may take afterwards (600)
#
# Builds and starts a private server with PostgreSQL's own settings, but fsync. Prints a
# table in Markdown: what matters are the ratios. The progress goes to standard error.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

bench=$RAG_ROOT/bench
page=$RAG_ROOT/docs/retention.md
expire=100000 messages=1000000 batch=1000 rate=200 seconds=20 patience=600
ways=(default recommended)

while [ $# -gt 0 ]; do
  case $1 in
  --expire | --messages | --batch | --rate | --seconds | --patience)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
    printf -v "${1#--}" %s "$2"
    shift
    ;;
  *) rag_die "unknown argument \"$1\"; see the head of bench/retention.sh" ;;
  esac
  shift
done
sessions=$((2 * expire))
length=$((messages / sessions))
[ "$length" -ge 1 ] || rag_die "more messages, or fewer sessions"
[ "$rate" -ge 4 ] || rag_die "--rate is at least 4"

sql() { rag_as_user psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
progress() { printf '%s\n' "== $*" >&2; }

# shown PATTERN: the block of SQL of the page that has it.
shown() {
  awk -v pattern="$1" '
    /^```/ { if (inside && block ~ pattern) printf "%s", block; inside = $0 == "```sql"; block = ""; next }
    inside { block = block $0 "\n" }' "$page"
}

# The DO block of the page in the batches that were asked for, and its settings.
loop=$(shown '^DO ')
settings=$(shown 'autovacuum')
[[ $loop == *"max_sessions => 1000,"* && $settings == *"ALTER TABLE messages SET"* ]] ||
  rag_die "docs/retention.md does not have the DO block or the settings any more"
loop=${loop/max_sessions => 1000,/max_sessions => $batch,}

# scripts: one file for each of reader and writer, on the sessions that stay.
scripts() {
  local any

  any="\\set any random($((expire + 1)), $sessions)"
  printf '%s\n' "$any" "SELECT * FROM rag_get_messages(lpad(:any::text, 32, '0')::uuid);" >"$RAG_TMP/read"
  printf '%s\n' "$any" "SELECT * FROM rag_list_sessions('user-' || :any % 100);" >"$RAG_TMP/list"
  printf '%s\n' "$any" "SELECT rag_add_message(lpad(:any::text, 32, '0')::uuid, 'user', repeat(md5(:any::text), 10));" >"$RAG_TMP/write"
}

# one_load NAME RATE SCRIPT…: runs until it is killed; a line for each call, with the time
# at which it ended and how long it took, goes to $RAG_TMP/NAME.PID.
one_load() {
  local name=$1 at=$2
  shift 2
  rag_as_user "$(rag_pg pgbench)" -n -M prepared -R "$at" -T 86400 -l --log-prefix="$RAG_TMP/$name" \
    "${@/#/-f$RAG_TMP/}" "retention_$way" >"$RAG_TMP/$name.output" 2>&1
}

load() {
  one_load reader "$rate" read list &
  one_load writer $((rate / 4)) write &
  wait
}

# speed NAME FROM TO: the mean microseconds of a call that ended between these times; the
# schedule's lag is a part of it, as it is for whoever waits. (The log is written in
# blocks, hence after the load has ended.)
speed() {
  cat "$RAG_TMP/$1".[0-9]* | awk -v from="$2" -v to="$3" '
    { at = $5 + $6 / 1e6 }
    at >= from && at < to { sum += $3; n++ }
    END { if (n) print sum / n; else print 0 }'
}

now() { date +%s.%N; }
minus() { awk -v a="$1" -v b="$2" 'BEGIN { print a - b }'; }
bytes() { sql -d "retention_$way" -c "SELECT pg_total_relation_size('sessions') + pg_total_relation_size('messages')"; }

# vacuumed: autovacuum has been there, and has nothing more to do.
vacuumed() {
  [ "$(sql -d "retention_$way" -v part="$1" <<'END'
SELECT (SELECT bool_and(autovacuum_count > 0 AND n_dead_tup <= :part * n_live_tup + 50) FROM pg_stat_user_tables WHERE relname IN ('sessions', 'messages'))
   AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum)
END
  )" = t ]
}

# refill: as many messages as before, in sessions that are new.
refill() {
  sql -d "retention_$way" -v messages=$((sessions * length)) -v length="$length" <<'END' >/dev/null
SELECT (:messages - count(*)) / :length AS sessions FROM messages \gset
SELECT count(rag_add_messages(gen_random_uuid(), list, 'new', true))
FROM generate_series(1, :sessions) AS s,
     (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', repeat(md5(n::text), 10))) AS list FROM generate_series(1, :length) AS n) AS m
END
}

# measure: one line of results, for the settings that the database has.
measure() {
  local part=0.2 begin loop_at end vacuum_at size_before size_after size_vacuum size_refilled status

  sql -d postgres -c "CREATE DATABASE retention_$way TEMPLATE original" || exit 1
  if [ "$way" = recommended ]; then
    part=0.02
    sql -d "retention_$way" -c "$settings" || exit 1
  fi
  size_before=$(bytes)
  rm -f "$RAG_TMP"/reader.[0-9]* "$RAG_TMP"/writer.[0-9]*
  set -m
  load &
  rag_child=$!
  set +m
  sleep 2 # for the first calls
  begin=$(now)
  sleep "$seconds"
  progress "$way: expiring $expire sessions"
  loop_at=$(now)
  sql -d "retention_$way" -c "$loop" || exit 1
  end=$(now)
  size_after=$(bytes)
  progress "$way: waiting for autovacuum"
  until vacuumed "$part"; do
    [ "${end%.*}" -gt $(($(date +%s) - patience)) ] || rag_die "autovacuum does not come to an end"
    sleep 1
  done
  vacuum_at=$(now)
  size_vacuum=$(bytes)
  sleep 5
  rag_kill_child
  wait "$rag_child" 2>/dev/null
  rag_child=
  ! grep -E 'ERROR|FATAL|aborted' "$RAG_TMP"/*.output >&2 || exit 1
  [ "$(sql -d "retention_$way" -c "SELECT count(*) FROM sessions")" = "$expire" ] || rag_die "what is left is not what was to stay"
  refill || exit 1
  size_refilled=$(bytes)
  echo "$way" "$(speed reader "$begin" "$loop_at")" "$(speed reader "$loop_at" "$end")" "$(speed reader "$end" "$vacuum_at")" \
    "$(speed writer "$begin" "$loop_at")" "$(speed writer "$loop_at" "$end")" "$(speed writer "$end" "$vacuum_at")" \
    "$(minus "$end" "$loop_at")" "$(minus "$vacuum_at" "$end")" \
    "$size_before" "$size_after" "$size_vacuum" "$size_refilled" >>"$RAG_TMP/results"
}

report() {
  awk -v expire="$expire" -v messages=$((sessions * length)) -v batch="$batch" -v version="$("$PG_CONFIG" --version)" '
    { n++; for (i = 1; i <= NF; i++) v[n, i] = $i }
    function row(what, how, a, b,    i, line) {
      line = "| " what " |"
      for (i = 1; i <= n; i++) line = line " " sprintf(how, b ? (v[i, b] ? v[i, a] / v[i, b] : 0) : v[i, a]) " |"
      print line
    }
    END {
      print version ", " expire " of " 2 * expire " sessions, " messages " messages, batches of " batch ":\n"
      print "| | autovacuum by default | as recommended |\n| --- | ---: | ---: |"
      row("time of a reading call during the loop, to before", "%.2f", 3, 2)
      row("… and after it, until autovacuum was done", "%.2f", 4, 2)
      row("time of a writing call during the loop, to before", "%.2f", 6, 5)
      row("… and after it, until autovacuum was done", "%.2f", 7, 5)
      row("size after the loop, to before", "%.2f", 11, 10)
      row("… after autovacuum", "%.2f", 12, 10)
      row("… with as many messages as before again", "%.2f", 13, 10)
      row("(seconds of the loop)", "%.1f", 8)
      row("(seconds after it until autovacuum was done)", "%.0f", 9)
      row("(microseconds of a reading call before)", "%.0f", 2)
      row("(microseconds of a writing call before)", "%.0f", 5)
    }' "$RAG_TMP/results"
}

rag_require server build
rag_workdir
# shellcheck disable=SC2119 # nothing for make
{ rag_build && rag_start_server; } >&2 || exit 1
progress "$("$PG_CONFIG" --version): $((sessions * length)) messages in $sessions sessions"
sql -d postgres -c 'CREATE DATABASE original' &&
  sql -d original -v sessions="$sessions" -v expire="$expire" -v length="$length" -f "$bench/retention.sql" || exit 1
scripts
for way in "${ways[@]}"; do measure; done
report
