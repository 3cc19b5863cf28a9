#!/usr/bin/env bash
#
# From a bare machine to every test passed:
#
#   test/run.sh [-v] [--keep] [--install] [STAGE…] [NAME…]
#
# Stages, all of them by default:
#   lint    static checks (test/lint.sh)
#   build   gcc and clang, warnings are errors
#   regress make installcheck: pg_regress and isolation tests
#   tap     make prove_installcheck: test/t/*.pl, with servers of their own
#   clients test/clients/*.sh, each with an empty database of a running server
#   demo    examples/demo.sh, the first thing that a newcomer runs
#
# A NAME is that of a file of test/sql, test/specs, test/t or test/clients, without its
# ending: only these tests are run. "test/run.sh lint regress" takes less than a minute.
#
#   -v      print all output, not only that of failing stages
#   --keep  leave the work folder in place
#   --install   only install what the stages need
#
# Installs what is missing on Debian, works in a temporary folder with a server
# of its own, and ends with the line "N passed, N failed[, N skipped]".
# PG_CONFIG or PG_MAJOR choose the PostgreSQL.
#
# A client test runs in a copy of the repository as an ordinary user, with PGHOST,
# PGPORT, PGUSER (a superuser) and PGDATABASE (empty, its own) set and rag_events
# available. It prints "ok - what" or "not ok - what" for each test, "1..0 # SKIP
# why" where it cannot run, and exits non-zero on failure. It names what it needs in
# lines "rag_require NEED…", and what it is skipped without in lines "rag_wish NEED…", which
# are carried out beforehand, with root's rights.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

all_stages="lint build regress tap clients demo"
verbose=
install_only=
stages=

# The tests that were named; where none of a stage was, all of it.
sql_tests=
specs=
tap_tests=
client_tests=

# name_test NAME: notes the test, and its stage.
name_test() {
  local stage

  if [ -f "$RAG_ROOT/test/sql/$1.sql" ]; then
    sql_tests="$sql_tests $1" stage=regress
  elif [ -f "$RAG_ROOT/test/specs/$1.spec" ]; then
    specs="$specs $1" stage=regress
  elif [ -f "$RAG_ROOT/test/t/$1.pl" ]; then
    tap_tests="$tap_tests test/t/$1.pl" stage=tap
  elif [ -x "$RAG_ROOT/test/clients/$1.sh" ]; then
    client_tests="$client_tests $1" stage=clients
  else
    rag_die "there is no stage and no test \"$1\"; stages: $all_stages; test/README.md lists the tests"
  fi
  case " $stages " in *" $stage "*) ;; *) stages="$stages $stage" ;; esac
}

for arg in "$@"; do
  case $arg in
  -v) verbose=1 ;;
  --keep) RAG_KEEP=1 ;;
  --install) install_only=1 ;;
  lint | build | regress | tap | clients | demo) stages="$stages $arg" ;;
  *) name_test "$arg" ;;
  esac
done
stages=${stages:-$all_stages}

warnings="-Wall -Wextra -Werror"
passed=0 failed=0 skipped=0

# count LOG: prints "passed failed skipped" of the tests that LOG tells of, be it
# TAP (prove -v, pg_regress from 16 on, our own) or pg_regress of 15:
#   test session_create               ... ok           21 ms
#   test session_delete               ... FAILED       17 ms
count() {
  awk '
    /^not ok .*# TODO/ || /^ok .*# (SKIP|skip)/ || /^1\.\.0.*# (SKIP|skip)/ ||
      /^test.* \.\. skipped/ { skipped++; next }
    /^ok ([0-9]|- )/ || /^(test|    ) .* \.\.\. ok( |$)/ { passed++; next }
    /^not ok/ || /^(test|    ) .* \.\.\. FAILED/ { failed++ }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# run_stage NAME: runs stage_NAME and counts its results. A stage that fails
# without a failed test, or that ends well without any test, is a failure too.
run_stage() {
  local log=$RAG_TMP/log/$1.log status p f s start=$SECONDS

  rag_note "$1"
  rag_run "stage_$1" >"$log" 2>&1
  status=$?
  read -r p f s < <(count "$log")
  if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((p + s)) -eq 0 ]; }; then
    echo "not ok - stage $1: exit status $status, $((p + s)) results" >>"$log"
    f=1
  fi
  if [ "$f" -gt 0 ]; then
    show_failure "$1" "$log"
  elif [ -n "$verbose" ]; then
    cat "$log"
  else
    grep -E '^1\.\.0.*# (SKIP|skip)|^(not )?ok .*# (SKIP|skip|TODO)|\.\. skipped' "$log"
  fi
  echo "   $p passed, $f failed, $s skipped, $((SECONDS - start)) s"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# show_failure STAGE LOG: whatever tells why.
show_failure() {
  local file

  if [ -n "$verbose" ]; then
    cat "$2"
  else
    # The failed tests with what stands before them, wherever they are, and the end.
    grep -a -B 12 '^not ok' "$2" | head -n 200
    echo "--- the end"
    tail -n 100 "$2"
  fi
  case $1 in regress | tap | clients) ;; *) return ;; esac
  for file in "$RAG_TMP"/build/regression.diffs "$RAG_TMP"/build/*/regression.diffs \
    "$RAG_TMP"/build/tmp_check/log/regress_log_* "${PGHOST-}/log" "$RAG_TMP/second/server/log"; do
    case $file in
    */regression.diffs) [ "$1" = regress ] || continue ;;
    */regress_log_*) [ "$1" = tap ] || continue ;;
    *) [ "$1" != tap ] || continue ;;
    esac
    [ -s "$file" ] || continue
    echo "--- ${file#"$RAG_TMP"/}"
    case $file in *.diffs) head -n 400 "$file" ;; *) tail -n 60 "$file" ;; esac
  done
}

# ---------------------------------------------------------------------------

stage_lint() { "$RAG_ROOT/test/lint.sh"; }

# The headers of PostgreSQL count as system headers: their warnings are not ours.
# Debian's PostgreSQL is built by gcc, and clang does not know all of its flags; and
# newer ones complain of a PG_FUNCTION_ARGS that goes unused, which gcc does not.
compile() {
  local cc=$1 flags

  flags="$warnings -isystem $("$PG_CONFIG" --includedir-server)"
  [ "$cc" = clang ] &&
    flags="$flags -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-unused-parameter"
  rag_export "$RAG_TMP/$cc" &&
    rag_as_user make -s -C "$RAG_TMP/$cc" PG_CONFIG="$PG_CONFIG" CC="$cc" COPT="$flags"
}

# (git refuses to read the checkout of another user, hence not as RAG_USER.)
build_archive() {
  rag_as_user mkdir "$RAG_TMP/dist" &&
    "$RAG_ROOT/tools/dist.sh" --tar | rag_as_user tar -C "$RAG_TMP/dist" -xf - --no-same-owner &&
    rag_as_user make -s -C "$RAG_TMP"/dist/rag_events-* PG_CONFIG="$PG_CONFIG" with_llvm=no COPT=-O0 \
      DESTDIR="$RAG_TMP/dist/root" all install &&
    find "$RAG_TMP/dist/root" -name rag_events.control | grep .
}

stage_build() {
  local cc status=0

  for cc in gcc clang; do
    rag_check "$cc $warnings" compile "$cc" || status=1
  done
  if [ -e "$RAG_ROOT/.git" ]; then
    rag_check "the archive of make dist builds" build_archive || status=1
  else
    echo "ok - the archive of make dist builds # SKIP not a checkout of git"
  fi
  return "$status"
}

in_build() { (cd "$RAG_TMP/build" && rag_as_user "$@"); }

stage_regress() {
  local chosen=()

  [ -z "$sql_tests$specs" ] || chosen=(REGRESS="$sql_tests" ISOLATION="$specs")
  in_build make installcheck PG_CONFIG="$PG_CONFIG" "${chosen[@]}"
}

stage_tap() {
  compgen -G "$RAG_ROOT/test/t/*.pl" >/dev/null || {
    echo "1..0 # SKIP no test/t/*.pl"
    return
  }
  in_build make prove_installcheck PG_CONFIG="$PG_CONFIG" PROVE_FLAGS="--verbose --timer --jobs=4" \
    ${tap_tests:+PROVE_TESTS="$tap_tests"}
}

# run_client NAME: with an empty database of its own.
run_client() {
  local start=$SECONDS

  rag_as_user "$(rag_pg createdb)" "client_$1" && PGDATABASE=client_$1 in_build "test/clients/$1.sh" ||
    echo "not ok - test/clients/$1.sh (exit status $?)"
  echo "# test/clients/$1.sh: $((SECONDS - start)) s"
}

# run_clients LOGS: those that nobody else has begun.
run_clients() {
  local script name

  for script in "$RAG_ROOT"/test/clients/*.sh; do
    [ -x "$script" ] || continue
    name=$(basename "$script" .sh)
    case " ${client_tests:-$name} " in *" $name "*) ;; *) continue ;; esac
    mkdir "$1/$name" 2>/dev/null || continue
    run_client "$name" >"$1/$name/log" 2>&1
  done
}

# run_clients_beside LOGS: the same with a server and a copy of the repository of its own:
# roles and files are not shared.
run_clients_beside() {
  local build=$RAG_TMP/build RAG_TMP=$RAG_TMP/second

  rag_as_user mkdir "$RAG_TMP" && rag_as_user cp -a "$build" "$RAG_TMP/build" && rag_start_server && run_clients "$1"
}

# Two at a time, as most of them have one process at work.
stage_clients() {
  local logs=$RAG_TMP/clients

  compgen -G "$RAG_ROOT/test/clients/*.sh" >/dev/null || {
    echo "1..0 # SKIP no test/clients/*.sh"
    return
  }
  mkdir "$logs"
  run_clients_beside "$logs" &
  run_clients "$logs"
  wait $! || echo "not ok - a second server for the tests of clients"
  cat "$logs"/*/log
  ! grep -q '^not ok' "$logs"/*/log
}

stage_demo() {
  [ -x "$RAG_ROOT/examples/demo.sh" ] || {
    echo "1..0 # SKIP no examples/demo.sh"
    return
  }
  rag_check "examples/demo.sh" in_build examples/demo.sh
}

# client_needs FUNCTION: what the client tests ask of it, rag_require or rag_wish.
client_needs() {
  sed -n "s/^ *$1 //p" "$RAG_ROOT"/test/clients/*.sh 2>/dev/null
}

# ---------------------------------------------------------------------------

export LC_ALL=C
unset LANGUAGE
needs="server build"
wishes=
for stage in $stages; do
  case $stage in
  lint) needs="$needs clang-format cppcheck shellcheck" ;;
  build) needs="$needs clang" ;;
  tap) needs="$needs tap" wishes="$wishes pg_cron" ;;
  clients) needs="$needs $(client_needs rag_require)" wishes="$wishes $(client_needs rag_wish)" ;;
  esac
done
# shellcheck disable=SC2086 # a list of words
rag_require $needs
# shellcheck disable=SC2086 # a list of words
[ -z "$wishes" ] || rag_wish $wishes
[ -z "$install_only" ] || exit 0
rag_workdir
mkdir "$RAG_TMP/log"

rag_note "$("$PG_CONFIG" --version), in $RAG_TMP as $RAG_USER"

# What the tests of behaviour run on; without it they cannot.
prepare() {
  rag_build && rag_start_server
}
case $stages in
*regress* | *tap* | *clients* | *demo*)
  if ! prepare >"$RAG_TMP/log/prepare.log" 2>&1; then
    cat "$RAG_TMP/log/prepare.log"
    echo "not ok - the extension is built and installed, and a server started"
    failed=1
    stages=$(tr ' ' '\n' <<<"$stages" | grep -E 'lint|build')
  fi
  ;;
esac

for stage in $stages; do run_stage "$stage"; done

rag_total "$passed" "$failed" "$skipped"
