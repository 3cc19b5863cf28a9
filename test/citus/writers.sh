# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# Writers in one session, on any node, while something happens to the cluster.

# new_calls WRITER N: so many calls, each with a key of its own; and more of them until
# the file "enough" is there.
new_calls() {
  local i

  for ((i = 1; ; i++)); do
    [ "$i" -le "$2" ] || [ ! -f "$RAG_TMP/enough" ] || return 0
    echo "SELECT $i, rag_add_message('$session', 'user', '$1 $i', idempotency_key => '$1 $i');"
  done
}

# write_at NODE [WRITER]: runs the calls, and keeps what they return: "number|id", in their
# order. A new connection begins every fifty calls, as one may break.
write_at() {
  local writer=${2-$1} calls

  tee "$RAG_TMP/calls.$writer" |
    while mapfile -t -n 50 calls && [ "${#calls[@]}" -gt 0 ]; do
      printf '%s\n' "${calls[@]}" | PGUSER=app rag_on_node "$1" psql -X -q -A -t -v VERBOSITY=sqlstate ||
        sleep 0.1
    done >"$RAG_TMP/written.$writer" 2>"$RAG_TMP/errors.$writer"
}

# follow: the ids that a reader gets, who asks for what is new until nobody writes.
follow() {
  local last=0 ids done=

  while :; do
    [ ! -f "$RAG_TMP/written" ] || done=1
    ids=$(app -c "SELECT id FROM rag_get_messages_after('$session', $last, NULL)" 2>&1 | grep -E '^[0-9]+$')
    if [ -n "$ids" ]; then
      printf '%s\n' "$ids"
      last=${ids##*$'\n'}
    fi
    [ -z "$done" ] || return 0
  done >"$RAG_TMP/followed"
}

# start_writers NODE…: a writer at each, until stop_writers.
start_writers() {
  local node

  rm -f "$RAG_TMP/enough"
  writers=
  for node; do
    new_calls "$session at $node" 1 | write_at "$node" &
    writers="$writers $!"
  done
}

# go_on WRITER…: each of them has written more, by and by.
go_on() {
  local writer before

  for writer; do
    touch "$RAG_TMP/written.$writer"
    before=$(wc -l <"$RAG_TMP/written.$writer")
    wait_until has_written "$writer" $((before + 20)) || return
  done
}

has_written() { [ "$(wc -l <"$RAG_TMP/written.$1")" -gt "$2" ]; }

# meet_errors WRITER…: each of them has met an error, by and by.
meet_errors() {
  local writer

  for writer; do wait_until test -s "$RAG_TMP/errors.$writer" || return; done
}

# wait_until COMMAND…: false after a minute.
wait_until() {
  local i

  for ((i = 0; i < 600; i++)); do
    ! "$@" || return 0
    sleep 0.1
  done
  return 1
}

stop_writers() {
  touch "$RAG_TMP/enough"
  # shellcheck disable=SC2086 # a list of words
  wait $writers
}

# Each message is there once, with the id that its writer was told, and a writer's own
# ascend. Calls that failed are repeated first.
check_messages() {
  local node n=0

  for node; do
    write_again "$node"
    n=$((n + $(wc -l <"$RAG_TMP/calls.$node")))
    ok "writer $node: what was acknowledged is there, once" \
      test -z "$(sort "$RAG_TMP/acknowledged.$node" | comm -23 - <(sort "$RAG_TMP/written.$node"))"
    ok "writer $node: the ids of calls that succeeded at once ascend" \
      sort -c -t '|' -k 2 -n "$RAG_TMP/acknowledged.$node"
  done
  same "every message is there once" "$n|t|t" \
    "$(app -c "SELECT count(*), count(*) = count(DISTINCT content), count(*) = count(DISTINCT id) FROM messages WHERE session_id = '$session'")"
}

# write_again WRITER: the same calls, at the node of that number or at $writers_node.
write_again() {
  cat "$RAG_TMP/errors.$1" >>"$RAG_TMP/seen"
  mv "$RAG_TMP/written.$1" "$RAG_TMP/acknowledged.$1"
  mv "$RAG_TMP/calls.$1" "$RAG_TMP/repeated.$1"
  write_at "${writers_node-$1}" "$1" <"$RAG_TMP/repeated.$1"
  [ ! -s "$RAG_TMP/errors.$1" ] || cat "$RAG_TMP/errors.$1"
}

# shard_and_port SESSION: the shard of sessions that it is in, and its node's port.
shard_and_port() {
  sql -F ' ' -c "SELECT shardid, nodeport FROM pg_dist_shard_placement WHERE shardid = get_shard_id_for_distribution_column('sessions', '$1')"
}

# node_of SESSION: the node that has it.
node_of() {
  local shard port

  read -r shard port < <(shard_and_port "$1")
  echo $((port - cluster_port))
}

# session_on NODE: a new session there.
session_on() {
  local new

  for _ in {1..200}; do
    new=$(app -c "SELECT rag_create_session('maya')")
    [ "$(node_of "$new")" != "$1" ] || break
  done
  echo "$new"
}

# move_session NODE: moves its shard there. What an earlier move has left behind is
# removed first, which waits until nobody reads it any more.
move_session() {
  local shard from

  read -r shard from < <(shard_and_port "$session")
  for _ in {1..20}; do
    sql -o /dev/null -c "CALL citus_cleanup_orphaned_resources()" \
      -c "SELECT citus_move_shard_placement($shard, '$PGHOST', $from, '$PGHOST', $((cluster_port + $1)), 'force_logical')" \
      >"$RAG_TMP/move.log" 2>&1 && return
    grep -q 'orphaned' "$RAG_TMP/move.log" || break
    sleep 0.2
  done
  cat "$RAG_TMP/move.log"
  return 1
}
