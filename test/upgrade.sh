#!/usr/bin/env bash
#
# The two halves of test/matrix.sh --upgrade, each run in a chroot:
#
#   test/upgrade.sh archive             writes the extension, built for PG_MAJOR, to
#                                       standard output, as a tar archive
#   test/upgrade.sh install OLD SUITE MIRROR
#                                       installs the server of the major OLD, which
#                                       Debian's SUITE carries, beside that of PG_MAJOR
#   test/upgrade.sh test OLD ARCHIVE    runs the TAP tests that go from one server to
#                                       another with servers of OLD and of PG_MAJOR
#
# Ends with the line "N passed, N failed[, N skipped]" where it tests.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

# Those of test/t that start a server of the major of oldinstall.
tests="test/t/022_pg_upgrade.pl test/t/021_backup.pl test/t/026_keep_local.pl"
export LC_ALL=C

archive() {
  rag_require server build >&2
  rag_workdir
  rag_export "$RAG_TMP/build" &&
    rag_as_user make -s -C "$RAG_TMP/build" PG_CONFIG="$PG_CONFIG" \
      DESTDIR="$RAG_TMP/root" all install >&2 &&
    tar -C "$RAG_TMP/root" -cf - .
}

# Nothing but what OLD needs comes from its suite.
install() {
  local old=$1 suite=$2 mirror=$3

  echo "deb $mirror $suite main" >/etc/apt/sources.list.d/old.list
  printf '%s\n' 'Package: *' "Pin: release n=$suite" 'Pin-Priority: 100' \
    >/etc/apt/preferences.d/old
  PG_CONFIG= PG_MAJOR=$old rag_apt_install server
}

run_tests() {
  local old=$1 archive=$2 log p f s

  rag_require server build tap
  rag_workdir
  rag_build || rag_die "the extension cannot be built"
  rm -rf "/usr/share/postgresql/$old/extension"/rag_events* # of an earlier run
  tar -C / --no-overwrite-dir -xf "$archive" || exit
  log=$RAG_TMP/log
  (cd "$RAG_TMP/build" && oldinstall=/usr/lib/postgresql/$old rag_as_user \
    make prove_installcheck PG_CONFIG="$PG_CONFIG" PROVE_TESTS="$tests" \
    PROVE_FLAGS=--verbose) >"$log" 2>&1
  p=$(grep -c '^ok ' "$log")
  f=$(grep -c '^not ok ' "$log")
  s=$(grep -cE '^(ok .*|1\.\.0.*)# (SKIP|skip)' "$log")
  [ "$f" -gt 0 ] || grep -q '^Result: PASS' "$log" || f=1
  cat "$log"
  rag_total $((p - s)) "$f" "$s"
}

case ${1-} in
archive) archive ;;
install) install "$2" "$3" "$4" ;;
test) run_tests "$2" "$3" ;;
*) rag_die "usage: test/upgrade.sh archive | install OLD SUITE MIRROR | test OLD ARCHIVE" ;;
esac
