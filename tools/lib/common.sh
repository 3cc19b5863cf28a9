# shellcheck shell=bash
#
# What the shell scripts of this repository share: finding or installing the
# tools, a private copy of the PostgreSQL installation, a private server.
# To be sourced by bash; defines functions and the variables named below, and
# does nothing by itself.
#
#   . tools/lib/common.sh
#   rag_require server build        # or explains what is missing, and exits
#   rag_workdir                     # $RAG_TMP, removed at exit
#   rag_build                       # extension in a private PostgreSQL tree
#   rag_start_server                # PGHOST, PGPORT … now lead to a private server
#   rag_as_user psql -c 'CREATE EXTENSION rag_events'
#
# Nothing outside of $RAG_TMP is written, but for missing Debian packages.
#
# Variables that the caller may set:
#   PG_CONFIG   the PostgreSQL to use
#   PG_MAJOR    the major to use (or to install), where PG_CONFIG is not set
#   RAG_KEEP    not empty: leave $RAG_TMP in place
# Variables that the functions set:
#   RAG_ROOT    the checkout
#   RAG_USER    who runs the server and the tests: never root
#   RAG_TMP     the work folder, of RAG_USER

RAG_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
RAG_TMP=
RAG_USER=$(id -un)
rag_child=

# PostgreSQL refuses to run as root, so root hands that part to somebody else.
if [ "$(id -u)" -eq 0 ]; then
  RAG_USER=postgres
  id -u "$RAG_USER" >/dev/null 2>&1 || RAG_USER=nobody
fi

rag_note() { printf '%s\n' "== $*"; }

rag_die() {
  printf '%s\n' "error: $*" >&2
  exit 1
}

# rag_check NAME COMMAND…: one test, as a line of TAP; the output of a failing
# command comes before it.
rag_check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok - $name"
  else
    printf '%s\n' "$output"
    echo "not ok - $name"
    return 1
  fi
}

# rag_total PASSED FAILED SKIPPED: the closing line. False unless all went well.
rag_total() {
  if [ "$3" -gt 0 ]; then
    echo "$1 passed, $2 failed, $3 skipped"
  else
    echo "$1 passed, $2 failed"
  fi
  [ "$2" -eq 0 ] && [ "$1" -gt 0 ]
}

# rag_read_total LOG: the numbers of the closing line of LOG, as "PASSED FAILED
# SKIPPED"; false where it has none.
rag_read_total() {
  tail -n 1 "$1" | awk '
    /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ { print $1, $3, $5 + 0; found = 1 }
    END { exit !found }'
}

# ---------------------------------------------------------------------------
# What must be installed
# ---------------------------------------------------------------------------

# rag_debian: true on the releases of Debian that these scripts know how to
# install on. Testing and unstable have no VERSION_ID.
rag_debian() (
  [ -r /etc/os-release ] && . /etc/os-release &&
    [ "${ID-}" = debian ] && [ "${VERSION_ID:-99}" -ge 12 ]
)

rag_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# rag_find_pg: sets PG_CONFIG, empty where there is no PostgreSQL. On Debian the
# pg_config in PATH belongs to the newest major with anything installed, which
# need not have a server: look for the pair.
rag_find_pg() {
  local major dir

  if [ -n "${PG_CONFIG-}" ]; then
    "$PG_CONFIG" --version >/dev/null || rag_die "PG_CONFIG is \"$PG_CONFIG\", which does not run"
    return
  fi
  PG_CONFIG=
  for major in ${PG_MAJOR:-$(seq 15 40)}; do
    dir=/usr/lib/postgresql/$major/bin
    if [ -x "$dir/postgres" ] && [ -x "$dir/pg_config" ]; then
      PG_CONFIG=$dir/pg_config
    fi
  done
  if [ -z "$PG_CONFIG" ] && [ -z "${PG_MAJOR-}" ] && ! rag_debian; then
    PG_CONFIG=$(command -v pg_config)
  fi
}

# rag_has NEED: whether what NEED stands for is there.
rag_has() {
  local pgxs
  local pg=${PG_CONFIG:-false}

  case $1 in
  server)
    [ -x "$("$pg" --bindir)/initdb" ] && [ -x "$("$pg" --bindir)/postgres" ]
    ;;
  build)
    command -v make && pgxs=$("$pg" --pgxs) && [ -f "$pgxs" ] &&
      [ -f "$("$pg" --includedir-server)/postgres.h" ] &&
      echo '#include <stdio.h>' | gcc -E -
    ;;
  tap)
    command -v prove && perl -MIPC::Run -MTest::More -e 1 &&
      [ -d "$(dirname "$("$pg" --pgxs)")/../test/perl/PostgreSQL" ]
    ;;
  pg_cron)
    [ -f "$("$pg" --sharedir)/extension/pg_cron.control" ]
    ;;
  pgvector)
    [ -f "$("$pg" --sharedir)/extension/vector.control" ]
    ;;
  deb:*)
    ! rag_debian || dpkg-query -s "${1#deb:}" | grep '^Status:.* installed$'
    ;;
  *)
    command -v "$1"
    ;;
  esac >/dev/null 2>&1
}

# rag_packages NEED: the Debian packages that give it, @ for the major.
rag_packages() {
  case $1 in
  server) echo postgresql-@ postgresql-client-@ ;;
  build) echo postgresql-server-dev-@ gcc libc6-dev make ;;
  tap) echo libipc-run-perl perl postgresql-server-dev-@ ;;
  pg_cron) echo postgresql-@-cron ;;
  pgvector) echo postgresql-@-pgvector ;;
  deb:*) echo "${1#deb:}" ;;
  *) echo "$1" ;;
  esac
}

rag_explain() {
  case $1 in
  server) echo "PostgreSQL 15 or later: initdb, postgres, psql" ;;
  build) echo "a C compiler, make, PostgreSQL's server headers and PGXS" ;;
  tap) echo "prove, Perl's IPC::Run, PostgreSQL's Perl test modules" ;;
  *) echo "$1" ;;
  esac
}

# rag_missing NEED…: those that are not there.
rag_missing() {
  local need

  for need in "$@"; do rag_has "$need" || echo "$need"; done
}

# rag_require NEED…: makes sure that each is there. A NEED is server, build or
# tap, a command whose Debian package has the same name, or deb:PACKAGE for what
# only Debian's users need told. Installs where it can, and exits with the list
# of what to install where it cannot. Sets PG_CONFIG.
rag_require() {
  local missing need

  rag_find_pg
  missing=$(rag_missing "$@")
  [ -z "$missing" ] && return

  if rag_debian && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
    # shellcheck disable=SC2086 # a list of words
    rag_apt_install $missing
    rag_find_pg
    missing=$(rag_missing "$@")
    [ -z "$missing" ] && return
  fi

  {
    echo "Please install, and run this again:"
    for need in $missing; do echo "  - $(rag_explain "$need")"; done
    echo "PG_CONFIG=/path/to/pg_config chooses among several PostgreSQL installations."
  } >&2
  exit 1
}

# rag_wish NEED…: the same for what is not in every release of Debian, and what the tests
# can do without (they say so): installs what apt has for the major of PG_CONFIG, which
# rag_require has set, and never fails.
rag_wish() {
  local need wanted=() major

  major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  for need in $(rag_missing "$@"); do
    # shellcheck disable=SC2046 # a list of words
    ! apt-cache show $(rag_packages "$need" | sed "s/@/$major/g") >/dev/null 2>&1 || wanted+=("$need")
  done
  [ ${#wanted[@]} -gt 0 ] && rag_debian && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; } || return 0
  rag_apt_install "${wanted[@]}" || rag_note "going on without: ${wanted[*]}"
}

# The packages of the server and of PgBouncer start services when they are installed,
# now and at each boot. That is not ours to decide on somebody's machine: no cluster and
# no start, only for this install, and no pooler at boot.
rag_apt_install() (
  dropin=/etc/postgresql-common/createcluster.d/zz_rag_events.conf
  policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || policy= # somebody's own
  log=$(mktemp)
  trap 'rm -f "$log"; rag_root rm -f "$dropin" ${policy:+"$policy"}' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  rag_apt() {
    rag_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
      apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1
  }

  rag_apt update || rag_note "apt-get update failed: going on with the lists at hand"
  # The release's own major is the one its "postgresql" package stands for.
  major=${PG_MAJOR:-$(apt-cache policy postgresql | sed -n 's/^ *Candidate: \([0-9]*\).*/\1/p')}
  [ -n "$PG_CONFIG" ] && major=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  packages=$(for need in "$@"; do rag_packages "$need"; done | sed "s/@/${major:-15}/g" |
    tr -s ' ' '\n' | sort -u | tr '\n' ' ')

  rag_note "installing with apt: $packages"
  rag_root mkdir -p "${dropin%/*}"
  echo 'create_main_cluster = false' | rag_root tee "$dropin" >/dev/null
  if [ -n "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | rag_root tee "$policy" >/dev/null
    rag_root chmod +x "$policy"
  fi
  # shellcheck disable=SC2086 # a list of words
  if ! rag_apt install --no-install-recommends --no-upgrade $packages; then
    cat "$log" >&2
    exit 1
  fi
  case " $packages" in
  *" pgbouncer "*) rag_root systemctl --quiet disable pgbouncer >/dev/null 2>&1 ;;
  esac
  true
)

# ---------------------------------------------------------------------------
# The work folder, and leaving nothing behind
# ---------------------------------------------------------------------------

# rag_workdir: creates $RAG_TMP, and has it removed at exit with every server in it.
rag_workdir() {
  local parent=${TMPDIR:-/tmp}

  # A socket's path must fit into 107 bytes, make takes no spaces, and RAG_USER
  # must get there.
  case $parent in *[!A-Za-z0-9/._-]* | ????????????????????????????????????????*) parent=/tmp ;; esac
  rag_as_user test -w "$parent" || parent=/tmp

  trap rag_cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  RAG_TMP=$(mktemp -d "$parent/rag_events.XXXXXX") || exit 1
  if [ "$(id -u)" -eq 0 ]; then chown "$RAG_USER:" "$RAG_TMP"; fi
  # Whatever the tests create goes in there as well, servers of TAP tests included.
  export TMPDIR=$RAG_TMP
}

rag_cleanup() {
  local status=$? pidfile

  trap '' INT TERM HUP
  rag_kill_child
  [ -n "$RAG_TMP" ] || exit "$status"
  while IFS= read -r pidfile; do
    rag_as_user "$(dirname "$(rag_pg postgres)")/pg_ctl" stop -s -m immediate \
      -D "${pidfile%/*}" >/dev/null 2>&1
  done < <(find "$RAG_TMP" -name postmaster.pid 2>/dev/null)
  if [ -n "${RAG_KEEP-}" ]; then
    rag_note "kept: $RAG_TMP"
  else
    rm -rf "$RAG_TMP"
  fi
  exit "$status"
}

# rag_as_user COMMAND…: runs it as RAG_USER.
rag_as_user() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  else
    setpriv --reuid="$RAG_USER" --regid="$(id -g "$RAG_USER")" --clear-groups \
      env HOME="${RAG_TMP:-/}" USER="$RAG_USER" LOGNAME="$RAG_USER" "$@"
  fi
}

# rag_run COMMAND…: runs a command or function so that a signal to this script
# ends it at once, with all its children (bash would wait for a foreground
# command before it looks at a trap).
rag_run() {
  local status

  set -m # a process group of its own
  "$@" </dev/null &
  rag_child=$!
  set +m
  wait "$rag_child"
  status=$?
  rag_child=
  return "$status"
}

rag_kill_child() {
  [ -n "$rag_child" ] || return
  kill -TERM -- "-$rag_child" 2>/dev/null
  for _ in {1..50}; do
    kill -0 -- "-$rag_child" 2>/dev/null || return
    sleep 0.1
  done
  kill -KILL -- "-$rag_child" 2>/dev/null
}

# ---------------------------------------------------------------------------
# A private PostgreSQL tree with the extension in it
# ---------------------------------------------------------------------------

# rag_pg PROGRAM: its path in the PostgreSQL of PG_CONFIG.
rag_pg() { echo "$("$PG_CONFIG" --bindir)/$1"; }

# rag_private_tree DIR: a copy of the PostgreSQL of PG_CONFIG below DIR, to which
# PG_CONFIG then points. PostgreSQL's programs find their files relative to
# themselves: with real copies of the programs, and links to all else in the same
# layout, "make install" goes into the tree, needs no root and leaves alone what
# other servers of the machine use.
rag_private_tree() {
  local dir=$1 what from program

  for what in bindir sharedir pkglibdir includedir-server; do
    from=$("$PG_CONFIG" "--$what") || return
    rag_as_user mkdir -p "$dir$from" && rag_as_user cp -as "$from/." "$dir$from" || return
    # What is installed already is not what is to be tested.
    find "$dir$from" -mindepth 1 -name 'rag_events*' -prune -exec rm -rf {} +
  done
  from=$("$PG_CONFIG" --bindir)
  for program in "$from"/{postgres,initdb,pg_*}; do
    rag_as_user cp --remove-destination "$program" "$dir$from/" || return
  done
  export PG_CONFIG=$dir$from/pg_config
  export PATH=$dir$from:$PATH
}

# rag_sources: the sources as a tar archive, without what .gitignore lists; tar
# does not read its patterns with a slash.
rag_sources() {
  tar -C "$RAG_ROOT" -cf - --exclude-vcs --exclude-vcs-ignores \
    --exclude=./.env --exclude=./results --exclude=./tmp_check --exclude='*.sql.h' .
}

# rag_export DIR: copies the sources to DIR, to be built there: the checkout is
# left without objects of another user or compiler.
rag_export() {
  rag_as_user mkdir -p "$1" && rag_sources | rag_as_user tar -C "$1" -xf - --no-same-owner
}

# rag_build [MAKE-ARGUMENT…]: builds the sources in $RAG_TMP/build and installs
# into a private tree.
rag_build() {
  rag_private_tree "$RAG_TMP/pg" && rag_export "$RAG_TMP/build" &&
    rag_run rag_as_user make -s -C "$RAG_TMP/build" PG_CONFIG="$PG_CONFIG" "$@" all install
}

# ---------------------------------------------------------------------------
# A private server
# ---------------------------------------------------------------------------

# rag_start_server [SETTING=VALUE…]: starts a server of its own in $RAG_TMP and
# points PGHOST, PGPORT, PGUSER (the superuser postgres) and PGDATABASE to it.
# It listens on a Unix socket in a folder that only RAG_USER can enter, so any
# number of them run side by side. Without durability, unless told otherwise
# (fsync=on).
rag_start_server() {
  local data=$RAG_TMP/server/data variable

  # Nothing of the caller's own connection may leak in.
  for variable in "${!PG@}"; do
    case $variable in PG_* | PGXS) ;; *) unset "$variable" ;; esac
  done
  export PGHOST=$RAG_TMP/server PGPORT=54329 PGUSER=postgres PGDATABASE=postgres
  export PGCLIENTENCODING=UTF8

  rag_as_user mkdir -p -m 700 "$PGHOST" &&
    rag_as_user "$(rag_pg initdb)" -D "$data" -U "$PGUSER" -A trust --encoding=UTF8 \
      --no-locale --no-sync >"$RAG_TMP/initdb.log" 2>&1 ||
    {
      cat "$RAG_TMP/initdb.log" >&2
      return 1
    }
  printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" \
    "port = $PGPORT" "fsync = off" "$@" >>"$data/postgresql.conf"
  rag_as_user "$(rag_pg pg_ctl)" start -s -w -D "$data" -l "$PGHOST/log" </dev/null ||
    {
      tail -n 40 "$PGHOST/log" >&2
      return 1
    }
}

# rag_build_and_start [SETTING=VALUE…]: builds the sources and starts a server with them, and says
# so; ends with the log of a build that fails.
rag_build_and_start() {
  rag_note "Building rag_events for $("$PG_CONFIG" --version)"
  rag_build >"$RAG_TMP/build.log" 2>&1 || {
    cat "$RAG_TMP/build.log" >&2
    rag_die "rag_events could not be built"
  }
  rag_note "Starting a private server"
  rag_start_server "$@" || exit 1
}
