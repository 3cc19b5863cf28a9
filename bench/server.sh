# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
#
# The server that bench/run.sh measures, and its databases.

sql() { rag_as_user psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
progress() { printf '%s\n' "== $*" >&2; }

drop_databases() {
  local name

  # A template is dropped as any other.
  for name in $(sql -c "SELECT datname FROM pg_database WHERE datname ~ '^rag_bench_(new|old|way_|growth_|turn)'" 2>/dev/null); do
    sql -c "DROP DATABASE IF EXISTS \"$name\"" 2>/dev/null
  done
}

# Left there by --here: the databases, and nothing else.
cleanup() {
  local status=$?

  rag_kill_child
  [ -z "$here" ] || drop_databases
  (exit "$status")
  rag_cleanup
}

free_port() {
  local port

  for ((port = 54400; port < 54500; port++)); do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  return 1
}

# quarter_of_memory: what PostgreSQL's manual suggests for shared_buffers, in MB.
quarter_of_memory() {
  echo $(($(getconf _PHYS_PAGES) * ($(getconf PAGESIZE) / 1024) / 4096))
}

# A server that has been running writes over the old files of its WAL. A new one has
# to make each first, and whoever commits then waits: make them now.
fill_wal() {
  sql -c "SELECT count(pg_logical_emit_message(false, '', repeat('x', 1000000)))
          FROM generate_series(1, 1500)" -c 'CHECKPOINT' >/dev/null
}

# A port of the loopback interface is open to every user of the machine: with a
# password.
start_private_server() {
  local port='' password settings=()

  if [ -z "$socket" ]; then
    port=$(free_port) || rag_die "no free port"
    settings=("listen_addresses = '127.0.0.1'" "port = $port")
  fi
  rag_start_server "fsync = $fsync" "synchronous_commit = $commit" \
    "shared_buffers = $(quarter_of_memory)MB" 'max_wal_size = 32GB' 'checkpoint_timeout = 1h' \
    'autovacuum = off' 'password_encryption = scram-sha-256' "${settings[@]}" || exit 1
  data=$PGHOST/data
  [ -n "$port" ] || return 0
  export PGPORT=$port
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  sql -c "ALTER ROLE postgres PASSWORD '$password'" || exit 1
  printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$data/pg_hba.conf"
  sql -c 'SELECT pg_reload_conf()' >/dev/null
  export PGHOST=127.0.0.1 PGPASSWORD=$password
}

# restart_server: the private one.
restart_server() {
  rag_as_user "$(rag_pg pg_ctl)" restart -s -w -m fast -D "$data" -l "${data%/data}/log" </dev/null || exit 1
  choose_cpus
}

# choose_cpus: sets client, the command that runs a client, and where it matters puts both it and
# the server's connections on certain CPUs.
choose_cpus() {
  local half=$(($(nproc) / 2)) of_client=0 of_server=0

  client=()
  [ -n "$cpus" ] || return 0
  if [ "$cpus" = split ]; then
    [ "$half" -gt 0 ] || rag_die "--split needs two CPUs"
    of_client=0-$((half - 1)) of_server=$half-$(($(nproc) - 1))
  fi
  client=(taskset -c "$of_client")
  taskset -cp "$of_server" "$(head -n 1 "$data/postmaster.pid")" >/dev/null
}

start() {
  local need=(server build)

  client=()
  port=''
  [ -z "$here" ] || need=(server)
  rag_require "${need[@]}"
  libpq=(-I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" -lpq)
  rag_workdir
  trap cleanup EXIT
  if [ -n "$here" ]; then
    PATH=$("$PG_CONFIG" --bindir):$PATH
    sql -c 'SELECT 1' >/dev/null || exit 1
    export PGOPTIONS="-c synchronous_commit=$commit"
  else
    # shellcheck disable=SC2119 # nothing for make
    rag_build >&2 || exit 1
    start_private_server
    fill_wal || exit 1
    choose_cpus
  fi
  keep_awake
  drop_databases
  : >"$RAG_TMP/results"
  : >"$RAG_TMP/notes"
}

# make_template NAME VERSION SESSIONS: the database rag_bench_NAME with the
# extension ('' for its default version) and sessions, to be copied.
make_template() {
  sql -c "CREATE DATABASE rag_bench_$1" || exit 1
  sql -d "rag_bench_$1" -v version="$2" -v sessions="$3" -f "$bench/setup.sql" || exit 1
}

# database WAY: where it writes. A way is a name, or name@version for the tables
# of that version.
database() { printf %s "rag_bench_way_${1//[@.]/_}"; }

# fresh_databases WAY…: a database for each, all the same.
fresh_databases() {
  local way

  for way in "$@"; do
    sql -c "DROP DATABASE IF EXISTS $(database "$way")" 2>/dev/null
    case $way in
    *@*) sql -c "CREATE DATABASE $(database "$way") TEMPLATE rag_bench_old" ;;
    *) sql -c "CREATE DATABASE $(database "$way") TEMPLATE rag_bench_new" ;;
    esac || exit 1
  done
}

# templates: the extension's latest version, and 1.0.
templates() {
  [ -z "${have_templates-}" ] || return
  make_template new '' "$sessions"
  make_template old 1.0 "$sessions"
  have_templates=1
}
