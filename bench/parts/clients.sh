# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# Eight connections at once, each writing to sessions of its own, and every commit
# waits for the disk.

measure_clients() {
  pgbench_round "${2%@*}" "$(database "$2")" "$sessions" 8 1600
  result clients real "$1" "$2" \
    "$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$RAG_TMP/output" | awk '{ print 1e6 / $1 }')"
}

set_fsync() {
  [ -z "$here" ] || return
  sql -c "ALTER SYSTEM SET fsync = $1" -c 'SELECT pg_reload_conf()' >/dev/null && sleep 0.5
}

part_clients() {
  local ways=(function statements@1.0)

  templates
  progress "clients"
  load_samples "$real"
  prepare_scripts function statements
  fresh_databases "${ways[@]}"
  [ -n "$here" ] || { sql -c CHECKPOINT && sync -f "$data"; }
  set_fsync on
  rotate measure_clients "${ways[@]}"
  echo "clients: fsync = $(sql -c 'SHOW fsync')." >>"$RAG_TMP/notes"
  set_fsync "$fsync"
}
