#!/usr/bin/env bash
#
# The regression and isolation tests where nothing goes unseen: the library built with
# the undefined-behaviour sanitizer, in a PostgreSQL that is built with assertions and
# tells valgrind of every chunk in its memory contexts, under valgrind.
#
#   test/sanitize.sh [TEST…]        (all of pg_regress and isolation by default)
#
# PG_SOURCE is a folder with the sources of PostgreSQL; on Debian they are fetched
# (PG_MAJOR chooses among those that apt knows) where it is not set. The server is
# built once for each version and kept in $RAG_CACHE (/var/cache/rag_events by
# default). The tests take some minutes. Prints lines of TAP; ends with "N passed, N
# failed".

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

sanitizers=-fsanitize=undefined
export LC_ALL=C
passed=0 failed=0

# check NAME COMMAND…
check() {
  if rag_check "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# ---------------------------------------------------------------------------
# A PostgreSQL that valgrind can look into
# ---------------------------------------------------------------------------

# apt's view of the sources of this machine's release, apart from its own lists.
apt_view() {
  "$@" -o Dir::State::lists="$RAG_TMP/lists" -o Dir::Etc::sourceparts=- \
    -o Dir::Etc::sourcelist="$RAG_TMP/sources.list" -o APT::Sandbox::User=root \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
}

# fetch_source DIR: the sources of Debian's PostgreSQL, unpacked.
fetch_source() {
  local mirror suite

  rag_debian || rag_die "set PG_SOURCE to a folder with the sources of PostgreSQL"
  # shellcheck disable=SC2016 # for apt to expand
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n 's,^Debian|Debian|\(.*[^/]\)/*$,\1,p' | head -n 1)
  suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
  mkdir -p "$RAG_TMP/lists/partial" "$RAG_TMP/archive" "$1"
  echo "deb-src $mirror $suite main" >"$RAG_TMP/sources.list"
  (
    cd "$RAG_TMP/archive" && apt_view apt-get -q update &&
      apt_view apt-get -q source --download-only "postgresql-${PG_MAJOR:-$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')}"
  ) >&2 && tar -xf "$RAG_TMP"/archive/*.orig.tar.* -C "$1" --strip-components=1
}

# build_server SOURCE PREFIX: assertions, and requests to valgrind. What the tests do
# not need is left out.
build_server() {
  cp -a "$1" "$RAG_TMP/postgresql" && chown -R "$RAG_USER:" "$RAG_TMP/postgresql" &&
    (
      cd "$RAG_TMP/postgresql" &&
        rag_as_user ./configure -q --prefix="$2" --enable-cassert --enable-debug \
          --without-icu --without-readline --without-zlib CFLAGS="-Og -g -DUSE_VALGRIND" &&
        rag_as_user make -s -j"$(nproc)" && make -s install &&
        cp src/tools/valgrind.supp "$2/"
    )
}

# find_server: sets PG_CONFIG to that of a cached or new build.
find_server() {
  local source=${PG_SOURCE-} version prefix

  if [ -z "$source" ]; then
    source=$RAG_TMP/source
    fetch_source "$source" || return
  fi
  version=$(sed -n "s/^PACKAGE_VERSION='\(.*\)'/\1/p" "$source/configure")
  prefix=${RAG_CACHE:-/var/cache/rag_events}/valgrind-$version
  [ -e "$prefix/valgrind.supp" ] || build_server "$source" "$prefix" || return
  export PG_CONFIG=$prefix/bin/pg_config
  suppressions=$prefix/valgrind.supp
}

# ---------------------------------------------------------------------------
# The tests
# ---------------------------------------------------------------------------

# under_valgrind: starts the server anew, under valgrind. Leaks are not looked for: a
# context frees its blocks in one go (test/t/040_bulk.pl watches the contexts).
under_valgrind() {
  local data=$RAG_TMP/server/data

  # PostgreSQL's list has no hash join that writes the padding of its rows to a file.
  cat >"$RAG_TMP/hash_join.supp" <<'END'
{
  padding_hash_join
  Memcheck:Param
  pwrite64(buf)
  ...
  fun:BufFileDumpBuffer
  ...
  fun:ExecHashJoin
}
END
  rag_as_user "$(rag_pg pg_ctl)" stop -s -w -D "$data" && rag_as_user mkdir "$RAG_TMP/valgrind" || return
  UBSAN_OPTIONS=print_stacktrace=1 rag_as_user setsid valgrind --quiet --trace-children=yes \
    --leak-check=no --num-callers=30 --suppressions="$suppressions" --suppressions="$RAG_TMP/hash_join.supp" \
    --log-file="$RAG_TMP/valgrind/%p" "$(rag_pg postgres)" -D "$data" \
    </dev/null >>"$PGHOST/log" 2>&1 &
  for _ in {1..300}; do
    rag_as_user "$(rag_pg pg_isready)" -q && return
    sleep 0.2
  done
  return 1
}

# in_folder FOLDER SUFFIX TEST…: those of the tests that are there.
in_folder() {
  local folder=$1 suffix=$2 test
  shift 2

  for test in "$@"; do [ ! -e "$RAG_ROOT/test/$folder/$test$suffix" ] || printf '%s ' "$test"; done
}

run_tests() {
  local which=()

  if [ $# -gt 0 ]; then
    which=("REGRESS=$(in_folder sql .sql "$@")" "ISOLATION=$(in_folder specs .spec "$@")")
  fi
  (cd "$RAG_TMP/build" && rag_as_user make installcheck PG_CONFIG="$PG_CONFIG" "${which[@]}") && return
  cat "$RAG_TMP/build/regression.diffs"
  return 1
}

# What still points into a cache points to nothing then; and rows are written directly
# all the same.
discard_caches() {
  local out

  rag_as_user psql -X -q -c 'CREATE DATABASE caches' && rag_as_user psql -X -q -d caches -c 'CREATE EXTENSION rag_events' || return
  out=$(PGOPTIONS='-c debug_discard_caches=1 -c client_min_messages=debug1' rag_as_user psql -X -A -t -q -d caches -f "$RAG_TMP/build/test/caches.sql" 2>&1) &&
    [[ $out == *'inserted directly'* && $out != *'inserted by INSERT'* ]] && return
  printf '%s\n' "$out"
  return 1
}

# Valgrind writes a file for each process, an empty one if there is nothing to say.
no_reports() {
  find "$RAG_TMP/valgrind" -type f -size +0 -exec head -n 200 {} + | grep . && return 1
  return 0
}

no_log() { ! grep -E -A 20 "$1" "$PGHOST/log"; }

# Is it our library that is looked at?
is_watched() {
  nm -D "$("$PG_CONFIG" --pkglibdir)/rag_events.so" | grep -q __ubsan_ &&
    [ "$(find "$RAG_TMP/valgrind" -type f | wc -l)" -gt 1 ] &&
    psql -XAtc 'SHOW debug_assertions' | grep -qx on
}

rag_require server build valgrind perl bison flex psql
rag_workdir
rag_note "the server"
find_server >"$RAG_TMP/server.log" 2>&1 && rag_build with_llvm=no SHLIB_LINK="$sanitizers" \
  COPT="$sanitizers -fno-omit-frame-pointer" >>"$RAG_TMP/server.log" 2>&1 || {
  tail -n 40 "$RAG_TMP/server.log" >&2
  rag_die "the server or the library cannot be built"
}
rag_start_server "shared_buffers = 32MB" "max_connections = 20" || exit 1
rag_note "$("$PG_CONFIG" --version), $(valgrind --version), $sanitizers"

# Without valgrind: slow enough.
check "every function, whenever caches are discarded" discard_caches
under_valgrind || rag_die "the server does not start under valgrind"
check "tests" run_tests "$@"
check "the library is sanitized, the server has assertions, all of its processes are watched" is_watched
check "valgrind has nothing to say" no_reports
check "the sanitizer has nothing to say" no_log 'runtime error:'
check "no assertion failed" no_log 'TRAP:|terminated by signal'
rag_total "$passed" "$failed" 0
