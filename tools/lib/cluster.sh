# shellcheck shell=bash
#
# A cluster of private servers with Citus, for the tests and the benchmark. To be sourced
# after common.sh, with PG_CONFIG of a PostgreSQL that has Citus and rag_events.
#
#   rag_has_citus || …               # can that PostgreSQL have a cluster?
#   rag_start_cluster 2              # PGHOST, PGPORT … now lead to its coordinator
#   rag_on_node 1 psql …             # at a worker; 0 is the coordinator
#
# All nodes listen in one folder, which only RAG_USER can enter, at ports from
# $cluster_port on: Citus connects them by the sockets there.

cluster_port=54330

# rag_has_citus: does the PostgreSQL of PG_CONFIG have Citus?
rag_has_citus() {
  [ -f "$("$PG_CONFIG" --sharedir)/extension/citus.control" ] &&
    [ -f "$("$PG_CONFIG" --pkglibdir)/citus.so" ]
}

rag_on_node() {
  local node=$1

  shift
  PGPORT=$((cluster_port + node)) "$@"
}

# rag_node_data NODE: its data directory.
rag_node_data() { echo "$PGHOST/node$1"; }

# rag_node_log NODE: the end of its log.
rag_node_log() { tail -n 40 "$PGHOST/node$1.log"; }

# rag_make_node NODE [SETTING=VALUE…]: makes a server of its own.
rag_make_node() {
  local data

  data=$(rag_node_data "$1")
  rag_as_user "$(rag_pg initdb)" -D "$data" -U "$PGUSER" -A trust --encoding=UTF8 \
    --no-locale --no-sync >"$PGHOST/initdb.log" 2>&1 || {
    cat "$PGHOST/initdb.log" >&2
    return 1
  }
  printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" \
    "port = $((cluster_port + $1))" "fsync = off" "shared_preload_libraries = 'citus'" \
    "wal_level = logical" "shared_buffers = 64MB" "max_connections = 60" \
    "max_prepared_transactions = 60" "citus.enable_statistics_collection = off" \
    "citus.recover_2pc_interval = 2s" "citus.log_distributed_deadlock_detection = on" "citus.local_hostname = '$PGHOST'" \
    "citus.node_conninfo = 'sslmode=disable'" "${@:2}" >>"$data/postgresql.conf"
}

# rag_start_node NODE, rag_stop_node NODE MODE
rag_start_node() {
  rag_as_user "$(rag_pg pg_ctl)" start -s -w -D "$(rag_node_data "$1")" \
    -l "$PGHOST/node$1.log" </dev/null || {
    rag_node_log "$1" >&2
    return 1
  }
}

rag_stop_node() {
  rag_as_user "$(rag_pg pg_ctl)" stop -s -w -D "$(rag_node_data "$1")" -m "$2"
}

# rag_add_node NODE: makes it a worker of the coordinator, in the database PGDATABASE.
rag_add_node() {
  rag_on_node "$1" psql -X -q -v ON_ERROR_STOP=1 -c "CREATE EXTENSION citus" &&
    psql -X -q -A -t -v ON_ERROR_STOP=1 -o /dev/null \
      -c "SELECT citus_add_node('$PGHOST', $((cluster_port + $1)))"
}

# rag_start_cluster WORKERS [SETTING=VALUE…]: a coordinator and so many workers.
rag_start_cluster() {
  local workers=$1 node variable

  shift
  for variable in "${!PG@}"; do
    case $variable in PG_* | PGXS) ;; *) unset "$variable" ;; esac
  done
  export PGHOST=$RAG_TMP/cluster PGPORT=$cluster_port PGUSER=postgres PGDATABASE=postgres
  export PGCLIENTENCODING=UTF8
  rag_as_user mkdir -p -m 700 "$PGHOST" || return
  for ((node = 0; node <= workers; node++)); do
    rag_make_node "$node" "$@" && rag_start_node "$node" || return
  done
  psql -X -q -v ON_ERROR_STOP=1 -c "CREATE EXTENSION citus" &&
    psql -X -q -A -t -v ON_ERROR_STOP=1 -o /dev/null \
      -c "SELECT citus_set_coordinator_host('$PGHOST', $cluster_port)" || return
  for ((node = 1; node <= workers; node++)); do rag_add_node "$node" || return; done
}

# rag_stop_cluster: stops all of its nodes.
rag_stop_cluster() {
  local data

  for data in "$PGHOST"/node*/; do
    [ -f "$data/postmaster.pid" ] &&
      rag_as_user "$(rag_pg pg_ctl)" stop -s -w -D "$data" -m immediate
  done
  return 0
}
